"""How good and how small: PSNR, MS-SSIM, bits per pixel, and BD-rate between two codecs.

All in numpy, and equal to what the papers use: `ms_ssim` to pytorch-msssim's, `bd_rate` to the
piecewise cubic of Bjontegaard's method.

References:
    Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 2003.
    Bjontegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001.
    Fritsch, Butland, "A method for constructing local monotone piecewise cubic interpolants", 1984.

Example:
    >>> a = np.zeros((4, 4, 3), np.uint8)
    >>> round(psnr(a, a + 5), 2)
    34.15
    >>> half = bd_rate([0.2, 0.4, 0.8], [30, 33, 36], [0.1, 0.2, 0.4], [30, 33, 36])
    >>> round(half.percent, 6), half.lo, half.hi
    (-50.0, 30.0, 36.0)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

__all__ = ["BDRate", "bd_rate", "bpp", "ms_ssim", "ms_ssim_db", "mse", "psnr"]

Floats = NDArray[np.float64]
Points = Sequence[float] | NDArray[Any]

WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest first
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
MS_SSIM_MIN_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1


# --- pictures -----------------------------------------------------------------------------------


def mse(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared error over all samples of two uint8 arrays of one shape.

    Raises:
        InputError: another type, two shapes, or nothing in them.
    """
    _check_pair(a, b)
    total = 0
    for row_a, row_b in zip(a, b, strict=True):  # a row at a time: no copy of the whole picture
        difference = np.subtract(row_a, row_b, dtype=np.int32)
        total += int(np.sum(difference * difference, dtype=np.int64))
    return total / a.size


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB over all samples jointly; infinite where equal.

    Raises:
        InputError: as `mse`.
    """
    error = mse(a, b)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Multi-scale structural similarity, at most 1, as pytorch-msssim computes it.

    Gaussian window of 11 and 1.5, five scales, no padding of the windows; between scales 2 x 2
    means, an odd side padded with a row of zeros in front.

    Arguments:
        a, b: uint8 ``(H, W)`` or ``(H, W, C)`` of one shape, both sides at least 161.

    Raises:
        InputError: another type, two shapes, or too small.
    """
    _check_pair(a, b)
    if a.ndim not in (2, 3) or min(a.shape[:2]) < MS_SSIM_MIN_SIDE:
        raise InputError(
            f"MS-SSIM needs pictures of at least {MS_SSIM_MIN_SIDE} x {MS_SSIM_MIN_SIDE} pixels,"
            f" not of shape {a.shape}."
        )
    channels = a.shape[2] if a.ndim == 3 else 1
    a, b = (image.reshape(*image.shape[:2], channels) for image in (a, b))
    return float(np.mean([_ms_ssim_plane(a[..., c], b[..., c]) for c in range(channels)]))


def ms_ssim_db(value: float) -> float:
    """MS-SSIM on a scale in dB, -10 log10(1 - value), which spreads what is close to 1.

    >>> round(ms_ssim_db(0.99), 6)
    20.0
    """
    return -10 * math.log10(1 - value) if value < 1 else math.inf


def bpp(num_bytes: int, width: int, height: int) -> float:
    """Bits per pixel of a file.

    >>> bpp(49152, 768, 512)
    1.0
    """
    if width < 1 or height < 1:
        raise InputError(f"A picture of {width} x {height} has no bits per pixel.")
    return 8 * num_bytes / (width * height)


def _check_pair(a: Any, b: Any) -> None:
    for array in (a, b):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise InputError(f"Pictures are compared as uint8 arrays, not {kind}.")
    if a.shape != b.shape or a.ndim == 0 or a.size == 0:
        raise InputError(f"Pictures of shapes {a.shape} and {b.shape} cannot be compared.")


def _ms_ssim_plane(a: NDArray[Any], b: NDArray[Any]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        similarity, contrast = _ssim(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        product *= max(similarity if last else contrast, 0.0) ** weight
        if not last:
            a, b = _halve(a), _halve(b)
    return product


def _ssim(a: Floats, b: Floats) -> tuple[float, float]:
    """Mean SSIM and mean of its contrast-structure term."""
    mean_a, mean_b = _blur(a), _blur(b)
    var_a = _blur(a * a) - mean_a**2
    var_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    contrast = (2 * covariance + C2) / (var_a + var_b + C2)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def _blur(plane: Floats) -> Floats:
    """Gaussian window down and across, where it fits."""
    window = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    window /= window.sum()
    height, width = (side - WINDOW + 1 for side in plane.shape)
    down = sum(w * plane[i : i + height] for i, w in enumerate(window))
    return sum(w * down[:, i : i + width] for i, w in enumerate(window))  # pyright: ignore


def _halve(plane: Floats) -> Floats:
    plane = np.pad(plane, [(side % 2, 0) for side in plane.shape])
    height, width = plane.shape
    return plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


# --- curves -------------------------------------------------------------------------------------


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
