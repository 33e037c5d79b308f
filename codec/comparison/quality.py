"""The measures of quality that a comparison shows: one table, which all of it reads.

A new one is a row here and a field of the same name in `results.Point`.

Example:
    >>> picture = np.zeros((40, 40, 3), np.uint8)
    >>> QUALITY["ssimulacra2"].measure(picture, picture), QUALITY["ms_ssim"].fits(picture.shape)
    (100.0, False)
    >>> QUALITY["psnr"].text(31.234), QUALITY["psnr"].text(math.inf)
    ('31.23', 'exact')
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..metrics import MS_SSIM_MIN_SIDE
from .butteraugli import butteraugli

__all__ = ["QUALITY", "SHOWN", "Quality"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Quality:
    """A measure of quality of a decoded picture.

    Attributes:
        title: what it is called.
        axis: what stands at the axis of a plot.
        measure: from the original and the decoded picture, uint8 ``(H, W)`` or ``(H, W, 3)``.
        scale: to what curves are compared over: larger is better, and nearly a straight line over
            the logarithm of the rate.
        places: digits after the point.
        unit: of `scale`.
        lo, hi: the range of `scale` within which BD-rates are taken; None for all.
        min_side: of the pictures that it can be measured of.
    """

    title: str
    axis: str
    measure: Callable[[Pixels, Pixels], float]
    scale: Callable[[float], float] = float
    places: int = 2
    unit: str = ""
    lo: float | None = None
    hi: float | None = None
    min_side: int = 1

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it can be measured of pictures of that shape."""
        return min(shape[:2]) >= self.min_side

    def text(self, value: float) -> str:
        """A value as it is shown."""
        return f"{value:.{self.places}f}" if math.isfinite(value) else "exact"


def _ssimulacra2(reference: Pixels, distorted: Pixels) -> float:
    if reference.ndim == 2:
        reference, distorted = (np.stack([each] * 3, -1) for each in (reference, distorted))
    return metrics.ssimulacra2(reference, distorted)


QUALITY = {
    "psnr": Quality("PSNR", "PSNR, dB", metrics.psnr, unit=" dB"),
    "ms_ssim": Quality(
        "MS-SSIM",
        "MS-SSIM, dB: -10 log10(1 - MS-SSIM)",
        metrics.ms_ssim,
        metrics.ms_ssim_db,
        places=4,
        unit=" dB",
        min_side=MS_SSIM_MIN_SIDE,
    ),
    # Below 30 and above 85 nobody would use the file, and scores say little. Pillow's AVIF at
    # quality 15 has a Butteraugli of 4.4 on Kodak, and a score of 3: what is worse counts no more.
    "ssimulacra2": Quality(
        "SSIMULACRA2", "SSIMULACRA2", _ssimulacra2, places=1, lo=30, hi=85, min_side=8
    ),
    "butteraugli": Quality(
        "Butteraugli",
        "Butteraugli, 3-norm, negated",
        butteraugli,
        lambda value: -value,
        places=3,
        lo=-4.5,
        min_side=8,
    ),
}

SHOWN = ("psnr", "ms_ssim", "ssimulacra2")
"""What `compare` shows; Butteraugli needs a program that few have, and takes its time."""
