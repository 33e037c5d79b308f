r"""The ``.gnc`` file: the only module that knows its bytes, and the specification of the format.

Extension ``.gnc``, MIME type ``image/x-gencodec``.  Container version 0 promises nothing yet: a
later release MAY refuse it.  Integers are little-endian.  A *varint* holds 7 bits a byte, lowest
first; the top bit of a byte says that another follows.  It MUST be as short as its value allows
and at most 5 bytes long.  "CRC" is CRC-32 as in zlib.

A file is a magic number, a header, a checksum of both, and chunks up to the end:

| bytes        | what                                                                           |
|--------------|--------------------------------------------------------------------------------|
| 4            | magic ``89 47 4E 43`` (``\x89GNC``)                                              |
| 1            | `version`, 0                                                                   |
| 1            | `scheme` in the low 4 bits, `flags` in the high 4                              |
| 2            | `quality` in hundredths, 0..10000                                              |
| 8            | `decoder`, the first 8 bytes of the SHA-256 of the decoder that reads the file |
| varint       | `width` in pixels, 1..2^20                                                     |
| varint       | `height` in pixels, 1..2^20; width * height MUST be at most 2^30               |
| 2            | low 16 bits of the CRC of everything before                                    |

Flags: 1 greyscale, 2 lossless, 4 stable (saving the decoded picture again changes nothing); a
writer MUST leave 8 at zero and a reader MUST refuse it, as it must any field out of its range.

| bytes  | a chunk                                     |
|--------|---------------------------------------------|
| 1      | type                                        |
| varint | length of the payload                       |
| length | payload                                     |
| 4      | CRC of the type byte followed by the payload |

| type   | payload                                                          | number | length |
|--------|------------------------------------------------------------------|--------|--------|
| 1      | ICC profile                                                      | 0..1   | 16 MiB |
| 2      | EXIF: a TIFF stream, without a leading ``Exif\0\0``              | 0..1   | 16 MiB |
| 3      | XMP packet                                                       | 0..1   | 16 MiB |
| 4      | alpha plane, see `pixels.encode_alpha`                           | 0..1   | 2^30   |
| 16     | one entropy segment; what is in it is up to the scheme           | 1..    | 2^30   |
| 32..63 | for later extensions, not needed to decode: a reader MAY skip it | 0..    | 16 MiB |

There MUST be at most 2^16 chunks, and a length MUST NOT be over the one in the table (in bytes).
Chunks 1 to 4 MUST come in ascending order, 32..63 anywhere among or after them, and the segments
MUST come last, in raster order, so that every truncation loses one.  The scheme knows how many
segments a picture needs and MUST check their number.  A reader MUST refuse any other
type, a wrong CRC in a chunk it uses, and bytes that follow the last segment.  It MUST check
lengths and limits before it allocates anything for them.

A chunk's length is not in its CRC: with a wrong length the CRC is looked for in a wrong place and
does not match.  A plain picture of up to 16383 x 16383 pixels costs 22 bytes of header and 6 to 9
for each segment.

Example:
    >>> header = Header(scheme=1, flags=0, quality=5000, decoder=bytes(8), width=768, height=512)
    >>> data = write(header, [Chunk(ChunkType.SEGMENT, b"entropy-coded")])
    >>> read(data) == (header, {}, [b"entropy-coded"])
    True
    >>> len(data) - len(b"entropy-coded")
    28
"""

import zlib
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

from .errors import FormatError, GencodecError, InputError

__all__ = [
    "Chunk",
    "ChunkType",
    "Flag",
    "Header",
    "check_size",
    "describe",
    "read",
    "read_header",
    "sniff",
    "write",
]

MAGIC = b"\x89GNC"
EXTENSION = ".gnc"
MIME_TYPE = "image/x-gencodec"
VERSION = 0

MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 30
MAX_METADATA = 16 << 20
MAX_PAYLOAD = 1 << 30
MAX_CHUNKS = 1 << 16
MAX_VARINT_BYTES = 5

REMEDY = "the file is damaged, copy or download it again"


class Flag(IntFlag):
    """Bits of `Header.flags`."""

    GREY = 1
    LOSSLESS = 2
    STABLE = 4


