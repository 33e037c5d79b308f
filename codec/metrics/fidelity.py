"""Measures of fidelity, in numpy, equal to what papers use: PSNR, MS-SSIM, bits per pixel.

Reference:
    Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 2003.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .blur import blur

__all__ = ["MS_SSIM_MIN_SIDE", "bpp", "ms_ssim", "ms_ssim_db", "mse", "psnr", "psnr_of_mse"]

Floats = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest first
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
MS_SSIM_MIN_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1


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
    return psnr_of_mse(mse(a, b))


def psnr_of_mse(error: float) -> float:
    """PSNR in dB of a mean squared error in levels of 0..255; infinite where it is 0.

    >>> round(psnr_of_mse(25.0), 2)
    34.15
    """
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


def _check_pair(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    for array in (a, b):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise InputError(f"Pictures are compared as uint8 arrays, not {kind}.")
    if a.shape != b.shape or a.ndim == 0 or a.size == 0:
        raise InputError(f"Pictures of shapes {a.shape} and {b.shape} cannot be compared.")


def _ms_ssim_plane(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
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
    mean_a, mean_b = blur(a, GAUSSIAN), blur(b, GAUSSIAN)
    var_a = blur(a * a, GAUSSIAN) - mean_a**2
    var_b = blur(b * b, GAUSSIAN) - mean_b**2
    covariance = blur(a * b, GAUSSIAN) - mean_a * mean_b
    contrast = (2 * covariance + C2) / (var_a + var_b + C2)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def _window() -> Floats:
    window = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    return window / window.sum()


GAUSSIAN = _window()


def _halve(plane: Floats) -> Floats:
    plane = np.pad(plane, [(side % 2, 0) for side in plane.shape])
    height, width = plane.shape
    return plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
