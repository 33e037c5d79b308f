"""The alpha plane: kept exactly by a coder that exists already, and the colour that it hides.

What `encode_alpha` makes is the payload of a container's alpha chunk:

| payload               | what                                                                   |
|-----------------------|------------------------------------------------------------------------|
| 1 byte                | every pixel has this alpha                                             |
| begins with ``RIFF``  | a WebP file of one ``VP8L`` chunk first; the plane is its green channel |
| begins with ``\\x89PNG`` | a PNG file of 8-bit (or shallower) grey, not interlaced              |

Its size MUST be that of the picture, and a reader MUST check that before it decodes.

Example:
    >>> plane = np.arange(12, dtype=np.uint8).reshape(3, 4)
    >>> bool((decode_alpha(encode_alpha(plane), 4, 3) == plane).all())
    True
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ..errors import FormatError

__all__ = ["decode_alpha", "encode_alpha", "fill_hidden"]

Bytes = NDArray[np.uint8]

BLUR = 1  # pixels around, at every scale
STEP = 1 << 20  # bytes that are inflated at a time
WEBP_MAX_SIDE = 16383
# Well under what Pillow opens as WebP; larger ones are PNG, which comes without such a guard.
WEBP_MAX_PIXELS = 1 << 26


def encode_alpha(alpha: Bytes) -> bytes:
    """A plane ``(H, W)`` of uint8 without loss: the smaller of WebP and PNG, or one byte."""
    if alpha.min() == alpha.max():
        return bytes([alpha.flat[0]])
    image = Image.fromarray(alpha)
    coded = _save(image, "PNG", optimize=True)
    if max(image.size) <= WEBP_MAX_SIDE and alpha.size <= WEBP_MAX_PIXELS:
        # Imported by name: for a format it has not met, Pillow would import all its plugins.
        from PIL import WebPImagePlugin

        if WebPImagePlugin.SUPPORTED:
            webp = _save(image, "WEBP", lossless=True, exact=True, quality=75, method=4)
            coded = min(coded, webp, key=len)
    return coded


def decode_alpha(data: bytes, width: int, height: int) -> Bytes:
    """The plane ``(height, width)`` of uint8 that `encode_alpha` was given; it may be read-only.

    Raises:
        FormatError: damaged, of another size, or WebP in a Pillow without it.
    """
    if len(data) == 1:
        # Takes no memory, so that a file of 30 bytes cannot ask for a gigabyte.
        return np.broadcast_to(np.uint8(data[0]), (height, width))
    try:
        if data.startswith(b"RIFF"):
            return _decode_webp(data, (width, height))
        return _decode_png(data, (width, height))
    except FormatError:
        raise
    except MemoryError as error:
        raise FormatError("The file's alpha plane does not fit into memory.") from error
    except Exception as error:  # Pillow raises nearly anything for a hostile file
        raise FormatError(
            f"The file's alpha plane is damaged ({error}); copy or download the file again."
        ) from error


def fill_hidden(rgb: Bytes, alpha: Bytes) -> Bytes:
    """``(H, W, 3)`` with a smooth continuation of the visible colours where alpha is 0.

    Averages of what is visible are taken at ever coarser scales and filled in from the coarsest
    up, so that no edge is left to code (Gortler et al. 1996, "The Lumigraph", "pull-push").  All in
    integers, the same everywhere; `rgb` itself is left alone.

    >>> rgb = np.array([[[9, 9, 9], [200, 0, 0]]], np.uint8)
    >>> fill_hidden(rgb, np.array([[255, 0]], np.uint8))[0, 1]
    array([9, 9, 9], dtype=uint8)
    """
    visible = alpha > 0
    if visible.all():
        return rgb
    if not visible.any():
        return np.full_like(rgb, 128)
    return _fill(rgb, visible)


def _fill(rgb: Bytes, visible: NDArray[np.bool_]) -> Bytes:
    """There must be a visible pixel."""
    coarse, coarse_visible = _halve(rgb, visible)
    if not coarse_visible.all():
        coarse = _fill(coarse, coarse_visible)
    height, width = coarse.shape[:2]
    # Blurred, or the texture at the border would go on into what is hidden.
    image = Image.fromarray(coarse).filter(ImageFilter.BoxBlur(BLUR))
    image = image.resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    smooth = np.asarray(image)[: rgb.shape[0], : rgb.shape[1]]
    return np.where(visible[..., None], rgb, smooth)


def _halve(rgb: Bytes, visible: NDArray[np.bool_]) -> tuple[Bytes, NDArray[np.bool_]]:
    """Mean of the visible ones among each 2 x 2 pixels, and whether there were any."""
    height, width = (-(-side // 2) for side in visible.shape)
    sums = np.zeros((height, width, 3), np.uint16)
    counts = np.zeros((height, width, 1), np.uint16)
    for y in (0, 1):
        for x in (0, 1):
            seen = visible[y::2, x::2, None]
            area = np.s_[: seen.shape[0], : seen.shape[1]]
            sums[area] += rgb[y::2, x::2] * seen
            counts[area] += seen
    means = (sums + counts // 2) // np.maximum(counts, 1)
    return means.astype(np.uint8), counts[..., 0] > 0


def _save(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def _decode_webp(data: bytes, size: tuple[int, int]) -> Bytes:
    # Read here because Pillow's decoder takes memory for the picture as soon as it is made.
    if data[8:16] != b"WEBPVP8L" or len(data) < 25 or data[20] != 0x2F:
        raise FormatError("The file's alpha plane is WebP of an unknown kind.")
    bits = int.from_bytes(data[21:25], "little")
    _check_size(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), size)
    from PIL import WebPImagePlugin

    if not WebPImagePlugin.SUPPORTED:
        raise FormatError("The file's alpha plane is WebP, which this Pillow was built without.")
    image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    image.load()
    _check_size(image.size, size)
    return np.asarray(image.getchannel("G"))


def _decode_png(data: bytes, size: tuple[int, int]) -> Bytes:
    from PIL import PngImagePlugin

    # Not Image.open, which guards against sizes that are well known to be right here.
    image = PngImagePlugin.PngImageFile(io.BytesIO(data))
    _check_size(image.size, size)
    if image.mode != "L":
        raise FormatError(f"The file's alpha plane is PNG of mode {image.mode} instead of L.")
    image.load()
    _check_rows(data, size)  # Pillow does not mind if some are missing
    return np.asarray(image)


def _check_rows(data: bytes, size: tuple[int, int]) -> None:
    """FormatError unless a PNG file of grey holds as many bytes of rows as its size takes."""
    bits, interlaced = data[24], data[28]
    wanted, found = size[1] * (1 + -(-size[0] * bits // 8)), 0  # a byte a row tells its filter
    inflater = zlib.decompressobj()
    for body in _image_data(data):
        while found <= wanted and (part := inflater.decompress(body, STEP)):
            found += len(part)
            body = inflater.unconsumed_tail
    if found != wanted or not inflater.eof or interlaced:
        raise FormatError(
            "The file's alpha plane is damaged (its PNG has not the rows that it must have);"
            " copy or download the file again."
        )


def _image_data(png: bytes) -> Iterator[bytes]:
    """The payloads of the IDAT chunks."""
    place = 8
    while place + 8 <= len(png):
        length, type_ = struct.unpack_from(">I4s", png, place)
        if type_ == b"IDAT":
            yield png[place + 8 : place + 8 + length]
        place += 12 + length


def _check_size(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise FormatError(
            f"The file's alpha plane has {found[0]} x {found[1]} pixels instead of"
            f" {wanted[0]} x {wanted[1]}: the file is damaged."
        )
