"""How good and how small: PSNR, MS-SSIM, SSIMULACRA2, bits per pixel, and BD-rate, all in numpy.

A new metric is a function of two uint8 pictures in `fidelity` (against a formula) or `perceptual`
(fitted to people's ratings), listed here.

Example:
    >>> import numpy as np
    >>> a = np.zeros((4, 4, 3), np.uint8)
    >>> round(psnr(a, a + 5), 2)
    34.15
    >>> half = bd_rate([0.2, 0.4, 0.8], [30, 33, 36], [0.1, 0.2, 0.4], [30, 33, 36])
    >>> round(half.percent, 6), half.lo, half.hi
    (-50.0, 30.0, 36.0)
"""

from .fidelity import MS_SSIM_MIN_SIDE, bpp, ms_ssim, ms_ssim_db, mse, psnr, psnr_of_mse
from .perceptual import ssimulacra2
from .rate_distortion import BDRate, bd_rate

__all__ = [
    "MS_SSIM_MIN_SIDE",
    "BDRate",
    "bd_rate",
    "bpp",
    "ms_ssim",
    "ms_ssim_db",
    "mse",
    "psnr",
    "psnr_of_mse",
    "ssimulacra2",
]
