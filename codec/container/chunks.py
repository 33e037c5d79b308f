"""The chunks behind the header: their types, limits, order and checksums."""

import zlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from ..errors import FormatError, InputError
from .file_view import FileView
from .varint import REMEDY, cut_off, read_varint, write_varint

EXIF_PREFIX = b"Exif\0\0"  # how JPEG marks EXIF; Pillow expects it, a chunk goes without
MAX_METADATA = 16 << 20
MAX_PAYLOAD = 1 << 30
MAX_CHUNKS = 1 << 16


class ChunkType(IntEnum):
    """Types of chunks that this version knows."""

    ICC = 1
    EXIF = 2
    XMP = 3
    ALPHA = 4
    SEGMENT = 16


SEGMENT = ChunkType.SEGMENT
# Types that a later version may use, and what for.
RESERVED = {
    17: "segments of several codecs",
    18: "segments in parts of rising quality",
    19: "several pictures",
}
RESOLUTION = 33  # the first of the extensions 32..63, which readers may skip
# Type: name and longest payload.
CHUNKS: dict[int, tuple[str, int]] = {
    ChunkType.ICC: ("ICC profile", MAX_METADATA),
    ChunkType.EXIF: ("EXIF", MAX_METADATA),
    ChunkType.XMP: ("XMP", MAX_METADATA),
    ChunkType.ALPHA: ("alpha", MAX_PAYLOAD),
    ChunkType.SEGMENT: ("segment", MAX_PAYLOAD),
} | {type_: (f"extension {type_}", MAX_METADATA) for type_ in range(32, 64)}
CHUNKS[RESOLUTION] = ("resolution", MAX_METADATA)


@dataclass(frozen=True)
class Chunk:
    """A chunk to write: its type (of `ChunkType`, or 32..63) and its payload."""

    type: int
    payload: bytes


def write_chunks(chunks: Iterable[Chunk]) -> list[bytes]:
    """The parts of a file behind its header: chunks in file order.

    Raises:
        InputError: a payload over its limit, a chunk twice or of no known type, no segment.
    """
    ordered = sorted(chunks, key=lambda chunk: (chunk.type == SEGMENT, chunk.type))
    if not ordered or ordered[-1].type != SEGMENT:
        raise InputError("A .gnc file needs at least one segment.")
    if len(ordered) > MAX_CHUNKS:
        raise InputError(f"{len(ordered)} chunks are more than the {MAX_CHUNKS} of a .gnc file.")

    parts: list[bytes] = []
    previous = 0
    for chunk in ordered:
        if chunk.type not in CHUNKS:
            raise InputError(f"There is no chunk of type {chunk.type} in a .gnc file.")
        name, limit = CHUNKS[chunk.type]
        if chunk.type == previous and (previous < SEGMENT or previous == RESOLUTION):
            raise InputError(f"A .gnc file holds at most one {name} chunk.")
        if len(chunk.payload) > limit:
            raise InputError(
                f"The picture's {name} of {len(chunk.payload)} bytes is more than the {limit} that"
                " a .gnc file holds; make it smaller or leave it out (--strip)."
            )
        previous = chunk.type
        crc = _crc(chunk.type, chunk.payload).to_bytes(4, "little")
        parts += [bytes([chunk.type]), write_varint(len(chunk.payload)), chunk.payload, crc]
    return parts


def read_chunks(
    view: memoryview, position: int, segments: Container[int] | None
) -> tuple[dict[int, bytes], list[bytes]]:
    """Metadata by type and segments in order, from `position` to the end.

    A segment whose number is not in `segments` is ``b""`` and is not checked.

    Raises:
        FormatError: a chunk is damaged, unknown, over its limit or out of place.
    """
    metadata: dict[int, bytes] = {}
    payloads: list[bytes] = []
    for type_, start, end in _walk(view, position):
        wanted = type_ != SEGMENT or segments is None or len(payloads) in segments
        if wanted and not _crc_matches(view, type_, start, end):
            raise _wrong_crc(CHUNKS[type_][0] + (f" {len(payloads)}" if type_ == SEGMENT else ""))
        if type_ == SEGMENT:
            payloads.append(bytes(view[start:end]) if wanted else b"")
        elif type_ < SEGMENT or type_ == RESOLUTION:
            if type_ in metadata:
                raise FormatError(f"The file has its {CHUNKS[type_][0]} more than once: {REMEDY}.")
            metadata[type_] = bytes(view[start:end])
    return metadata, payloads


def read_metadata_chunks(view: FileView, position: int) -> dict[int, bytes]:
    """Metadata by type, from `position` to the first segment; of ALPHA only that it is there.

    Raises:
        FormatError: a chunk before the first segment, or its place, is not as it must be.
    """
    metadata: dict[int, bytes] = {}
    for type_, start, end in _walk(view, position):
        if type_ == SEGMENT:
            break
        if type_ == ChunkType.ALPHA:
            metadata[type_] = b""
        elif type_ < SEGMENT:
            if not _crc_matches(view, type_, start, end):
                raise _wrong_crc(CHUNKS[type_][0])
            metadata[type_] = view[start:end]
    return metadata


def _walk(view: memoryview | FileView, position: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each payload; its order, length and place checked, not its CRC."""
    previous = count = 0
    while position < len(view):
        type_ = view[position]
        count += 1
        if count > MAX_CHUNKS:
            raise FormatError(f"The file has more than {MAX_CHUNKS} chunks: {REMEDY}.")
        if type_ in RESERVED:
            raise FormatError(
                f"The file has {RESERVED[type_]} (chunk {type_}), which this version does not "
                "read; install a newer gencodec."
            )
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
        length, start = read_varint(view, position + 1)
        if length > limit:
            raise FormatError(
                f"The file's {name} claims {length} bytes, more than the {limit} allowed: {REMEDY}."
            )
        end = start + length
        position = end + 4
        if position > len(view):
            raise cut_off(len(view))
        yield type_, start, end
    if previous != SEGMENT:
        raise cut_off(len(view))


def _crc_matches(view: memoryview | FileView, type_: int, start: int, end: int) -> bool:
    return _crc(type_, view[start:end]) == int.from_bytes(view[end : end + 4], "little")


def _wrong_crc(name: str) -> FormatError:
    return FormatError(f"The checksum of its {name} does not match: {REMEDY}.")


def _crc(type_: int, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes([type_])))
