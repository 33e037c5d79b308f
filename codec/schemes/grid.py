"""How a latent grid is cut: into entropy segments, and into overlapping tiles for the networks."""

from dataclasses import dataclass

__all__ = ["Span", "Tile", "spans", "tiles"]

SEGMENT = 32  # positions a side: 512 pixels
TILE = 64  # positions a side of a network's tile: 1024 pixels
WHOLE = 128 * 72  # positions up to which a picture is one tile (2048x1152 pixels)


@dataclass(frozen=True)
class Span:
    """Positions ``start .. end - 1`` of one axis."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Tile:
    """A part of the grid: what the network sees, and what of its result is used, and where."""

    outer: tuple[Span, Span]
    source: tuple[slice, slice, slice]
    target: tuple[slice, slice, slice]


def spans(length: int) -> list[Span]:
    """Cuts one axis into segments of `SEGMENT`; a rest of at most half of it joins the last one.

    Example:
        >>> [span.size for span in spans(48)], [span.size for span in spans(49)]
        ([48], [32, 17])
    """
    count = max(1, (length + SEGMENT // 2 - 1) // SEGMENT)
    ends = [SEGMENT * (i + 1) for i in range(count - 1)] + [length]
    return [Span(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def tiles(rows: int, columns: int, halo: int) -> list[Tile]:
    """Tiles that cover a grid, each seen with ``halo`` positions of its neighbours around it.

    With a halo of at least the network's receptive field the result does not depend on the tiling.
    """
    if rows * columns <= WHOLE:
        full = (Span(0, rows), Span(0, columns))
        everything = (slice(None), slice(0, rows), slice(0, columns))
        return [Tile(full, everything, everything)]
    made = []
    for top in range(0, rows, TILE):
        for left in range(0, columns, TILE):
            r0, r1, rs, rt = _axis(top, rows, halo)
            c0, c1, cs, ct = _axis(left, columns, halo)
            made.append(
                Tile((Span(r0, r1), Span(c0, c1)), (slice(None), rs, cs), (slice(None), rt, ct))
            )
    return made


def _axis(start: int, length: int, halo: int) -> tuple[int, int, slice, slice]:
    end = min(start + TILE, length)
    outer0, outer1 = max(0, start - halo), min(length, end + halo)
    return outer0, outer1, slice(start - outer0, end - outer0), slice(start, end)
