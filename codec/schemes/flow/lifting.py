"""The reversible transform of `flow`: pairs of integers to mean and difference, and back.

One step (the S-transform) takes integers ``a, b`` to ``mean = floor((a + b) / 2)`` and
``d = a - b``. It is a bijection on integers, and if ``a`` and ``b`` lie in intervals then, once
the mean is known, ``d`` lies in an interval too. So a decoder that clips ``d`` to that interval
never makes a pixel that does not exist, and never has to clip a pixel afterwards: whatever it
decodes is transformed back, without loss, to the very numbers that were decoded. That is what
makes saving again change nothing.

A picture is split by this step, columns first, then rows, level by level; the details ``d`` of
R, G and B of one pair are taken to ``y, cg, co`` by the same step (YCoCg-R), since the intervals
of R, G and B are independent of each other.

References:
    Said and Pearlman 1996, "An image multiresolution representation for lossless and lossy
    compression" (the S-transform). Malvar and Sullivan 2003 (YCoCg-R).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval",
    "colours",
    "detail_interval",
    "limits",
    "mean_interval",
    "merge",
    "rgb",
    "split",
]

PIXEL_MAX = 255

Ints = NDArray[np.int32]


def split(x: Ints) -> tuple[Ints, Ints]:
    """Splits pairs of rows of ``(h, w, ...)``: means ``(ceil(h / 2), w, ...)``, and details
    ``(h // 2, w, ...)``. A last row without partner is its own mean.

    Example:
        >>> mean, d = split(np.array([[7], [4], [9]]))
        >>> mean.ravel().tolist(), d.ravel().tolist()
        ([5, 9], [3])
    """
    pairs = x.shape[0] // 2
    mean, bottom = x[0::2].copy(), x[1::2]
    d = mean[:pairs] - bottom
    mean[:pairs] = bottom + (d >> 1)
    return mean, d


def merge(mean: Ints, d: Ints) -> Ints:
    """The inverse of `split`."""
    pairs = d.shape[0]
    x = np.empty((mean.shape[0] + pairs, *mean.shape[1:]), np.int32)
    x[0::2] = mean
    bottom = mean[:pairs] - (d >> 1)
    x[1::2] = bottom
    x[0 : 2 * pairs : 2] = bottom + d
    return x


def colours(h: Ints) -> Ints:
    """``(..., 3)`` R, G, B to y, cg, co.

    Example:
        >>> colours(np.array([3, -2, 8])).tolist(), rgb(np.array([1, -7, -5])).tolist()
        ([1, -7, -5], [3, -2, 8])
    """
    r, g, b = h[..., 0], h[..., 1], h[..., 2]
    co = r - b
    middle = b + (co >> 1)
    cg = g - middle
    return np.stack([middle + (cg >> 1), cg, co], -1)


def rgb(c: Ints) -> Ints:
    """The inverse of `colours`."""
    y, cg, co = c[..., 0], c[..., 1], c[..., 2]
    middle = y - (cg >> 1)
    b = middle - (co >> 1)
    return np.stack([b + co, middle + cg, b], -1)


Interval = tuple[Ints | int, Ints | int]


def detail_interval(mean: Ints, a: Interval, b: Interval) -> tuple[Ints, Ints]:
    """Where ``d`` may lie, given the mean, if the pair lies in the intervals ``a`` and ``b``."""
    low = np.maximum(2 * (mean - b[1]), 2 * (a[0] - mean) - 1)
    high = np.minimum(2 * (mean - b[0]) + 1, 2 * (a[1] - mean))
    return low, high


def mean_interval(a: Interval, b: Interval) -> Interval:
    """Where the mean may lie."""
    return (a[0] + b[0]) >> 1, (a[1] + b[1]) >> 1


def limits(mean: Ints) -> list[tuple[Ints, Ints]]:
    """Intervals of the differences of R, G and B, given their means ``(..., 3)``."""
    pixel = (0, PIXEL_MAX)
    return [detail_interval(mean[..., i], pixel, pixel) for i in range(3)]
