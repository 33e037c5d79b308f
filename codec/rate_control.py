"""A file of at most so many bytes: the search for the largest quality that fits."""

import math
from collections.abc import Callable
from numbers import Real

from .errors import InputError

__all__ = ["largest_quality", "limit_of"]

HIGHEST = 10_000  # hundredths
LARGEST = 2**31  # bytes; no file is larger


def limit_of(size: float | None, bpp: float | None, pixels: int) -> int | None:
    """The bytes that a file may have, from bytes or bits per pixel; None where neither is given.

    Raises:
        InputError: both are given, or one that is not a number over 0.
    """
    for name, value in (("target_size", size), ("target_bpp", bpp)):
        number = isinstance(value, Real) and not isinstance(value, bool)
        if value is not None and not (number and 0 < value < LARGEST):
            raise InputError(f"{name} must be a number over 0, not {value!r}.")
    if size is not None and bpp is not None:
        raise InputError("Give target_size or target_bpp, not both.")
    if bpp is not None:
        return int(float(bpp) * pixels / 8)
    return None if size is None else int(size)


def largest_quality(write: Callable[[int], bytes], limit: int) -> tuple[int, bytes]:
    """The quality, in hundredths, of the largest file of at most ``limit`` bytes, and that file.

    ``write`` makes the file of a quality. What comes out fits while the next hundredth does not;
    sizes grow exponentially with quality, by and large, so a straight line through the logarithms
    of the two nearest sizes is tried, and the middle between them where that gains little.

    Raises:
        InputError: not even quality 0 fits.

    Example:
        >>> largest_quality(lambda quality: bytes(100 + quality), 1234)[0]
        1134
    """
    low, high = 0, HIGHEST
    fitting = write(low)
    if len(fitting) > limit:
        raise InputError(
            f"The picture needs {len(fitting):,} bytes at quality 0, the lowest, which is more "
            f"than the {limit:,} asked for; scale it down, or allow more bytes."
        )
    data = write(high)
    if len(data) <= limit:
        return high, data
    small, large = len(fitting), len(data)
    halve = False
    while high - low > 1:
        middle = (low + high) // 2
        if not halve and small < large:
            share = math.log(max(limit, 1) / small) / math.log(large / small)
            middle = low + round(share * (high - low))
        middle = min(max(middle, low + 1), high - 1)
        width = high - low
        data = write(middle)
        if len(data) <= limit:
            low, small, fitting = middle, len(data), data
        else:
            high, large = middle, len(data)
        halve = high - low > width // 2
    return low, fitting
