"""The difference in rate of two codecs at equal quality (BD-rate).

References:
    Bjontegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001.
    Fritsch, Butland, "A method for constructing local monotone piecewise cubic interpolants", 1984.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

__all__ = ["BDRate", "bd_rate"]

Floats = NDArray[np.float64]
Points = Sequence[float] | NDArray[np.floating] | NDArray[np.integer]


@dataclass(frozen=True)
class BDRate:
    """Rate at equal quality: `percent` more bits than the anchor, over qualities `lo` to `hi`."""

    percent: float
    lo: float
    hi: float


def bd_rate(
    anchor_bpp: Points,
    anchor_psnr: Points,
    test_bpp: Points,
    test_psnr: Points,
    lo: float | None = None,
    hi: float | None = None,
) -> BDRate:
    """Bjontegaard's mean difference in rate of a codec against an anchor, at equal quality.

    The logarithm of the rate is interpolated over quality by a monotone piecewise cubic (PCHIP)
    and integrated exactly.

    Arguments:
        anchor_bpp, anchor_psnr, test_bpp, test_psnr: the points of the curves in any order, at
            least two each, of different quality.
        lo, hi: the range of quality to compare over; narrowed to what both curves reach, which is
            the whole of it where None.  What was used is in the result.

    Raises:
        InputError: too few points, two of one quality, rates not positive, or no common range.

    Example:
        >>> psnr = [30, 33, 36]
        >>> round(bd_rate([0.4, 0.8, 1.6], psnr, [0.3, 0.6, 1.2], psnr).percent, 6)
        -25.0
    """
    anchor = _Curve(anchor_bpp, anchor_psnr, "anchor")
    test = _Curve(test_bpp, test_psnr, "test")
    start = max(curve.x[0] for curve in (anchor, test))
    end = min(curve.x[-1] for curve in (anchor, test))
    start = start if lo is None else max(start, lo)
    end = end if hi is None else min(end, hi)
    if not start < end:
        asked = f" within {lo} to {hi}" if (lo, hi) != (None, None) else ""
        raise InputError(
            f"The curves have no range of quality in common{asked}: the anchor's is"
            f" {anchor.x[0]:.2f} to {anchor.x[-1]:.2f}, the other's {test.x[0]:.2f} to"
            f" {test.x[-1]:.2f}."
        )
    mean = (test.integral(start, end) - anchor.integral(start, end)) / (end - start)
    return BDRate(100 * math.expm1(mean), float(start), float(end))


class _Curve:
    """Log rate over quality as cubics in Hermite form, with PCHIP's slopes."""

    def __init__(self, rates: Points, qualities: Points, name: str) -> None:
        rate, x = (np.asarray(values, np.float64) for values in (rates, qualities))
        if rate.ndim != 1 or rate.shape != x.shape or rate.size < 2:
            raise InputError(
                f"The {name} curve needs as many rates as qualities, at least two, not"
                f" {rate.size} and {x.size}."
            )
        if not (np.isfinite(rate).all() and np.isfinite(x).all() and (rate > 0).all()):
            raise InputError(f"The {name} curve needs positive rates and finite qualities.")
        order = np.argsort(x)
        self.x, self.y = x[order], np.log(rate[order])
        if (np.diff(self.x) == 0).any():
            raise InputError(f"The {name} curve has two points of one quality; leave one out.")
        self.slopes = _pchip_slopes(self.x, self.y)

    def integral(self, start: float, end: float) -> float:
        """Of the curve from `start` to `end`, both within it."""
        total = 0.0
        for i, (left, right) in enumerate(zip(self.x[:-1], self.x[1:], strict=True)):
            h = right - left
            bounds = [(min(max(at, left), right) - left) / h for at in (start, end)]
            y0, y1, d0, d1 = self.y[i], self.y[i + 1], h * self.slopes[i], h * self.slopes[i + 1]
            # Coefficients of 1, t, t^2, t^3 in the cubic from y0 to y1 over t = 0..1.
            cubic = (y0, d0, 3 * (y1 - y0) - 2 * d0 - d1, 2 * (y0 - y1) + d0 + d1)
            a, b = (sum(c * t ** (n + 1) / (n + 1) for n, c in enumerate(cubic)) for t in bounds)
            total += h * (b - a)
        return float(total)


def _pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Slopes at the points, such that the curve rises and falls only where the points do."""
    h, secant = np.diff(x), np.diff(y) / np.diff(x)
    if len(x) == 2:
        return np.repeat(secant, 2)
    slopes = np.zeros_like(y)
    for i in range(1, len(x) - 1):
        before, after = secant[i - 1], secant[i]
        if before * after > 0:  # else a turning point: flat
            w0, w1 = 2 * h[i] + h[i - 1], h[i] + 2 * h[i - 1]
            slopes[i] = (w0 + w1) / (w0 / before + w1 / after)
    slopes[0] = _end_slope(h[0], h[1], secant[0], secant[1])
    slopes[-1] = _end_slope(h[-1], h[-2], secant[-1], secant[-2])
    return slopes


def _end_slope(h0: float, h1: float, secant0: float, secant1: float) -> float:
    """Of a parabola through the last three points, held back where that would overshoot."""
    slope = ((2 * h0 + h1) * secant0 - h0 * secant1) / (h0 + h1)
    if slope * secant0 <= 0:
        return 0.0
    if secant0 * secant1 <= 0 and abs(slope) > 3 * abs(secant0):
        return 3 * secant0
    return slope
