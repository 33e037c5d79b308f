"""The file format: every law of the specification in `container`, and hostile files."""

import itertools
import random
import tracemalloc
import zlib
from dataclasses import replace

import pytest

from gencodec.codec import container
from gencodec.codec.container import Chunk, ChunkType, Flag, Header
from gencodec.codec.errors import FormatError, InputError

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
    version: int = 0,
    scheme_flags: int = 0x11,
    quality: int = 4250,
    width: bytes = varint(768),
    height: bytes = varint(512),
) -> bytes:
    """A header's bytes, written by hand, with a valid checksum."""
    data = b"\x89GNC" + bytes([version, scheme_flags]) + quality.to_bytes(2, "little")
    data += bytes(range(8)) + width + height
    return data + (zlib.crc32(data) & 0xFFFF).to_bytes(2, "little")


# --- what is written is read ----------------------------------------------------------------------


def test_bytes_are_those_of_the_specification():
    assert head() + b"".join(chunk(c.type, c.payload) for c in CHUNKS) == DATA
    assert len(head()) == HEADER_SIZE


def test_read_returns_what_was_written():
    assert container.read(DATA) == WHOLE
    assert container.read(bytearray(DATA)) == WHOLE  # pyright: ignore[reportArgumentType]
    assert container.read_header(DATA) == HEADER
    assert container.read_header(DATA[:HEADER_SIZE]) == HEADER


@pytest.mark.parametrize("scheme", [0, 15])
@pytest.mark.parametrize("flags", range(8))
@pytest.mark.parametrize("quality", [0, 1, 10_000])
@pytest.mark.parametrize("size", [(1, 1), (127, 128), (16383, 16384), (2**20, 2**10), (1, 2**20)])
def test_every_header_comes_back(scheme, flags, quality, size):
    header = Header(scheme, flags, quality, b"\xff" * 8, *size)
    data = container.write(header, [Chunk(SEGMENT, b"")])
    assert container.read(data) == (header, {}, [b""])
    assert container.read_header(data[: container.HEADER_BYTES]) == header
    assert (header.grey, header.lossless, header.stable) == tuple(
        bool(flags & bit) for bit in (1, 2, 4)
    )


def test_chunks_may_be_given_in_any_order():
    for order in itertools.permutations(CHUNKS[:5]):
        assert container.write(HEADER, [*order, *CHUNKS[5:]]) == DATA


def test_segments_not_asked_for_are_neither_returned_nor_checked():
    damaged = bytearray(DATA)
    damaged[DATA.index(b"first")] ^= 1
    assert container.read(bytes(damaged), segments=[2])[2] == [b"", b"", bytes(200)]
    assert container.read(bytes(damaged), segments=())[1] == WHOLE[1]
    with pytest.raises(FormatError, match="checksum of its segment 0"):
        container.read(bytes(damaged), segments=[0])


def test_metadata_is_checked_whatever_segments_are_asked_for():
    damaged = DATA.replace(b"profile", b"profilo")
    with pytest.raises(FormatError, match="checksum of its ICC profile"):
        container.read(damaged, segments=())


@pytest.mark.parametrize("type_", [32, 63])
def test_extensions_are_skipped(type_):
    data = container.write(HEADER, [*CHUNKS, Chunk(type_, b"later"), Chunk(type_, b"and again")])
    assert container.read(data) == WHOLE
    assert container.read(head() + chunk(type_, b"") + DATA[HEADER_SIZE:]) == WHOLE


def test_an_extension_is_checked_like_any_chunk():
    bad = bytearray(chunk(40, b"later"))
    bad[3] ^= 4
    with pytest.raises(FormatError, match="checksum of its extension 40"):
        container.read(head() + bytes(bad) + chunk(SEGMENT, b""))


def test_overhead_of_a_plain_photo_is_at_most_32_bytes():
    for width, height, size in ((768, 512, 20_000), (8000, 6000, 2_000_000), (16383, 16383, 10)):
        data = container.write(replace(HEADER, width=width, height=height), [Chunk(SEGMENT, b"")])
        assert len(data) - 1 + len(varint(size)) <= 31


def test_sniff():
    assert container.sniff(DATA)
    assert container.sniff(DATA[:4])
    assert not container.sniff(DATA[:3])
    assert not container.sniff(b"")
    assert not container.sniff(b"\x89PNG\r\n\x1a\n")


