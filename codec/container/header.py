"""The header as a declared table: reading, writing, checks and printing are derived from it."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from ..errors import FormatError, GencodecError, InputError
from .file_view import FileView
from .varint import MAX_VARINT_BYTES, REMEDY, cut_off, read_varint, write_varint

MAGIC = b"\x89GNC"
VERSION = 1  # the lowest that is read as well: that of development promised nothing

MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 30


class Flag(IntFlag):
    """Bits of `Header.flags`."""

    GREY = 1
    LOSSLESS = 2
    STABLE = 4


def _flag_text(flags: int) -> str:
    return ", ".join(flag.name.lower() for flag in Flag if flags & flag and flag.name) or "none"


def _version_text(version: int) -> str:
    return f"{version} (every later gencodec reads it)"


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
    Field("version", 8, VERSION, "container version", VERSION, _version_text),
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


def read_header(data: bytes) -> Header:
    """The header alone; `data` may end after it (HEADER_BYTES are always enough).

    Raises:
        FormatError: not a ``.gnc`` file, a newer or too old one, damaged, cut off, or over a limit.
    """
    return parse_header(memoryview(data))[0]


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


def write_header(header: Header) -> bytes:
    """Magic number, fields and their checksum.

    Raises:
        InputError: a field out of its range.
    """
    _check_fields(header, InputError)
    fixed = shift = 0
    varints = b""
    for field in FIELDS:
        value = getattr(header, field.name)
        if field.bits is None:
            varints += write_varint(value)
        else:
            digest = field.bits == DIGEST_BITS
            fixed |= (int.from_bytes(value, "little") if digest else value) << shift
            shift += field.bits
    data = MAGIC + fixed.to_bytes(FIXED_BYTES, "little") + varints
    return data + (zlib.crc32(data) & 0xFFFF).to_bytes(CRC_BYTES, "little")


def parse_header(view: memoryview | FileView) -> tuple[Header, int]:
    """The header and the position behind it.

    Raises:
        FormatError: as `read_header`.
    """
    if not len(view):
        raise FormatError("The file is empty; copy or download it again.")
    prefix = bytes(view[: len(MAGIC)])
    if not MAGIC.startswith(prefix):
        raise FormatError("This is not a .gnc file; `gencodec compress` makes one from a picture.")
    position = len(MAGIC) + FIXED_BYTES
    version = view[len(MAGIC)] if len(view) > len(MAGIC) else VERSION
    if version > VERSION:
        # Said before the checksum is looked for: a later version may keep it elsewhere.
        raise FormatError(
            f"The file has container version {version}, and this gencodec reads up to"
            f" {VERSION}; it is damaged or needs a newer gencodec."
        )
    if version < VERSION:
        raise FormatError(
            f"The file has container version {version}, of gencodec before 1.0, which no "
            "version reads any more; compress its original again."
        )
    if len(view) < position:
        raise cut_off(len(view))

    fixed = int.from_bytes(view[len(MAGIC) : position], "little")
    values: dict[str, Any] = {}
    for field in FIELDS:
        if field.bits is None:
            values[field.name], position = read_varint(view, position)
        else:
            number = fixed & ((1 << field.bits) - 1)
            digest = field.bits == DIGEST_BITS
            values[field.name] = number.to_bytes(DIGEST_BITS // 8, "little") if digest else number
            fixed >>= field.bits

    end = position + CRC_BYTES
    if len(view) < end:
        raise cut_off(len(view))
    if zlib.crc32(view[:position]) & 0xFFFF != int.from_bytes(view[position:end], "little"):
        raise FormatError(f"The checksum of the header does not match: {REMEDY}.")
    header = Header(**values)
    _check_fields(header, FormatError)
    return header, end
