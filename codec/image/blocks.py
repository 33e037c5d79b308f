"""Small blocks, spread over a picture: what a look at it is a look at."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread_blocks"]

BLOCK = 16
Sample = TypeVar("Sample", bound=np.generic)


def spread_blocks(planes: NDArray[Sample], a_side: int) -> NDArray[Sample]:
    """Blocks ``(count, h, w, channels)`` of up to 16 x 16 pixels on a regular grid.

    Arguments:
        planes: ``(H, W, channels)``.
        a_side: how many blocks there are along each side, at most.

    Example:
        >>> spread_blocks(np.zeros((40, 300, 3), np.uint8), 12).shape
        (24, 16, 16, 3)
    """
    rows, columns = (_places(side, a_side) for side in planes.shape[:2])
    found = planes[rows][:, :, columns].swapaxes(1, 2)
    return found.reshape(-1, rows.shape[1], columns.shape[1], planes.shape[2])


def _places(side: int, most: int) -> NDArray[np.intp]:
    """Indices ``(blocks, pixels)`` along one axis."""
    size = min(BLOCK, side)
    count = min(most, side // size)
    starts = np.linspace(0, side - size, count).astype(np.intp)
    return starts[:, None] + np.arange(size)
