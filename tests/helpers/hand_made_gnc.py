"""A file of every kind of chunk, and parts of files written by hand so that they break rules."""

import zlib

from gencodec.codec import container
from gencodec.codec.container import Chunk, ChunkType, Flag, Header

ICC, EXIF, XMP, ALPHA, SEGMENT = ChunkType

HEADER = Header(1, Flag.GREY, 4250, bytes(range(8)), width=768, height=512)
CHUNKS = [
    Chunk(ICC, b"profile"),
    Chunk(EXIF, b"MM\0*"),
    Chunk(XMP, b"<x/>"),
    Chunk(ALPHA, b"\xff"),
    Chunk(SEGMENT, b"first"),
    Chunk(SEGMENT, b""),
    Chunk(SEGMENT, bytes(200)),
]
WHOLE = (
    HEADER,
    {ICC: b"profile", EXIF: b"MM\0*", XMP: b"<x/>", ALPHA: b"\xff"},
    [b"first", b"", bytes(200)],
)
DATA = container.write(HEADER, CHUNKS)
HEADER_SIZE = 22  # of HEADER: its sides take two bytes each


def chunk(type_: int, payload: bytes, length: bytes | None = None) -> bytes:
    """A chunk's bytes, written by hand so that it may break the rules."""
    crc = zlib.crc32(bytes([type_]) + payload)
    return (
        bytes([type_])
        + (length if length is not None else varint(len(payload)))
        + payload
        + crc.to_bytes(4, "little")
    )


def varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value % 128 + 128)
        value //= 128
    return bytes([*parts, value])


def head(
    version: int = 1,
    scheme_flags: int = 0x11,
    quality: int = 4250,
    width: bytes = varint(768),
    height: bytes = varint(512),
) -> bytes:
    """A header's bytes, written by hand, with a valid checksum."""
    data = b"\x89GNC" + bytes([version, scheme_flags]) + quality.to_bytes(2, "little")
    data += bytes(range(8)) + width + height
    return data + (zlib.crc32(data) & 0xFFFF).to_bytes(2, "little")