class ChunkType(IntEnum):
    """Types of chunks that this version knows."""

    ICC = 1
    EXIF = 2
    XMP = 3
    ALPHA = 4
    SEGMENT = 16


SEGMENT = ChunkType.SEGMENT
# Type: name and longest payload.
CHUNKS: dict[int, tuple[str, int]] = {
    ChunkType.ICC: ("ICC profile", MAX_METADATA),
    ChunkType.EXIF: ("EXIF", MAX_METADATA),
    ChunkType.XMP: ("XMP", MAX_METADATA),
    ChunkType.ALPHA: ("alpha", MAX_PAYLOAD),
    ChunkType.SEGMENT: ("segment", MAX_PAYLOAD),
} | {type_: (f"extension {type_}", MAX_METADATA) for type_ in range(32, 64)}


def _flag_text(flags: int) -> str:
    return ", ".join(flag.name.lower() for flag in Flag if flags & flag and flag.name) or "none"


@dataclass(frozen=True)
class Field:
    """One line of the header table: `bits` wide (None: a varint), in `lowest`..`highest`."""

    name: str
    bits: int | None
    highest: int
    meaning: str
    lowest: int = 0
    text: Callable[[Any], str] = str


DIGEST_BITS = 64  # the one field of bytes instead of a number
# Fields of fixed width come first: together they are one little-endian integer, lowest bits first.
FIELDS = (
    Field("version", 8, VERSION, "container version", text=lambda v: f"{v} (promises nothing yet)"),
    Field("scheme", 4, 15, "codec id"),
    Field("flags", 4, sum(Flag), "kind of picture", text=_flag_text),
    Field("quality", 16, 10_000, "quality, 0..100", text=lambda v: f"{v / 100:g}"),
    Field("decoder", DIGEST_BITS, (1 << DIGEST_BITS) - 1, "digest of the decoder", text=bytes.hex),
    Field("width", None, MAX_SIDE, "pixels in a row", lowest=1),
    Field("height", None, MAX_SIDE, "rows", lowest=1),
)
FIXED_BYTES = sum(field.bits for field in FIELDS if field.bits) // 8
CRC_BYTES = 2
# What a reader needs at most to have the whole header, whatever the varints hold.
HEADER_BYTES = len(MAGIC) + FIXED_BYTES + 2 * MAX_VARINT_BYTES + CRC_BYTES


@dataclass(frozen=True)
class Header:
    """What the fixed part of a file says; ranges are checked by `write` and `read`.

    Attributes:
        scheme: wire id of the codec, 0..15.
        flags: of `Flag`, or-ed.
        quality: hundredths, 0..10000.
        decoder: 8 bytes, the digest of the decoder that reads the file.
        width, height: pixels, at least 1.
        version: container version.
    """

    scheme: int
    flags: int
    quality: int
    decoder: bytes
    width: int
    height: int
    version: int = VERSION

    @property
    def grey(self) -> bool:
        """The picture is greyscale."""
        return bool(self.flags & Flag.GREY)

    @property
    def lossless(self) -> bool:
        """Every pixel is exact."""
        return bool(self.flags & Flag.LOSSLESS)

    @property
    def stable(self) -> bool:
        """Saving the decoded picture again changes nothing."""
        return bool(self.flags & Flag.STABLE)


@dataclass(frozen=True)
class Chunk:
    """A chunk to write: its type (of `ChunkType`, or 32..63) and its payload."""

    type: int
    payload: bytes


def sniff(prefix: bytes) -> bool:
    """Whether data that begins with `prefix` (4 bytes are enough) claims to be a ``.gnc`` file."""
    return prefix[: len(MAGIC)] == MAGIC


def describe(header: Header) -> list[tuple[str, str]]:
    """The header as pairs of name and text, in file order, for people to read.

    >>> describe(Header(1, Flag.GREY, 4250, bytes(8), 640, 480))[3]
    ('quality', '42.5')
    """
    return [(field.name, field.text(getattr(header, field.name))) for field in FIELDS]


def check_size(width: int, height: int) -> None:
    """Refuses a picture that no file can hold, before work is put into it.

    Raises:
        InputError: no pixels, a side over MAX_SIDE, or more than MAX_PIXELS pixels.
    """
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InputError(
            f"The picture has {width} x {height} pixels; a .gnc file holds sides of 1 to"
            f" {MAX_SIDE:,}."
        )
    _check_pixels(width, height, InputError)


