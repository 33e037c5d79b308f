"""The two halves of a grid of latents, coded one after the other: a checkerboard.

The first half is the even positions of the first half of the channels and the odd positions of
the others; the second half is the rest. A half is held as one flat array, channel by channel and
within a channel row by row, which is also the order in which it is coded.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "grid"]

HYPER = 4  # positions of y a position of z, each way

Places = NDArray[np.int64]


class Grid:
    """A grid ``(channels, h, w)``, and where its halves lie.

    Attributes:
        even, odd: the positions of either colour, in the flattened ``(h, w)``.
        hyper_even, hyper_odd: the same in a grid whose sides are made up to multiples of `HYPER`.
        place: ``(h, w)``, where each position is in ``even`` followed by ``odd``.

    Example:
        >>> y = np.arange(2 * 2 * 3).reshape(2, 2, 3)
        >>> both = grid(2, 2, 3)
        >>> both.split(y, 0)
        array([ 0,  2,  4,  7,  9, 11])
        >>> np.array_equal(both.join(both.split(y, 0), both.split(y, 1)), y)
        True
    """

    def __init__(self, channels: int, h: int, w: int) -> None:
        self.channels, self.h, self.w = channels, h, w
        self.half = channels // 2
        rows, columns = np.divmod(np.arange(h * w), w)
        even = (rows + columns) % 2 == 0
        self.even, self.odd = np.flatnonzero(even), np.flatnonzero(~even)
        wide = rows * (-(-w // HYPER) * HYPER) + columns
        self.hyper_even, self.hyper_odd = wide[self.even], wide[self.odd]
        place = np.argsort(np.concatenate([self.even, self.odd]))
        self.place = place.reshape(h, w)
        for array in (self.even, self.odd, self.hyper_even, self.hyper_odd, self.place):
            array.flags.writeable = False  # the one grid is given to everybody

    @property
    def size(self) -> int:
        """Values in a half."""
        return self.half * self.h * self.w

    def parts(self, flat: NDArray, number: int) -> tuple[NDArray, NDArray]:
        """Half ``number`` (0 or 1) by groups of channels, each ``(half, positions)``; no copies."""
        first = (self.odd if number else self.even).size * self.half
        return flat[:first].reshape(self.half, -1), flat[first:].reshape(self.half, -1)

    def split(self, values: NDArray, number: int) -> NDArray:
        """Half ``number`` of ``values``, ``(channels, h, w)``, as a flat array."""
        flat = values.reshape(self.channels, -1)
        groups = flat[: self.half], flat[self.half :]
        colours = (self.odd, self.even) if number else (self.even, self.odd)
        parts = [g.take(c, axis=1).ravel() for g, c in zip(groups, colours, strict=True)]
        return np.concatenate(parts)

    def join(self, first: NDArray, second: NDArray) -> NDArray:
        """Both halves as ``(channels, h, w)``."""
        whole = np.empty((self.channels, self.h, self.w), first.dtype)
        flat, place = whole.reshape(self.channels, -1), self.place.ravel()
        (even, odd), (odd_too, even_too) = self.parts(first, 0), self.parts(second, 1)
        np.concatenate([even, odd_too], 1).take(place, 1, flat[: self.half], "clip")
        np.concatenate([even_too, odd], 1).take(place, 1, flat[self.half :], "clip")
        return whole


@lru_cache(32)
def grid(channels: int, h: int, w: int) -> Grid:
    """The grid of that size, made once."""
    return Grid(channels, h, w)