def test_describe_names_every_field_in_file_order():
    assert container.describe(replace(HEADER, flags=5)) == [
        ("version", "0 (promises nothing yet)"),
        ("scheme", "1"),
        ("flags", "grey, stable"),
        ("quality", "42.5"),
        ("decoder", "0001020304050607"),
        ("width", "768"),
        ("height", "512"),
    ]
    assert container.describe(replace(HEADER, flags=0))[2] == ("flags", "none")


# --- what must not be written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 1),
        ("scheme", 16),
        ("scheme", -1),
        ("flags", 8),
        ("quality", 10_001),
        ("quality", -1),
        ("quality", 50.5),
        ("decoder", bytes(7)),
        ("decoder", 5),
        ("width", 0),
        ("width", 2**20 + 1),
        ("height", 0),
        ("height", None),
    ],
)
def test_writing_a_field_out_of_range_names_it(field, value):
    with pytest.raises(InputError, match=f"header's {field}"):
        container.write(replace(HEADER, **{field: value}), CHUNKS)


def test_writing_too_many_pixels():
    container.check_size(2**20, 2**10)
    for size in ((2**20, 1025), (0, 1), (1, 0), (2**20 + 1, 1), (1, 2**20 + 1)):
        with pytest.raises(InputError, match=f"{size[0]} x {size[1]} pixels"):
            container.check_size(*size)
    with pytest.raises(InputError, match="1048576 x 1025 pixels"):
        container.write(replace(HEADER, width=2**20, height=1025), CHUNKS)


@pytest.mark.parametrize("type_", [ICC, EXIF, XMP, ALPHA])
def test_writing_a_chunk_twice(type_):
    with pytest.raises(InputError, match="at most one"):
        container.write(HEADER, [*CHUNKS, Chunk(type_, b"")])


@pytest.mark.parametrize("type_", [0, 5, 15, 17, 31, 64, 255, 256, -1])
def test_writing_an_unknown_chunk(type_):
    with pytest.raises(InputError, match=f"no chunk of type {type_}"):
        container.write(HEADER, [*CHUNKS, Chunk(type_, b"")])


@pytest.mark.parametrize("chunks", [[], CHUNKS[:4], [Chunk(40, b"")]])
def test_writing_without_a_segment(chunks):
    with pytest.raises(InputError, match="at least one segment"):
        container.write(HEADER, chunks)


@pytest.mark.parametrize("type_", [ICC, EXIF, XMP, 40])
def test_writing_metadata_over_the_limit(type_):
    at_limit = bytes(container.MAX_METADATA)
    segment = Chunk(SEGMENT, b"")
    data = container.write(HEADER, [Chunk(type_, at_limit), segment])
    assert container.read(data)[1] in ({}, {type_: at_limit})
    with pytest.raises(InputError, match="leave it out"):
        container.write(HEADER, [Chunk(type_, at_limit + b"x"), segment])


def test_chunk_count_limit_when_writing_and_reading():
    segments = [Chunk(SEGMENT, b"")] * container.MAX_CHUNKS
    data = container.write(HEADER, segments)
    assert len(container.read(data)[2]) == container.MAX_CHUNKS
    with pytest.raises(InputError, match="65537 chunks"):
        container.write(HEADER, [*segments, segments[0]])
    with pytest.raises(FormatError, match="more than 65536 chunks"):
        container.read(data + chunk(SEGMENT, b""))


