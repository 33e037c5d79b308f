"""What of the low-resolution pictures the splits of a tile work on.

A tile is coded on its own, but its networks look beyond its borders: every split of a tile works
on a window, the tile and some positions around it, as far as the picture reaches. In the window's
margin no detail is coded; there every symbol is taken to be 0, so that the margin is what the
networks expect of the low-resolution picture, which goes on beyond the tile (`segment`).

Splits are numbered from fine to coarse: number 0 halves the columns of the picture, number 1 the
rows of what that leaves, number 2 the columns again, and so on.
"""

from dataclasses import dataclass

from ..segments import STRIDE, Size
from ..tiling import Box, Span

__all__ = ["TILE_LEVELS", "TILE_SPLITS", "Window", "resolution", "tile_windows", "whole_windows"]

TILE_LEVELS = 3  # of a picture of several tiles, the fine levels, which are coded by tile
TILE_SPLITS = 2 * TILE_LEVELS
MARGIN = 4  # positions around what a split is to give; even, as blocks of the passes are


@dataclass(frozen=True)
class Window:
    """One split of one tile, by pixels of the higher and the lower resolution.

    Attributes:
        size: rows and columns of the picture at the higher resolution.
        given: the pixels of the lower resolution that the split works on.
        kept: the pixels of the higher resolution that are used of its result.
        own: those that belong to the tile; the details of these are coded.
    """

    size: tuple[int, int]
    given: Box
    kept: Box
    own: Box


def resolution(size: Size, number: int) -> tuple[int, int]:
    """Rows and columns of the picture in front of split ``number``.

    Example:
        >>> resolution((100, 50), 0), resolution((100, 50), 1), resolution((100, 50), 2)
        ((50, 100), (50, 50), (25, 50))
    """
    columns, rows = size
    return -(-rows >> number // 2), -(-columns >> (number + 1) // 2)


def whole_windows(size: Size, numbers: range) -> dict[int, Window]:
    """The windows of splits that work on the whole picture, by their numbers."""

    def whole(number: int) -> Box:
        rows, columns = resolution(size, number)
        return Box(Span(0, rows), Span(0, columns))

    return {n: Window(resolution(size, n), whole(n + 1), whole(n), whole(n)) for n in numbers}


def tile_windows(size: Size, tile: Box) -> dict[int, Window]:
    """The windows of a tile (positions of `segments.STRIDE` pixels), by the splits' numbers."""
    rows, columns = resolution(size, 0)
    own = Box(_pixels(tile.rows, rows), _pixels(tile.columns, columns))
    windows, kept = {}, own
    for number in range(TILE_SPLITS):
        rows, columns = resolution(size, number + 1)
        halved = _halved(kept, number)
        given = Box(_widened(halved.rows, rows), _widened(halved.columns, columns))
        windows[number] = Window(resolution(size, number), given, kept, own)
        kept, own = given, _halved(own, number)
    return windows


def _pixels(positions: Span, length: int) -> Span:
    return Span(positions.start * STRIDE, min(positions.end * STRIDE, length))


def _halved(box: Box, number: int) -> Box:
    """The pixels that split ``number`` makes of some."""
    span = box.rows if number % 2 else box.columns
    half = Span(span.start // 2, -(-span.end // 2))
    return Box(half, box.columns) if number % 2 else Box(box.rows, half)


def _widened(span: Span, length: int) -> Span:
    """With a margin; it begins at an even position, where the blocks of the passes begin."""
    return Span(max(0, span.start - MARGIN) // 2 * 2, min(length, span.end + MARGIN))