def write(header: Header, chunks: Iterable[Chunk]) -> bytes:
    """The bytes of a file.

    Arguments:
        header: every field in its range.
        chunks: at least one SEGMENT, each metadata type at most once; they are put in file order,
            segments keep theirs.

    Raises:
        InputError: a field or a payload over its limit, a chunk twice, no segment.
    """
    _check_fields(header, InputError)
    ordered = sorted(chunks, key=lambda chunk: (chunk.type == SEGMENT, chunk.type))
    if not ordered or ordered[-1].type != SEGMENT:
        raise InputError("A .gnc file needs at least one segment.")
    if len(ordered) > MAX_CHUNKS:
        raise InputError(f"{len(ordered)} chunks are more than the {MAX_CHUNKS} of a .gnc file.")

    parts = [_write_header(header)]
    previous = 0
    for chunk in ordered:
        if chunk.type not in CHUNKS:
            raise InputError(f"There is no chunk of type {chunk.type} in a .gnc file.")
        name, limit = CHUNKS[chunk.type]
        if chunk.type == previous < SEGMENT:
            raise InputError(f"A .gnc file holds at most one {name} chunk.")
        if len(chunk.payload) > limit:
            raise InputError(
                f"The picture's {name} of {len(chunk.payload)} bytes is more than the {limit} that"
                " a .gnc file holds; make it smaller or leave it out (--strip)."
            )
        previous = chunk.type
        crc = _crc(chunk.type, chunk.payload).to_bytes(4, "little")
        parts += [bytes([chunk.type]), _varint(len(chunk.payload)), chunk.payload, crc]
    return b"".join(parts)


def read_header(data: bytes) -> Header:
    """The header alone; `data` may end after it (HEADER_BYTES are always enough).

    Raises:
        FormatError: not a ``.gnc`` file, a newer one, damaged, cut off, or over a limit.
    """
    return _read_header(memoryview(data))[0]


def read(
    data: bytes, segments: Container[int] | None = None
) -> tuple[Header, dict[int, bytes], list[bytes]]:
    """A whole file, its checksums verified.

    Arguments:
        data: the file.
        segments: the numbers of the segments wanted, all if None.  The others are not checked.

    Returns:
        The header, the metadata payloads by type, and the payloads of
        the segments in order, ``b""`` in place of those not asked for.  Whether there are as many
        segments as the picture needs is for the scheme to say.

    Raises:
        FormatError: as `read_header`; or a chunk is damaged, unknown or out of place.
    """
    view = memoryview(data)
    header, position = _read_header(view)
    metadata: dict[int, bytes] = {}
    payloads: list[bytes] = []
    for type_, start, end in _walk(view, position):
        wanted = type_ != SEGMENT or segments is None or len(payloads) in segments
        if wanted and _crc(type_, view[start:end]) != int.from_bytes(view[end : end + 4], "little"):
            name = CHUNKS[type_][0] + (f" {len(payloads)}" if type_ == SEGMENT else "")
            raise FormatError(f"The checksum of its {name} does not match: {REMEDY}.")
        if type_ == SEGMENT:
            payloads.append(bytes(view[start:end]) if wanted else b"")
        elif type_ < SEGMENT:
            metadata[type_] = bytes(view[start:end])
    return header, metadata, payloads


# --- header -------------------------------------------------------------------------------------


def _check_fields(header: Header, error: type[GencodecError]) -> None:
    for field in FIELDS:
        value = getattr(header, field.name)
        if field.bits == DIGEST_BITS:
            if not isinstance(value, bytes) or 8 * len(value) != DIGEST_BITS:
                raise error(
                    f"The header's {field.name} is {value!r}, not {DIGEST_BITS // 8} bytes."
                )
        elif not isinstance(value, int) or not field.lowest <= value <= field.highest:
            raise error(
                f"The header's {field.name} ({field.meaning}) is {value},"
                f" not a whole number in {field.lowest}..{field.highest}."
            )
    _check_pixels(header.width, header.height, error)


