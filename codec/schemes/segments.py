"""Between pixels and positions: what schemes share that code a grid of latents in segments.

A position stands for `STRIDE` x `STRIDE` pixels. Both directions go through a picture tile by tile
and hold, beside the pixels, the latents of a few tiles only: with more than one thread the next
tile is prepared while the one before is worked on.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..library import Model
from ..session import Runtime
from .tiling import SEGMENT, Box, Span, Tile, boxes, overlapping

__all__ = [
    "STRIDE",
    "Coded",
    "Region",
    "Windows",
    "ahead",
    "check_count",
    "covering",
    "crop",
    "paste",
    "positions",
    "segment_count",
    "segments_of",
    "spread",
]

STRIDE = 16  # pixels a side of a position

Item = TypeVar("Item")
Result = TypeVar("Result")
Pixels = NDArray[np.uint8]
Region = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True)
class Coded:
    """A picture's segments, and the bits that the model itself reckons for them."""

    segments: list[bytes]
    estimate_bits: float


def positions(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the grid of a picture."""
    return -(-height // STRIDE), -(-width // STRIDE)


def segment_count(width: int, height: int, largest: int = SEGMENT) -> int:
    """The number of segments of a picture."""
    return len(boxes(*positions(width, height), largest))


def check_count(
    segments: list[bytes], width: int, height: int, largest: int = SEGMENT
) -> tuple[int, int]:
    """Rows and columns of the grid; FormatError if there are not as many segments as it takes."""
    wanted = segment_count(width, height, largest)
    if len(segments) != wanted:
        raise FormatError(
            f"The file is damaged: it holds {len(segments)} segments where a picture of "
            f"{width}x{height} has {wanted}."
        )
    return positions(width, height)


def segments_of(
    width: int, height: int, region: Region, decoder: Model, largest: int = SEGMENT
) -> list[int]:
    """The numbers of the segments that a scheme's ``decode`` needs for a region."""
    rows, columns = positions(width, height)
    part, halo = covering(region), decoder.file.settings["halo"]
    return overlapping(rows, columns, part.widened(halo, rows, columns), largest)


def covering(region: Region) -> Box:
    """The positions that cover a region."""
    x, y, width, height = region
    return Box(
        Span(y // STRIDE, -(-(y + height) // STRIDE)), Span(x // STRIDE, -(-(x + width) // STRIDE))
    )


def crop(rgb: Pixels, box: Box) -> Pixels:
    """The pixels of some positions; beyond the picture its last pixels are repeated."""
    rows, columns = box.rows, box.columns
    x = rgb[rows.start * STRIDE : rows.end * STRIDE, columns.start * STRIDE : columns.end * STRIDE]
    bottom, right = rows.size * STRIDE - x.shape[0], columns.size * STRIDE - x.shape[1]
    if bottom or right:
        x = np.pad(x, ((0, bottom), (0, right), (0, 0)), "edge")
    return x


def paste(pixels: Pixels, tile: Tile, rgb: Pixels, x: int, y: int) -> None:
    """Puts a tile's pixels into ``rgb``, which is the region that begins at ``x``, ``y``."""
    places = []
    for outer, inner, start, length in (
        (tile.outer.rows, tile.inner.rows, y, rgb.shape[0]),
        (tile.outer.columns, tile.inner.columns, x, rgb.shape[1]),
    ):
        first = max(inner.start * STRIDE, start)
        last = min(inner.end * STRIDE, start + length)
        places.append((slice(first - start, last - start), first - outer.start * STRIDE))
    (rows, top), (columns, left) = places
    height, width = rgb[rows, columns].shape[:2]
    rgb[rows, columns] = pixels[top : top + height, left : left + width]


def ahead(
    work: Callable[[Item], Result], items: Sequence[Item], runtime: Runtime
) -> Iterator[tuple[Item, Result]]:
    """Each item with what ``work`` makes of it; one step ahead of the caller, in a thread."""
    if len(items) == 1 or runtime.cores == 1:
        for item in items:
            yield item, work(item)
        return
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(work, items[0])
        for number, item in enumerate(items):
            result = following.result()
            if number + 1 < len(items):
                following = pool.submit(work, items[number + 1])
            yield item, result


def spread(
    work: Callable[[Item, Runtime], Result], items: Sequence[Item], runtime: Runtime
) -> Iterator[Result]:
    """What ``work`` makes of each item, in order; several at once, on one thread each."""
    if len(items) < 2 or runtime.cores == 1:
        return (work(item, runtime) for item in items)
    alone = replace(runtime, threads=1)
    return _workers(runtime.cores).map(lambda item: work(item, alone), items)


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "gencodec")


class Windows:
    """The latents of each tile, from segments that are decoded when first needed.

    A segment that a later tile will look into again is kept until then, and no longer.

    Arguments:
        shape: rows and columns of the grid.
        cut: the tiles, in the order in which they will be asked for.
        decode: the latents ``(channels, h, w)`` of the segments of some numbers, in their order.
        largest: positions a side of a segment at most.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        cut: list[Tile],
        decode: Callable[[list[int]], Iterator[NDArray]],
        largest: int = SEGMENT,
    ) -> None:
        self.shape, self.decode, self.largest = shape, decode, largest
        self.places = boxes(*shape, largest)
        self.needed = Counter(n for tile in cut for n in self._seen(tile))
        self.kept: dict[int, NDArray] = {}

    def _seen(self, tile: Tile) -> list[int]:
        return overlapping(*self.shape, tile.outer, self.largest)

    def window(self, tile: Tile) -> NDArray:
        """The latents of all that the tile's network sees, ``(channels, h, w)``."""
        numbers = self._seen(tile)
        decoded = self.decode([number for number in numbers if number not in self.kept])
        window = None
        for number in numbers:
            box = self.places[number]
            part = self.kept.pop(number) if number in self.kept else next(decoded)
            if box == tile.outer:
                window = part
            else:
                if window is None:
                    window = np.empty((part.shape[0], *tile.outer.size), part.dtype)
                shared = box.shared(tile.outer)
                r, c = shared.within(tile.outer)
                sr, sc = shared.within(box)
                window[:, r, c] = part[:, sr, sc]
            self.needed[number] -= 1
            if self.needed[number]:
                self.kept[number] = part
        assert window is not None  # a tile has positions, and each is in a segment
        return window
