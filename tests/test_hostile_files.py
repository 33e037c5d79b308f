"""Whole files that are damaged, or made to harm: errors of gencodec, little memory, little time."""

import io
import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from PIL import Image, PngImagePlugin

import gencodec
from gencodec.codec import api, container
from gencodec.codec.container import Chunk, ChunkType, Header
from gencodec.codec.errors import FormatError, GencodecError
from helpers import mutations, pictures
from helpers.hand_made_gnc import ALPHA, SEGMENT, chunk, head, varint

WIDTH, HEIGHT = 60, 44
DATA = api.compress(pictures.drawing(WIDTH, HEIGHT), "graphics")
HEADER, _, (PAYLOAD,) = container.read(DATA)
HEAD = container.write(HEADER, [Chunk(SEGMENT, b"")])[:-6]  # without the chunk
MEGABYTES = 1 << 20
each_codec = pytest.mark.parametrize("codec", api.CODECS)
LOOKS: list[Callable[[bytes], object]] = [
    api.info,
    api.verify,
    api.decompress,
    lambda data: container.read_metadata(io.BytesIO(data)),
]


def refused(data: bytes, message: str, looks: list[Callable[[bytes], object]] = LOOKS) -> None:
    """Every look is an error of gencodec, at once and without memory for what the file claims."""
    for look in looks:
        start = time.perf_counter()
        with pytest.raises(FormatError, match=message):
            look(data)  # and imports what takes memory at the first time
        assert time.perf_counter() - start < 10
        tracemalloc.start()
        try:
            with pytest.raises(FormatError, match=message):
                look(data)
            assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTES + 4 * len(data)
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("side", [2**20 + 1, 2**31 - 1, 2**31, 2**32, 2**35 - 1])
def test_sides_that_no_file_has(side: int) -> None:
    segment = chunk(SEGMENT, bytes(100))
    refused(head(width=varint(side)) + segment, f"width .* is {side}, not a whole number")
    refused(head(height=varint(side)) + segment, f"height .* is {side}, not a whole number")


@each_codec
@pytest.mark.parametrize("size", [(2**20, 2**10), (2**15, 2**15), (14_143, 14_143)])
def test_sizes_that_are_not_opened(codec: str, size: tuple[int, int]) -> None:
    header = container.read_header(mutations.seeds(codec)[0][0])
    huge = Header(header.scheme, header.flags, header.quality, header.decoder, *size)
    data = container.write(huge, [Chunk(SEGMENT, bytes(100))])
    refused(data, "more than the 200,000,000 that are opened", [api.decompress, api.verify])


@each_codec
def test_a_large_size_with_few_segments_takes_no_memory(codec: str) -> None:
    files, model = mutations.seeds(codec)
    header = container.read_header(files[0])
    large = Header(header.scheme, header.flags, header.quality, header.decoder, 14_000, 14_000)
    data = container.write(large, [Chunk(SEGMENT, bytes(100))])
    looks = [lambda d: api.decompress(d, model=model), lambda d: api.verify(d, model=model)]
    refused(data, "it holds 1 segments where a picture of 14000x14000 has", looks)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (bytes([SEGMENT]) + varint(2**30), "cut off"),
        (bytes([SEGMENT]) + varint(2**31), "more than the 1073741824 allowed"),
        (bytes([ChunkType.EXIF]) + varint(2**24) + bytes(99), "cut off"),
        (bytes([ALPHA]) + varint(len(PAYLOAD) + 7) + chunk(SEGMENT, PAYLOAD), "cut off"),
    ],
)
def test_chunks_that_reach_beyond_the_file(rest: bytes, message: str) -> None:
    refused(HEAD + rest, message)


def test_chunks_that_overlap() -> None:
    """One claims the bytes of the next as well; where it ends, the checksum is another."""
    first, second = chunk(SEGMENT, b"first"), chunk(SEGMENT, PAYLOAD)
    for more in range(1, len(second)):
        claimed = varint(5 + more)
        data = HEAD + first[:1] + claimed + first[2:] + second
        with pytest.raises(FormatError):
            api.decompress(data)
    for fewer in range(5):
        with pytest.raises(FormatError):
            api.decompress(HEAD + first[:1] + varint(fewer) + first[2:] + second)


def test_thousands_of_chunks() -> None:
    tail = chunk(SEGMENT, PAYLOAD)
    many = HEAD + chunk(40, b"") * (2**16 - 1) + tail
    for look in LOOKS:
        start = time.perf_counter()
        look(many)
        assert time.perf_counter() - start < 10
    with pytest.raises(FormatError, match="more than 65536 chunks"):
        api.decompress(HEAD + chunk(40, b"") * 2**16 + tail)
    with pytest.raises(FormatError, match="65536 segments where a picture of 60x44 has 1"):
        api.decompress(HEAD + chunk(SEGMENT, b"") * 2**16)


# --- alpha ----------------------------------------------------------------------------------------


