"""The checkerboard of two passes in which the latent is coded: anchors, then non-anchors.

The anchors are the even positions of the first half of the channels and the odd positions of the
others; the non-anchors are the rest. Either set is held as one flat array, channel by channel and
within a channel row by row, which is also the order in which it is coded.

References:
    He et al. 2021 (arXiv 2103.15306), checkerboard context.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["HYPER", "Checkerboard", "checkerboard"]

HYPER = 4  # positions of y a position of z, each way

Positions = NDArray[np.int64]


class Checkerboard:
    """A grid ``(channels, h, w)``, and where its anchors and non-anchors lie.

    Attributes:
        even, odd: the positions of either colour, in the flattened ``(h, w)``.
        hyper_even, hyper_odd: the same in a grid whose sides are rounded up to multiples of
            `HYPER`.
        place: ``(h, w)``, the index of each position in ``even`` followed by ``odd``.
        anchor_edges, non_anchor_edges: of either set, those in the first or last row or column.
        size: number of anchors, which is that of the non-anchors too.

    Example:
        >>> y = np.arange(2 * 2 * 3).reshape(2, 2, 3)
        >>> board = checkerboard(2, 2, 3)
        >>> board.anchors(y)
        array([ 0,  2,  4,  7,  9, 11])
        >>> np.array_equal(board.join(board.anchors(y), board.non_anchors(y)), y)
        True
    """

    def __init__(self, channels: int, h: int, w: int) -> None:
        self.channels, self.h, self.w = channels, h, w
        self.group = channels // 2  # channels of either group
        self.size = self.group * h * w
        rows, columns = np.divmod(np.arange(h * w), w)
        even = (rows + columns) % 2 == 0
        self.even, self.odd = np.flatnonzero(even), np.flatnonzero(~even)
        padded = rows * (-(-w // HYPER) * HYPER) + columns
        self.hyper_even, self.hyper_odd = padded[self.even], padded[self.odd]
        place = np.argsort(np.concatenate([self.even, self.odd]))
        self.place: Positions = place.reshape(h, w)
        grid = np.ones((h, w), bool)
        grid[1:-1, 1:-1] = False
        edges = np.broadcast_to(grid, (channels, h, w))
        self.anchor_edges, self.non_anchor_edges = self.anchors(edges), self.non_anchors(edges)
        shared = self.even, self.odd, self.hyper_even, self.hyper_odd, self.place
        for array in (*shared, self.anchor_edges, self.non_anchor_edges):
            array.flags.writeable = False  # all callers share one checkerboard a size

    def anchors(self, values: NDArray) -> NDArray:
        """The anchors of ``values``, ``(channels, h, w)``, as a flat array."""
        return self._flat(values, self.even, self.odd)

    def non_anchors(self, values: NDArray) -> NDArray:
        """The non-anchors of ``values``, ``(channels, h, w)``, as a flat array."""
        return self._flat(values, self.odd, self.even)

    def _flat(self, values: NDArray, first: Positions, second: Positions) -> NDArray:
        flat = values.reshape(self.channels, -1)
        groups = flat[: self.group].take(first, axis=1), flat[self.group :].take(second, axis=1)
        return np.concatenate([group.ravel() for group in groups])

    def anchor_groups(self, flat: NDArray) -> tuple[NDArray, NDArray]:
        """Anchors by groups of channels, each ``(group, positions)``; no copies."""
        return self._groups(flat, self.even.size)

    def _groups(self, flat: NDArray, positions: int) -> tuple[NDArray, NDArray]:
        cut = positions * self.group
        return flat[:cut].reshape(self.group, -1), flat[cut:].reshape(self.group, -1)

    def join(self, anchors: NDArray, non_anchors: NDArray) -> NDArray:
        """Anchors and non-anchors as ``(channels, h, w)``."""
        whole = np.empty((self.channels, self.h, self.w), anchors.dtype)
        flat, place = whole.reshape(self.channels, -1), self.place.ravel()
        even, second_odd = self._groups(anchors, self.even.size)
        odd, second_even = self._groups(non_anchors, self.odd.size)
        np.concatenate([even, odd], 1).take(place, 1, flat[: self.group], "clip")
        np.concatenate([second_even, second_odd], 1).take(place, 1, flat[self.group :], "clip")
        return whole


@lru_cache(32)
def checkerboard(channels: int, h: int, w: int) -> Checkerboard:
    """The checkerboard of that size, made once."""
    return Checkerboard(channels, h, w)