def _check_pixels(width: int, height: int, error: type[GencodecError]) -> None:
    if width * height > MAX_PIXELS:
        raise error(
            f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that a .gnc file holds."
        )


def _write_header(header: Header) -> bytes:
    fixed = shift = 0
    varints = b""
    for field in FIELDS:
        value = getattr(header, field.name)
        if field.bits is None:
            varints += _varint(value)
        else:
            digest = field.bits == DIGEST_BITS
            fixed |= (int.from_bytes(value, "little") if digest else value) << shift
            shift += field.bits
    data = MAGIC + fixed.to_bytes(FIXED_BYTES, "little") + varints
    return data + (zlib.crc32(data) & 0xFFFF).to_bytes(CRC_BYTES, "little")


def _read_header(view: memoryview) -> tuple[Header, int]:
    """The header and the position behind it."""
    if not view:
        raise FormatError("The file is empty; copy or download it again.")
    prefix = bytes(view[: len(MAGIC)])
    if not MAGIC.startswith(prefix):
        raise FormatError("This is not a .gnc file; `gencodec compress` makes one from a picture.")
    position = len(MAGIC) + FIXED_BYTES
    if len(view) > len(MAGIC) and view[len(MAGIC)] > VERSION:
        # Said before the checksum is looked for: a later version may keep it elsewhere.
        raise FormatError(
            f"The file has container version {view[len(MAGIC)]}, and this gencodec reads up to"
            f" {VERSION}; it is damaged or needs a newer gencodec."
        )
    if len(view) < position:
        raise _cut_off(len(view))

    fixed = int.from_bytes(view[len(MAGIC) : position], "little")
    values: dict[str, Any] = {}
    for field in FIELDS:
        if field.bits is None:
            values[field.name], position = _read_varint(view, position)
        else:
            number = fixed & ((1 << field.bits) - 1)
            digest = field.bits == DIGEST_BITS
            values[field.name] = number.to_bytes(DIGEST_BITS // 8, "little") if digest else number
            fixed >>= field.bits

    end = position + CRC_BYTES
    if len(view) < end:
        raise _cut_off(len(view))
    if zlib.crc32(view[:position]) & 0xFFFF != int.from_bytes(view[position:end], "little"):
        raise FormatError(f"The checksum of the header does not match: {REMEDY}.")
    header = Header(**values)
    _check_fields(header, FormatError)
    return header, end


# --- chunks -------------------------------------------------------------------------------------


def _walk(view: memoryview, position: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each payload; its order, length and place checked, not its CRC."""
    previous = count = 0
    while position < len(view):
        type_ = view[position]
        count += 1
        if count > MAX_CHUNKS:
            raise FormatError(f"The file has more than {MAX_CHUNKS} chunks: {REMEDY}.")
        if previous == SEGMENT and type_ != SEGMENT:
            raise FormatError(f"Bytes follow the last segment: {REMEDY}.")
        if type_ not in CHUNKS:
            raise FormatError(
                f"The file has a chunk of unknown type {type_}; it is damaged or needs a newer"
                " gencodec."
            )
        name, limit = CHUNKS[type_]
        if type_ <= SEGMENT:
            if type_ <= previous < SEGMENT:
                fault = "more than once" if type_ == previous else "out of order"
                raise FormatError(f"The file has its {name} {fault}: {REMEDY}.")
            previous = type_
        length, start = _read_varint(view, position + 1)
        if length > limit:
            raise FormatError(
                f"The file's {name} claims {length} bytes, more than the {limit} allowed: {REMEDY}."
            )
        end = start + length
        position = end + 4
        if position > len(view):
            raise _cut_off(len(view))
        yield type_, start, end
    if previous != SEGMENT:
        raise _cut_off(len(view))


def _crc(type_: int, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes([type_])))


def _cut_off(length: int) -> FormatError:
    return FormatError(f"The file is cut off after {length} bytes; copy or download it again.")


# --- varints ------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _read_varint(view: memoryview, position: int) -> tuple[int, int]:
    """The value and the position behind it."""
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if position + index >= len(view):
            raise _cut_off(len(view))
        byte = view[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index > 0:
                break
            return value, position + index + 1
    raise FormatError(f"The number at byte {position} is malformed: {REMEDY}.")
