"""The file format: every law of the specification in `container`."""

import itertools
from dataclasses import replace

import pytest

from gencodec.codec import container
from gencodec.codec.container import Chunk, Header
from gencodec.codec.errors import FormatError, InputError
from helpers.hand_made_gnc import (
    ALPHA,
    CHUNKS,
    DATA,
    EXIF,
    HEADER,
    HEADER_SIZE,
    ICC,
    SEGMENT,
    WHOLE,
    XMP,
    chunk,
    head,
    varint,
)

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


def test_describe_names_every_field_in_file_order():
    assert container.describe(replace(HEADER, flags=5)) == [
        ("version", "1 (every later gencodec reads it)"),
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
        ("version", 0),
        ("version", 2),
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
