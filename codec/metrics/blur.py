"""A separable symmetric filter, in strips that stay in a core's cache."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["blur"]

Float = TypeVar("Float", bound=np.floating)

STRIP = 32  # rows


def blur(plane: NDArray[Float], taps: NDArray[Float]) -> NDArray[Float]:
    """Filters a plane ``(h, w)`` down and across, where the taps fit: ``(h - n + 1, w - n + 1)``.

    Arguments:
        taps: ``(n,)``, n odd, the same read backwards.

    Example:
        >>> blur(np.eye(3), np.array([0.25, 0.5, 0.25]))
        array([[0.375]])
    """
    return _down(np.ascontiguousarray(_down(plane, taps).T), taps).T


def _down(plane: NDArray[Float], taps: NDArray[Float]) -> NDArray[Float]:
    middle = len(taps) // 2
    out = np.empty((len(plane) - len(taps) + 1, plane.shape[1]), plane.dtype)
    for top in range(0, len(out), STRIP):
        part = out[top : top + STRIP]
        rows = len(part)
        centre = top + middle
        np.multiply(plane[centre : centre + rows], taps[middle], out=part)
        for k in range(1, middle + 1):
            above, below = centre - k, centre + k
            pair = plane[above : above + rows] + plane[below : below + rows]
            pair *= taps[middle + k]
            part += pair
    return out