# --- hostile files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"\x89", "cut off after 1 bytes"),
        (b"\x89GNC", "cut off after 4 bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), r"not a \.gnc file"),
        (b"\xff\xd8\xff\xe0", r"not a \.gnc file"),
        (b"\x89GNC\xff", "container version 255"),
        (head(version=1) + DATA[HEADER_SIZE:], "needs a newer gencodec"),
        (head(scheme_flags=0x81), "header's flags"),
        (head(quality=10_001), "header's quality"),
        (head(width=varint(0)), "header's width"),
        (head(height=varint(2**20 + 1)), "header's height"),
        (head(width=varint(2**35 - 1)), "header's width"),
        (head(width=varint(2**20), height=varint(2**20)), "1048576 x 1048576 pixels"),
        (head(width=b"\x80\x80\x80\x80\x80\x01"), "malformed"),  # six bytes
        (head(width=b"\xff\xff\xff\xff\xff"), "malformed"),  # does not end
        (head(width=b"\x81\x00"), "malformed"),  # longer than needed
        (head(), "cut off after 22 bytes"),
        (head() + chunk(ICC, b"icc"), "cut off"),
        (head() + chunk(40, b""), "cut off"),
        (head() + chunk(0, b""), "unknown type 0"),
        (head() + chunk(5, b"") + chunk(SEGMENT, b""), "unknown type 5"),
        (head() + chunk(31, b"") + chunk(SEGMENT, b""), "unknown type 31"),
        (head() + chunk(64, b"") + chunk(SEGMENT, b""), "unknown type 64"),
        (head() + chunk(EXIF, b"") * 2 + chunk(SEGMENT, b""), "its EXIF more than once"),
        (head() + chunk(XMP, b"") + chunk(EXIF, b"") + chunk(SEGMENT, b""), "EXIF out of order"),
        (
            head() + chunk(EXIF, b"") + chunk(40, b"") + chunk(EXIF, b"") + chunk(SEGMENT, b""),
            "its EXIF more than once",
        ),
        (head() + chunk(SEGMENT, b"") + chunk(ICC, b""), "Bytes follow the last segment"),
        (head() + chunk(SEGMENT, b"") + chunk(40, b""), "Bytes follow the last segment"),
        (DATA + b"\0", "Bytes follow the last segment"),
        (DATA + b"\x10", "cut off"),
        (head() + chunk(SEGMENT, b"", length=b"\x80\x00"), "malformed"),
        (head() + chunk(SEGMENT, b"", length=b"\xff" * 9), "malformed"),
        (head() + chunk(SEGMENT, b"", length=varint(2**30)), "cut off"),
        (head() + chunk(SEGMENT, b"", length=varint(2**30 + 1)), "more than the 1073741824"),
        (head() + chunk(ALPHA, b"", length=varint(2**35 - 1)), "alpha claims 34359738367 bytes"),
        (head() + chunk(ICC, b"", length=varint(2**24 + 1)), "more than the 16777216 allowed"),
        (head() + chunk(40, b"", length=varint(2**24 + 1)), "more than the 16777216 allowed"),
    ],
)
def test_broken_files(data, message):
    with pytest.raises(FormatError, match=message):
        container.read(data)


def test_truncated_at_every_length():
    first_segment = DATA.index(b"\x10\x05first")
    for length in range(len(DATA)):
        try:
            header, metadata, segments = container.read(DATA[:length])
        except FormatError:
            continue
        # Cut between two segments: only the scheme can know, by the number that is left.
        assert length > first_segment
        assert (header, metadata) == WHOLE[:2]
        assert segments in ([b"first"], [b"first", b""])
    for length in range(HEADER_SIZE):
        with pytest.raises(FormatError):
            container.read_header(DATA[:length])


def test_each_byte_changed_to_each_value():
    for position in range(len(DATA)):
        changed = bytearray(DATA)
        for value in range(256):
            if value != DATA[position]:
                changed[position] = value
                with pytest.raises(FormatError):
                    container.read(bytes(changed))


@pytest.mark.parametrize(
    "sides",
    [(1, 1), (200, 20_000), (20_000, 200), (20_000, 20_000), (2**20, 1), (1, 200), (2**20, 2**10)],
)
def test_header_checksum_finds_each_changed_byte_at_every_header_length(sides):
    data = container.write(replace(HEADER, width=sides[0], height=sides[1]), CHUNKS)
    size = HEADER_SIZE - 4 + sum(len(varint(side)) for side in sides)
    for position in range(size):
        for value in {0, 1, 0x7F, 0x80, 0xFF, data[position] ^ 0x10} - {data[position]}:
            changed = data[:position] + bytes([value]) + data[position + 1 : size]
            with pytest.raises(FormatError):
                container.read_header(changed)


def test_random_damage_gives_our_errors_or_the_same_content():
    """Bytes replaced, removed, inserted and repeated: never another exception."""
    rng = random.Random(0)
    for _ in range(3000):
        data = bytearray(DATA)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at : at + rng.randint(1, 8)]
            elif kind == 2:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            else:
                data[at:at] = data[at : at + rng.randint(1, 40)]
        try:
            result = container.read(bytes(data))
        except FormatError:
            continue
        # What is read was written: at most, whole segments are gone or there twice.
        assert result[:2] == WHOLE[:2]
        assert set(result[2]) <= set(WHOLE[2])


def test_absurd_lengths_allocate_nothing():
    bombs = [
        head() + chunk(type_, b"", length=varint(length))
        for type_ in (ICC, ALPHA, SEGMENT, 40)
        for length in (2**24, 2**30, 2**35 - 1)
    ]
    tracemalloc.start()
    try:
        for bomb in bombs:
            with pytest.raises(FormatError):
                container.read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
