"""How large a picture is opened at all, found in its header before anything is decoded.

A small file can name a huge picture (a "decompression bomb"). What is opened is at most 200
megapixels, or what the environment variable ``GENCODEC_MAX_PIXELS`` says.

Example:
    >>> check_pixels(20_000, 10_000)
    >>> check_pixels(20_000, 10_001)
    Traceback (most recent call last):
    ...
    gencodec.codec.errors.InputError: The picture has 20000 x 10001 pixels, more than the \
200,000,000 that are opened; if you trust it, set GENCODEC_MAX_PIXELS=200020000.
"""

import operator
import os

from ..errors import GencodecError, InputError

__all__ = ["check_pixels", "checked_region", "size_in_header"]

VARIABLE = "GENCODEC_MAX_PIXELS"
DEFAULT = 200_000_000
JXL_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def check_pixels(width: int, height: int, error: type[GencodecError] = InputError) -> None:
    """Refuses a picture with too many pixels.

    Raises:
        InputError: ``GENCODEC_MAX_PIXELS`` is no number; or `error`, for too many.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if text and not (text.isascii() and text.isdigit()):
        raise InputError(f"{VARIABLE} must be a whole number of pixels, not {text!r}.")
    most = int(text) if text else DEFAULT
    if width * height > most:
        raise error(
            f"The picture has {width} x {height} pixels, more than the {most:,} that are opened; "
            f"if you trust it, set {VARIABLE}={width * height}."
        )


def checked_region(
    region: tuple[int, int, int, int], width: int, height: int
) -> tuple[int, int, int, int]:
    """A region that is four whole numbers and lies in the picture.

    Raises:
        InputError: it is not.
    """
    try:
        x, y, w, h = (operator.index(value) for value in region)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"A region is four whole numbers, x, y, width and height, not {region!r}."
        ) from error
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise InputError(
            f"The region {x},{y},{w},{h} is not inside the picture, which has "
            f"{width} x {height} pixels."
        )
    return x, y, w, h


def size_in_header(head: bytes) -> tuple[int, int] | None:
    """Width and height of WebP and JPEG XL, whose readers take memory as soon as they are made.

    Arguments:
        head: the beginning of the file; a few hundred bytes mostly do.

    Returns: None for other formats, and where the header is not in `head`.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    if head[:2] == b"\xff\x0a":
        return _jxl_size(head[2:])
    if head.startswith(JXL_CONTAINER):
        for kind, skipped in ((b"jxlc", 0), (b"jxlp", 4)):
            at = head.find(kind)
            start = at + 4 + skipped
            if at >= 0 and head[start : start + 2] == b"\xff\x0a":
                return _jxl_size(head[start + 2 :])
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    if len(head) < 30:
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(head[24:27], "little"),
            1 + int.from_bytes(head[27:30], "little"),
        )
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = int.from_bytes(head[26:30], "little")
    return sides & 0x3FFF, sides >> 16 & 0x3FFF


def _jxl_size(data: bytes) -> tuple[int, int] | None:
    """ISO/IEC 18181-1, SizeHeader; bits from the lowest."""
    if len(data) < 10:
        return None
    bits, at = int.from_bytes(data[:10], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & (1 << count) - 1

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else 1 + take((9, 13, 18, 30)[take(2)])

    height = side()
    ratio = take(3)
    if not ratio:
        return side(), height
    across, down = JXL_RATIOS[ratio - 1]
    return height * across // down, height
