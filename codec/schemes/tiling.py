"""How a latent grid is cut: into entropy segments, and into overlapping tiles for the networks."""

from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Box", "Span", "Tile", "boxes", "overlapping", "spans", "tiles"]

SEGMENT = 48  # positions a side of a segment at most: 768 pixels
UNIT = 4  # segments begin at multiples of this
GROUP = 96  # positions a side of a network's tile, at least: 1536 pixels
WHOLE = 128 * 72  # positions up to which a picture is one tile (2048x1152 pixels)


@dataclass(frozen=True)
class Span:
    """Positions ``start .. end - 1`` of one axis."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    def widened(self, by: int, length: int) -> "Span":
        """With ``by`` more positions at both ends, as far as the axis reaches."""
        return Span(max(0, self.start - by), min(length, self.end + by))

    def within(self, other: "Span") -> slice:
        """Where this span lies in an array that begins where ``other`` begins."""
        return slice(self.start - other.start, self.end - other.start)

    def shared(self, other: "Span") -> "Span":
        """The positions that are in both."""
        return Span(max(self.start, other.start), min(self.end, other.end))


@dataclass(frozen=True)
class Box:
    """A part of the grid."""

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        return self.rows.size, self.columns.size

    def within(self, other: "Box") -> tuple[slice, slice]:
        """Where this box lies in an array of the positions of ``other``."""
        return self.rows.within(other.rows), self.columns.within(other.columns)

    def widened(self, by: int, rows: int, columns: int) -> "Box":
        """With ``by`` more positions all around, as far as a grid of that size reaches."""
        return Box(self.rows.widened(by, rows), self.columns.widened(by, columns))

    def shared(self, other: "Box") -> "Box":
        """The positions that are in both."""
        return Box(self.rows.shared(other.rows), self.columns.shared(other.columns))


@dataclass(frozen=True)
class Tile:
    """What a network sees (``outer``), and what of its result is used (``inner``)."""

    outer: Box
    inner: Box


def spans(length: int, largest: int = SEGMENT) -> list[Span]:
    """Cuts one axis into as few segments as can be, alike in size, none over ``largest``.

    Example:
        >>> [span.size for span in spans(48)], [span.size for span in spans(49)]
        ([48], [28, 21])
    """
    count = max(1, -(-length // largest))
    units = -(-length // UNIT)
    ends = [UNIT * -(-units * (i + 1) // count) for i in range(count - 1)] + [length]
    return [Span(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def boxes(rows: int, columns: int, largest: int = SEGMENT) -> list[Box]:
    """The segments of a grid, in raster order."""
    across = spans(columns, largest)
    return [Box(one, other) for one in spans(rows, largest) for other in across]


def overlapping(rows: int, columns: int, box: Box, largest: int = SEGMENT) -> list[int]:
    """The numbers, in raster order, of the segments that share positions with ``box``."""
    down, across = spans(rows, largest), spans(columns, largest)
    chosen = [i for i, span in enumerate(across) if span.shared(box.columns).size > 0]
    return [
        r * len(across) + c
        for r, span in enumerate(down)
        if span.shared(box.rows).size > 0
        for c in chosen
    ]


def tiles(
    rows: int, columns: int, halo: int, part: Box | None = None, largest: int = SEGMENT
) -> list[Tile]:
    """Tiles that cover a grid, or a part of it, each seen with ``halo`` positions around it.

    With a halo of at least the network's receptive field the result does not depend on the
    tiling. Their borders are borders of segments (and those of the part), and they go along the
    shorter axis first: who keeps the segments that later tiles still need then keeps few.
    """
    part = part or Box(Span(0, rows), Span(0, columns))
    if part.rows.size * part.columns.size <= WHOLE:
        cut = [(part.rows, part.columns)]
    elif rows <= columns:
        down = _groups(rows, part.rows, largest)
        cut = [(one, other) for other in _groups(columns, part.columns, largest) for one in down]
    else:
        across = _groups(columns, part.columns, largest)
        cut = [(one, other) for one in _groups(rows, part.rows, largest) for other in across]
    inner = [Box(r, c) for r, c in cut]
    return [Tile(box.widened(halo, rows, columns), box) for box in inner]


def _groups(length: int, part: Span, largest: int) -> list[Span]:
    ends = [span.end for span in spans(length, largest)]
    each = max(1, GROUP // (length // len(ends)))  # segments a group
    cuts = [part.start, *(e for e in ends[each - 1 :: each] if part.start < e < part.end), part.end]
    return [Span(start, end) for start, end in pairwise(cuts)]
