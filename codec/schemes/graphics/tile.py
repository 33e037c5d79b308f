"""Inside a segment of ``graphics``: a tile as a lossless WebP or PNG file, whichever is smaller.

| bytes | what                                                                                 |
|-------|--------------------------------------------------------------------------------------|
| 2     | low 16 bits of the CRC-32 of the tile's pixels: R, G, B, row by row                  |
| rest  | a WebP file of one ``VP8L`` chunk without alpha; or a PNG file of ``IHDR``, ``PLTE``, |
|       | ``IDAT`` and ``IEND`` chunks alone, not interlaced: grey or palette of 1 to 8 bits, or |
|       | RGB of 8                                                                             |

Its size MUST be that of the tile. A reader MUST check all of that before it decodes, so that a
payload can neither ask for more memory than the tile takes nor carry what is no picture.

WebP lossless: RFC 9649. PNG: RFC 2083.

Example:
    >>> rgb = np.zeros((3, 4, 3), np.uint8)
    >>> bool((decode_tile(encode_tile(rgb), 3, 4) == rgb).all())
    True
"""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from ...errors import FormatError
from ..segments import Pixels

__all__ = ["decode_tile", "encode_tile", "quick_size"]

# Pillow's `quality` and `method`, which are effort here. Effort (100, 6) takes fifty times as long
# as (100, 5) and saves half a percent; which of these two is smaller depends on the picture.
EFFORTS = ((100, 5), (100, 4))
QUICK = (50, 3)  # a tenth more bytes in a fifth of the time
CHECK_BYTES = 2
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# Colour type and bits a sample: grey, palette, RGB.
PNG_KINDS = {(type_, bits) for type_ in (0, 3) for bits in (1, 2, 4, 8)} | {(2, 8)}
PALETTE = 256
DAMAGED = "copy or download the file again"


def encode_tile(rgb: Pixels) -> bytes:
    """Pixels ``(H, W, 3)`` as the payload of a segment."""
    rgb = np.ascontiguousarray(rgb)
    image, found = Image.fromarray(rgb), list[bytes]()
    if _webp_plugin().SUPPORTED:
        found += [_webp(image, *effort) for effort in EFFORTS]
    if (indexed := _indexed(rgb)) is not None:
        found.append(_save(indexed, "PNG", optimize=True))
    elif not found:
        found.append(_save(image, "PNG", optimize=True))
    return _check(rgb) + min(found, key=len)


def quick_size(rgb: Pixels) -> int:
    """About how many bytes `encode_tile` will make, and seldom fewer; in a fifth of its time."""
    image = Image.fromarray(np.ascontiguousarray(rgb))
    if not _webp_plugin().SUPPORTED:
        return len(_save(image, "PNG", compress_level=1))
    return len(_webp(image, *QUICK))


def decode_tile(data: bytes, height: int, width: int) -> Pixels:
    """The pixels ``(height, width, 3)`` of what `encode_tile` wrote; they may be read-only.

    Raises:
        FormatError: not such a payload, of another size, damaged, or WebP in a Pillow without it.
    """
    payload = data[CHECK_BYTES:]
    try:
        if payload.startswith(b"RIFF"):
            _check_webp(payload, (width, height))
            image = _webp_plugin().WebPImageFile(io.BytesIO(payload))
        else:
            _check_png(payload, (width, height))
            from PIL import PngImagePlugin

            # Not Image.open, which guards against sizes that are well known to be right here.
            image = PngImagePlugin.PngImageFile(io.BytesIO(payload))
        image.load()
        if image.size != (width, height):
            raise _wrong(f"it decodes to {image.width} x {image.height} pixels")
        rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except FormatError:
        raise
    except MemoryError as error:
        raise FormatError("A segment of the file does not fit into memory.") from error
    except Exception as error:  # Pillow raises nearly anything for a hostile file
        raise _wrong(" ".join(str(error).split()).rstrip(".")) from error
    if _check(rgb) != data[:CHECK_BYTES]:
        raise _wrong("its pixels are not those that were written")
    return rgb


def _check(rgb: Pixels) -> bytes:
    return (zlib.crc32(np.ascontiguousarray(rgb).data) & 0xFFFF).to_bytes(CHECK_BYTES, "little")