def png(
    width: int, height: int, deflated: bytes, extra: bytes = b"", interlaced: bool = False
) -> bytes:
    """A grey PNG file, made by hand."""

    def part(type_: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(body, zlib.crc32(type_))
        return struct.pack(">I", len(body)) + type_ + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced)
    end = part(b"IDAT", deflated) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + extra + end


def endless(megabytes: int) -> bytes:
    """Deflated zeros, a thousandth of their length."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MEGABYTES)) for _ in range(megabytes)) + packer.flush()


def text_bomb() -> bytes:
    body = b"Comment\0\0" + endless(200)
    crc = zlib.crc32(body, zlib.crc32(b"zTXt"))
    return struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", crc)


def saved(image: Image.Image, format_: str, **options: bool) -> bytes:
    return pictures.saved(image, format_, **options).getvalue()


ROWS = zlib.compress(bytes((WIDTH + 1) * HEIGHT))
ALPHAS = {
    "another size": (png(WIDTH + 1, HEIGHT, ROWS), "61 x 44 pixels instead of 60 x 44"),
    "4 gigapixels": (png(2**16, 2**16, ROWS), "65536 x 65536 pixels instead"),
    "2^31 a side": (png(2**31 - 1, 1, ROWS), "alpha plane"),
    "too few rows": (
        png(WIDTH, HEIGHT, zlib.compress(bytes(61 * 9))),
        "not the rows that it must have",
    ),
    "rows without end": (png(WIDTH, HEIGHT, endless(200)), "not the rows that it must have"),
    "a row too many": (png(WIDTH, HEIGHT, zlib.compress(bytes(61 * 45))), "not the rows"),
    "rows cut off": (png(WIDTH, HEIGHT, ROWS[:-4]), "alpha plane is damaged"),
    "interlaced": (png(WIDTH, HEIGHT, ROWS, interlaced=True), "alpha plane is damaged"),
    "text without end": (png(WIDTH, HEIGHT, ROWS, text_bomb()), "alpha plane is damaged"),
    "colours": (saved(Image.new("RGB", (WIDTH, HEIGHT)), "PNG"), "mode RGB instead of L"),
    "WebP of another size": (
        saved(Image.new("L", (WIDTH, 1)), "WEBP", lossless=True),
        "60 x 1 pixels instead of 60 x 44",
    ),
    "lossy WebP": (saved(Image.new("L", (WIDTH, HEIGHT)), "WEBP"), "WebP of an unknown kind"),
    "nothing": (b"", "alpha plane is damaged"),
}


@pytest.mark.parametrize("name", ALPHAS)
def test_hostile_alpha(name: str) -> None:
    payload, message = ALPHAS[name]
    data = container.write(HEADER, [Chunk(ALPHA, payload), Chunk(SEGMENT, PAYLOAD)])
    refused(data, message, [api.decompress, api.verify])
    assert api.info(data).alpha  # which looks no further


def test_metadata_without_sense_is_handed_on() -> None:
    """gencodec carries ICC profile, EXIF and XMP; what is in them is for who reads them."""
    chunks = [
        Chunk(type_, b"\xff" * 99) for type_ in (ChunkType.ICC, ChunkType.EXIF, ChunkType.XMP)
    ]
    image = api.decompress(container.write(HEADER, [*chunks, Chunk(SEGMENT, PAYLOAD)]))
    assert image.info["icc_profile"] == image.info["xmp"] == b"\xff" * 99
    assert PngImagePlugin.MAX_TEXT_CHUNK <= MEGABYTES  # the guard that text_bomb meets


# --- damage ---------------------------------------------------------------------------------------


@each_codec
@pytest.mark.parametrize("damage", [mutations.truncated, mutations.flipped])
def test_damaged_files_are_errors(
    codec: str, damage: Callable[[bytes, random.Random], bytes]
) -> None:
    """``benchmarks/fuzz.py --damaged 2000`` reads more of them."""
    files, model = mutations.seeds(codec)
    rng = random.Random(7)
    for number in range(60):
        data = damage(files[number % len(files)], rng)
        for look in (
            lambda d: api.decompress(d, model=model),
            lambda d: api.verify(d, model=model),
        ):
            with pytest.raises(GencodecError):
                look(data)
        for look in (api.info, LOOKS[-1]):  # which need not see all
            with suppress(GencodecError):
                look(data)


@each_codec
def test_forged_files_are_errors_or_pictures(codec: str) -> None:
    """Wrong inside, with every checksum made right: never another exception."""
    files, model = mutations.seeds(codec)
    rng, outcomes = random.Random(3), set()
    for number in range(60):
        data = mutations.forged(files[number % len(files)], rng)
        with suppress(GencodecError):
            api.info(data)
        try:
            image = api.decompress(data, threads=1, model=model)
        except gencodec.GencodecError:
            outcomes.add("refused")
        else:
            outcomes.add("read")
            assert image.size == (
                container.read_header(data).width,
                container.read_header(data).height,
            )
    assert "refused" in outcomes
