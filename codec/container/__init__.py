r"""The ``.gnc`` file: the only room that knows its bytes, and the specification of the format.

Extension ``.gnc``, MIME type ``image/x-gencodec``.  This is container version 1.  A file of version
1 is read by every later release: to the same symbols and, if its scheme is ``flow`` or
``graphics``, to the same pixels; in those of the others a sample differs by one level at most.
Version 0 was that of development, and MUST be refused.

Integers are little-endian.  A *varint* holds 7 bits a byte, lowest first; the top bit of a byte
says that another follows.  It MUST be as short as its value allows and at most 5 bytes long.
"CRC" is CRC-32 as in zlib.

A file is a magic number, a header, a checksum of both, and chunks up to the end:

| bytes        | what                                                                           |
|--------------|--------------------------------------------------------------------------------|
| 4            | magic ``89 47 4E 43`` (``\x89GNC``)                                              |
| 1            | `version`, 1                                                                   |
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
| 17     | reserved: a segment of another scheme than the header's          |        |        |
| 18     | reserved: a part that refines a segment before it                |        |        |
| 19     | reserved: what begins a further picture of an animation          |        |        |
| 33     | resolution in 1/1000 dots an inch, across and down: 4 bytes each | 0..1   | 8      |
| 32..63 | for later extensions, not needed to decode: a reader MAY skip it | 0..    | 16 MiB |

There MUST be at most 2^16 chunks, and a length MUST NOT be over the one in the table (in bytes).
Chunks 1 to 4 MUST come in ascending order, 32..63 anywhere among or after them, and the segments
MUST come last, in raster order, so that every truncation loses one.  The scheme knows how many
segments a picture needs and MUST check their number.  A reader MUST refuse any other type, the
reserved ones too, a wrong CRC in a chunk it uses, and bytes that follow the last segment.  It MUST
check lengths and limits before it allocates anything for them.

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

from collections.abc import Container, Iterable
from typing import IO

from .chunks import (
    CHUNKS,
    EXIF_PREFIX,
    MAX_CHUNKS,
    MAX_METADATA,
    MAX_PAYLOAD,
    RESOLUTION,
    SEGMENT,
    Chunk,
    ChunkType,
    read_chunks,
    read_metadata_chunks,
    write_chunks,
)
from .file_view import FileView
from .header import (
    FIELDS,
    HEADER_BYTES,
    MAGIC,
    MAX_PIXELS,
    MAX_SIDE,
    VERSION,
    Field,
    Flag,
    Header,
    check_size,
    describe,
    parse_header,
    read_header,
    write_header,
)

__all__ = [
    "CHUNKS",
    "EXIF_PREFIX",
    "FIELDS",
    "HEADER_BYTES",
    "MAGIC",
    "MAX_CHUNKS",
    "MAX_METADATA",
    "MAX_PAYLOAD",
    "MAX_PIXELS",
    "MAX_SIDE",
    "RESOLUTION",
    "SEGMENT",
    "VERSION",
    "Chunk",
    "ChunkType",
    "Field",
    "Flag",
    "Header",
    "check_size",
    "describe",
    "read",
    "read_header",
    "read_metadata",
    "write",
]


def write(header: Header, chunks: Iterable[Chunk]) -> bytes:
    """The bytes of a file.

    Arguments:
        header: every field in its range.
        chunks: at least one SEGMENT, each metadata type at most once; they are put in file order,
            segments keep theirs.

    Raises:
        InputError: a field or a payload over its limit, a chunk twice, no segment.
    """
    return b"".join([write_header(header), *write_chunks(chunks)])


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
    header, position = parse_header(view)
    metadata, payloads = read_chunks(view, position, segments)
    return header, metadata, payloads


def read_metadata(file: IO[bytes]) -> tuple[Header, dict[int, bytes]]:
    """Header and metadata of an open file, as far as they stand before its first segment.

    Little is read, however large the file: the alpha plane and the segments are not. The file must
    be able to seek; it is looked at from its first byte.

    Returns:
        The header and the metadata payloads by type, ``b""`` for that of an alpha plane.

    Raises:
        FormatError: as `read`, of what was looked at.
    """
    view = FileView(file)
    header, position = parse_header(view)
    return header, read_metadata_chunks(view, position)
