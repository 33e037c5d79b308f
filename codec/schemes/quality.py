"""From a quality to the weights of the gain levels: integers alone, the same on every machine."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["level_weights", "quality_position"]


def quality_position(quality_map: list[list[int]], quality: int) -> int:
    """Position on the gain levels, in 256ths of a level, of a quality in hundredths.

    Arguments:
        quality_map: pairs of quality (hundredths) and position, both rising; linear in between.

    Example:
        >>> quality_position([[0, 0], [10000, 1792]], 5000)
        896
    """
    for (q0, p0), (q1, p1) in pairwise(quality_map):
        if quality <= q1:
            return p0 + ((p1 - p0) * (quality - q0) * 2 + (q1 - q0)) // (2 * (q1 - q0))
    return quality_map[-1][1]


def level_weights(position: int, levels: int) -> NDArray[np.int32]:
    """Weights of the gain levels at a position, integers that sum to 256.

    Example:
        >>> level_weights(320, 3).tolist()
        [0, 192, 64]
    """
    weights = np.zeros(levels, np.int32)
    level = min(position // 256, levels - 2)
    weights[level + 1] = position - 256 * level
    weights[level] = 256 - weights[level + 1]
    return weights
