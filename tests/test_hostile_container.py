"""Files that are damaged, cut off or made to harm: one sentence, and no memory taken."""

import random
import tracemalloc
from dataclasses import replace

import pytest

from gencodec.codec import container
from gencodec.codec.errors import FormatError
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


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"\x89", "cut off after 1 bytes"),
        (b"\x89GNC", "cut off after 4 bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), r"not a \.gnc file"),
        (b"\xff\xd8\xff\xe0", r"not a \.gnc file"),
        (b"\x89GNC\xff", "container version 255"),
        (head(version=2) + DATA[HEADER_SIZE:], "needs a newer gencodec"),
        (head(version=0) + DATA[HEADER_SIZE:], "version 0, of gencodec before 1.0"),
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
        (head() + chunk(SEGMENT, b"") + chunk(17, b""), "segments of several codecs"),
        (head() + chunk(18, b"") + chunk(SEGMENT, b""), "parts of rising quality"),
        (head() + chunk(19, b"") + chunk(SEGMENT, b""), "several pictures"),
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
