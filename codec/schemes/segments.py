"""Between pixels and latent positions: what schemes share that code latents in segments.

A position stands for `STRIDE` x `STRIDE` pixels. Both directions go through a picture tile by tile
and hold, beside the pixels, the latents of a few tiles only: with more than one thread the next
tile is prepared while the one before is worked on.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..progress import steps
from ..session import Runtime
from .tiling import SEGMENT, Box, Span, Tile, boxes, overlapping

__all__ = [
    "STRIDE",
    "Coded",
    "LatentWindows",
    "Pixels",
    "Region",
    "Size",
    "check_count",
    "covering",
    "crop",
    "parallel_map",
    "paste",
    "pixel_slices",
    "positions",
    "prefetch",
    "require_segments",
    "segment_count",
    "segments_of",
]

STRIDE = 16  # pixels a side of a latent position

Item = TypeVar("Item")
Result = TypeVar("Result")
Pixels = NDArray[np.uint8]
Size = tuple[int, int]  # width, height in pixels
Region = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True)
class Coded:
    """A picture's segments, and the bits that they take by the model's own probabilities."""

    segments: list[bytes]
    estimate_bits: float


def positions(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the grid of a picture."""
    return -(-height // STRIDE), -(-width // STRIDE)


def segment_count(size: Size, largest: int = SEGMENT) -> int:
    """The number of segments of a picture."""
    return len(boxes(*positions(*size), largest))


def check_count(segments: list[bytes], size: Size, largest: int = SEGMENT) -> tuple[int, int]:
    """Rows and columns of the grid; FormatError unless there are as many segments as it takes."""
    require_segments(segments, segment_count(size, largest), size)
    return positions(*size)


def require_segments(segments: list[bytes], wanted: int, size: Size) -> None:
    """FormatError unless a picture's segments are as many as wanted."""
    if len(segments) != wanted:
        raise FormatError(
            f"The file is damaged: it holds {len(segments)} segments where a picture of "
            f"{size[0]}x{size[1]} has {wanted}."
        )


def segments_of(size: Size, region: Region, halo: int, largest: int = SEGMENT) -> list[int]:
    """The numbers of the segments that decoding a region takes.

    Arguments:
        halo: positions around a tile that the synthesis network sees.
    """
    rows, columns = positions(*size)
    return overlapping(rows, columns, covering(region).widened(halo, rows, columns), largest)


def covering(region: Region) -> Box:
    """The positions that cover a region."""
    x, y, width, height = region
    return Box(
        Span(y // STRIDE, -(-(y + height) // STRIDE)), Span(x // STRIDE, -(-(x + width) // STRIDE))
    )


def pixel_slices(box: Box) -> tuple[slice, slice]:
    """Rows and columns of the pixels of some positions; the last may reach beyond the picture."""
    rows, columns = box.rows, box.columns
    return (
        slice(rows.start * STRIDE, rows.end * STRIDE),
        slice(columns.start * STRIDE, columns.end * STRIDE),
    )


def crop(rgb: Pixels, box: Box) -> Pixels:
    """The pixels of some positions; beyond the picture its last pixels are repeated."""
    rows, columns = box.rows, box.columns
    x = rgb[pixel_slices(box)]
    bottom, right = rows.size * STRIDE - x.shape[0], columns.size * STRIDE - x.shape[1]
    if bottom or right:
        x = np.pad(x, ((0, bottom), (0, right), (0, 0)), "edge")
    return x


def paste(pixels: Pixels, tile: Tile, rgb: Pixels, x: int, y: int) -> None:
    """Puts a tile's pixels into ``rgb``, which is the region that begins at ``x``, ``y``."""
    slices = []
    for outer, inner, start, length in (
        (tile.outer.rows, tile.inner.rows, y, rgb.shape[0]),
        (tile.outer.columns, tile.inner.columns, x, rgb.shape[1]),
    ):
        first = max(inner.start * STRIDE, start)
        last = min(inner.end * STRIDE, start + length)
        slices.append((slice(first - start, last - start), first - outer.start * STRIDE))
    (rows, top), (columns, left) = slices
    height, width = rgb[rows, columns].shape[:2]
    rgb[rows, columns] = pixels[top : top + height, left : left + width]


def prefetch(
    work: Callable[[Item], Result], items: Sequence[Item], runtime: Runtime
) -> Iterator[tuple[Item, Result]]:
    """Each item with the result of ``work``; the next is worked on in a thread meanwhile."""
    if len(items) == 1 or runtime.cores == 1:
        for item in steps(items):
            yield item, work(item)
        return
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(work, items[0])
        for number, item in enumerate(steps(items)):
            result = following.result()
            if number + 1 < len(items):
                following = pool.submit(work, items[number + 1])
            yield item, result


def parallel_map(
    work: Callable[[Item, Runtime], Result], items: Sequence[Item], runtime: Runtime
) -> Iterator[Result]:
    """The results of ``work``, in order; several items at once, each on one thread."""
    if len(items) < 2 or runtime.cores == 1:
        return (work(item, runtime) for item in steps(items))
    alone = replace(runtime, threads=1)
    return steps(_workers(runtime.cores).map(lambda item: work(item, alone), items), len(items))


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "gencodec")


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads
    os.register_at_fork(after_in_child=_workers.cache_clear)


class LatentWindows:
    """The latents of each tile, from segments that are decoded when first needed.

    A segment is kept until the last tile that needs it has been made.

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
        self.boxes = boxes(*shape, largest)
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
            box = self.boxes[number]
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
