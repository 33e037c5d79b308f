"""Payloads of ``graphics`` that are damaged or made to harm: one sentence, and no memory taken."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from gencodec.codec import api, container
from gencodec.codec.container import Chunk, ChunkType
from gencodec.codec.errors import FormatError, ModelError
from gencodec.codec.schemes.graphics.tile import decode_tile
from helpers import pictures

SIZE = 50, 40
PICTURE = pictures.drawing(*SIZE)
IMAGE = Image.fromarray(PICTURE)


def saved(image: Image.Image, format_: str, **options) -> bytes:
    return pictures.saved(image, format_, **options).getvalue()


def checked(payload: bytes, pixels: NDArray[np.uint8]) -> bytes:
    """A segment whose check is right."""
    return (zlib.crc32(pixels.tobytes()) & 0xFFFF).to_bytes(2, "little") + payload


TEXT = PngImagePlugin.PngInfo()
TEXT.add_text("Comment", "not a pixel")
LOSSLESS = {"lossless": True, "exact": True}
WEBP = saved(IMAGE, "WEBP", **LOSSLESS)
PNG = saved(IMAGE, "PNG")


def with_chunk(png: bytes, type_: bytes, body: bytes, before: bytes = b"IDAT") -> bytes:
    place = png.index(before) - 4
    crc = struct.pack(">I", zlib.crc32(type_ + body))
    return png[:place] + struct.pack(">I", len(body)) + type_ + body + crc + png[place:]


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8l(width: int, height: int, bits: int = 0, rest: bytes = bytes(40)) -> bytes:
    head = (width - 1) | (height - 1) << 14 | bits << 28
    body = b"\x2f" + head.to_bytes(4, "little") + rest
    return b"VP8L" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def interlaced() -> bytes:
    header = struct.pack(">IIBBBBB", *SIZE, 8, 2, 0, 0, 1)
    return PNG[:8] + with_chunk(PNG[8:], b"IHDR", header, b"IHDR").replace(
        PNG[8:33], b"", 1
    )  # the first IHDR alone stays


HOSTILE = {
    "empty": (b"", "neither WebP nor PNG"),
    "text": (b"a picture", "neither WebP nor PNG"),
    "JPEG": (saved(IMAGE, "JPEG"), "neither WebP nor PNG"),
    "lossy WebP": (saved(IMAGE, "WEBP"), "WebP of an unknown kind"),
    "animated WebP": (
        saved(IMAGE, "WEBP", save_all=True, append_images=[IMAGE.rotate(90)], **LOSSLESS),
        "WebP of an unknown kind",
    ),
    "WebP with EXIF": (saved(IMAGE, "WEBP", exif=b"Exif\0\0MM", **LOSSLESS), "unknown kind"),
    "WebP with a profile": (saved(IMAGE, "WEBP", icc_profile=b"p", **LOSSLESS), "unknown kind"),
    "WebP with a chunk behind": (riff(WEBP[12:], b"EXIF\4\0\0\0abcd"), "holds more than a picture"),
    "WebP with bytes behind": (WEBP + b"\0\0", "holds more than a picture"),
    "WebP with two pictures": (riff(WEBP[12:], WEBP[12:]), "holds more than a picture"),
    "WebP with alpha": (riff(vp8l(*SIZE, 1)), "transparency"),
    "WebP of a later version": (riff(vp8l(*SIZE, 4)), "later version"),
    "WebP of another size": (
        saved(Image.new("RGB", (51, 40)), "WEBP", **LOSSLESS),
        "51 x 40 pixels instead of 50 x 40",
    ),
    "WebP that claims 268 megapixels": (riff(vp8l(16384, 16384)), "16384 x 16384 pixels instead"),
    "WebP of no codes": (riff(vp8l(*SIZE)), "damaged"),
    "WebP cut off": (WEBP[:-20], "cut off"),
    "WebP cut off in its head": (WEBP[:20], "unknown kind"),
    "PNG of another size": (saved(Image.new("RGB", (50, 41)), "PNG"), "50 x 41 pixels instead"),
    "PNG with text": (saved(IMAGE, "PNG", pnginfo=TEXT), "holds more than a picture"),
    "animated PNG": (
        saved(IMAGE, "PNG", save_all=True, append_images=[IMAGE.rotate(90)]),
        "holds more than a picture",
    ),
    "PNG with transparency": (saved(IMAGE, "PNG", transparency=(0, 0, 0)), "more than a picture"),
    "PNG with alpha": (saved(IMAGE.convert("RGBA"), "PNG"), "PNG of an unknown kind"),
    "PNG of 16 bits": (saved(Image.new("I;16", SIZE), "PNG"), "PNG of an unknown kind"),
    "interlaced PNG": (interlaced(), "PNG of an unknown kind"),
    "PNG with an unknown chunk": (with_chunk(PNG, b"abCd", b"x"), "holds more than a picture"),
    "PNG that ends twice": (PNG + PNG[-12:], "holds more than a picture"),
    "PNG with bytes behind": (PNG + b"more", "damaged"),
    "PNG cut off": (PNG[:-30], "cut off"),
    "PNG without pixels": (PNG[: PNG.index(b"IDAT") - 4] + PNG[-12:], "cut off"),
    "PNG with a huge chunk": (PNG[:33] + b"\xff\xff\xff\xffIDAT", "cut off"),
    "PNG that claims 4 gigapixels": (
        saved(Image.new("1", (65535, 1)), "PNG").replace(b"\0\0\0\1\1\0", b"\0\0\xff\xff\1\0", 1),
        "damaged",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_payloads(name: str) -> None:
    payload, message = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            decode_tile(checked(payload, PICTURE), SIZE[1], SIZE[0])
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_other_pixels_under_a_right_container() -> None:
    """What decodes well but is not the picture that was checked."""
    header, _, _ = container.read(api.compress(PICTURE, "graphics"))
    other = saved(Image.fromarray(PICTURE[::-1]), "WEBP", **LOSSLESS)
    data = container.write(header, [Chunk(ChunkType.SEGMENT, checked(other, PICTURE))])
    for read in (api.decompress, api.verify):
        with pytest.raises(FormatError, match="not those that were written"):
            read(data)


def test_damage_at_every_place_of_a_payload() -> None:
    """An error each time or the same pixels: never others, never another exception."""
    rng = np.random.default_rng(1)
    for payload in (WEBP, PNG):
        data = checked(payload, PICTURE)
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= int(rng.integers(1, 256))
            try:
                decoded = decode_tile(bytes(changed), 40, 50)
            except FormatError:
                continue
            assert np.array_equal(decoded, PICTURE)
        for length in range(0, len(data), 7):
            with pytest.raises(FormatError):
                decode_tile(data[:length], 40, 50)


def test_a_file_of_a_later_version_is_refused() -> None:
    header, _, segments = container.read(api.compress(PICTURE, "graphics"))
    later = container.Header(4, header.flags, header.quality, b"12345678", *SIZE)
    data = container.write(later, [Chunk(ChunkType.SEGMENT, segments[0])])
    assert not api.info(data).known
    with pytest.raises(ModelError, match="install a newer gencodec"):
        api.decompress(data)