def _wrong(reason: str) -> FormatError:
    return FormatError(f"A segment of the file is damaged ({reason}): {DAMAGED}.")


# --- WebP -----------------------------------------------------------------------------------------


def _webp_plugin() -> Any:
    # Imported by name: for a format it has not met, Pillow would import all its plugins.
    from PIL import WebPImagePlugin

    return WebPImagePlugin


def _webp(image: Image.Image, quality: int, method: int) -> bytes:
    return _save(image, "WEBP", lossless=True, exact=True, quality=quality, method=method)


def _check_webp(data: bytes, size: tuple[int, int]) -> None:
    """FormatError unless the file is one VP8L chunk of that size, and nothing else."""
    if not _webp_plugin().SUPPORTED:
        raise FormatError("The file holds WebP, which this Pillow was built without.")
    if len(data) < 25 or data[8:16] != b"WEBPVP8L" or data[20] != 0x2F:
        raise _wrong("WebP of an unknown kind")
    (whole,), (length,) = struct.unpack_from("<I", data, 4), struct.unpack_from("<I", data, 16)
    if whole != len(data) - 8 or length + length % 2 != len(data) - 20:
        raise _wrong("its WebP is cut off or holds more than a picture")
    bits = int.from_bytes(data[21:25], "little")
    if bits >> 28:
        raise _wrong("its WebP has transparency or is of a later version")
    _check_size(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), size)


# --- PNG ------------------------------------------------------------------------------------------


def _indexed(rgb: Pixels) -> Image.Image | None:
    """The same pixels with a palette, or as grey; None where there are over 256 colours."""
    packed = rgb[..., 0].astype(np.uint32) << 16
    packed |= rgb[..., 1].astype(np.uint32) << 8
    packed |= rgb[..., 2]
    first = np.unique(packed[:: max(1, len(packed) // 8)])
    if len(first) > PALETTE:  # nearly always told by a few rows
        return None
    colours, indices = np.unique(packed, return_inverse=True)
    if len(colours) > PALETTE:
        return None
    if len(colours) > 16 and (rgb == rgb[..., :1]).all():
        return Image.fromarray(np.ascontiguousarray(rgb[..., 0]))
    image = Image.fromarray(indices.reshape(packed.shape).astype(np.uint8))
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1)
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


def _check_png(data: bytes, size: tuple[int, int]) -> None:
    """FormatError unless the file is a still picture of that size, and nothing else."""
    if not data.startswith(PNG_MAGIC):
        raise _wrong("neither WebP nor PNG")
    place, types = len(PNG_MAGIC), list[bytes]()
    while place < len(data):
        length, type_ = struct.unpack_from(">I4s", data, place)  # what is cut off raises
        start, place = place + 8, place + 12 + length
        body = data[start : start + length]
        if place > len(data):
            raise _wrong("its PNG is cut off")
        (crc,) = struct.unpack_from(">I", data, place - 4)
        if crc != zlib.crc32(body, zlib.crc32(type_)):
            raise _wrong("a checksum of its PNG does not match")
        types.append(type_)
        if len(types) == 1:
            _check_png_header(type_, body, size)
    # Several IDAT chunks stand in a row.
    order = [type_ for n, type_ in enumerate(types) if type_ != b"IDAT" or types[n - 1] != b"IDAT"]
    if order not in ([b"IHDR", b"IDAT", b"IEND"], [b"IHDR", b"PLTE", b"IDAT", b"IEND"]):
        raise _wrong("its PNG is cut off or holds more than a picture")


def _check_png_header(type_: bytes, body: bytes, size: tuple[int, int]) -> None:
    if type_ != b"IHDR" or len(body) != 13:
        raise _wrong("PNG of an unknown kind")
    width, height, bits, colour, *methods = struct.unpack(">IIBBBBB", body)
    _check_size((width, height), size)
    if (colour, bits) not in PNG_KINDS or any(methods):
        raise _wrong("PNG of an unknown kind")


def _check_size(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise _wrong(
            f"it holds {found[0]} x {found[1]} pixels instead of {wanted[0]} x {wanted[1]}"
        )


def _save(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()
