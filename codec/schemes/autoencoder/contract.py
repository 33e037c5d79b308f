"""What training and the runtime of ``autoencoder`` agree on: coding order and thresholds of RDOQ.

References:
    Karczewicz et al. 2008, "Rate distortion optimized quantization", VCEG-AH21.
"""

import numpy as np
from numpy.typing import NDArray

from ...entropy import TOTAL, Tables
from .checkerboard import checkerboard

__all__ = [
    "RDOQ_MAX",
    "RDO_LAMBDA",
    "checkerboard",
    "magnitude_bits",
    "rdoq_thresholds",
]

RDOQ_MAX = 12  # residuals up to this are quantised with regard to their bits
RDO_LAMBDA = 0.065  # Lagrange multiplier of RDOQ, squared steps a bit, found best on validation

Floats = NDArray[np.float32]


def magnitude_bits(tables: Tables) -> Floats:
    """Bits of the values ``0 .. RDOQ_MAX`` in each row of ``y``, as far as the row reaches."""
    bits = np.empty((len(tables), RDOQ_MAX + 1), np.float32)
    for row in range(len(tables)):
        cost = -np.log2(tables.row(row) / TOTAL)
        entry = np.minimum(np.arange(RDOQ_MAX + 1) - tables.low[row], cost.size - 1)
        bits[row] = cost[entry]
    return bits


def rdoq_thresholds(bits: Floats, rdo_lambda: float = RDO_LAMBDA) -> Floats:
    """Below which absolute values of a size are coded as the next smaller size.

    A smaller size is chosen where it saves more bits than it costs in squared error. The gains
    make a squared quantisation step worth about the same number of bits everywhere (at high rate
    ``6 / ln 2``), so one multiplier serves all qualities.

    Arguments:
        bits: of the sizes ``0 .. RDOQ_MAX`` in each row, ``(rows, RDOQ_MAX + 1)``.
        rdo_lambda: the Lagrange multiplier, in squared steps a bit.

    Returns: ``(rows, RDOQ_MAX + 2)``; 0, which nothing is below, for 0 and the largest.
    """
    at = np.zeros((len(bits), RDOQ_MAX + 2), np.float32)
    halfway = np.arange(1, RDOQ_MAX + 1) - 0.5  # where the errors are the same
    at[:, 1:-1] = halfway + rdo_lambda / 2 * np.maximum(np.diff(bits), 0)
    return at
