"""What training and the runtime of ``flow`` agree on."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOURS", "HALO", "LOSSLESS", "MEAN_UNITS", "PASSES", "WHOLE_STEP", "eighths_of_step"]

COLOURS = "y", "cg", "co"  # in coding order
WHOLE_STEP = 256  # a step of 1: steps are told in 256ths

LOSSLESS = -1  # as a quality: every step is 1
HALO = 8  # rows around a strip, more than any network sees; even, as strips are
MEAN_UNITS = 16  # networks tell the mean of a detail in 16ths of a level
# The details of a colour are coded in four passes: these positions (row, column) of every block
# of 2 x 2, one after another.
PASSES = (0, 0), (1, 1), (0, 1), (1, 0)


def eighths_of_step(fraction: NDArray[np.int32], step: int) -> NDArray[np.int32]:
    """How far means (in `MEAN_UNITS`) lie from their predictions, in whole 8ths of ``step``."""
    return np.abs(fraction) * (8 * WHOLE_STEP // MEAN_UNITS) // step
