"""The ``autoencoder`` scheme: pixels <-> entropy segments, with the networks of a model pair.

Analysis and synthesis run in tiles that overlap by their receptive field, so that a result does
not depend on the tiling; what is inside a segment is `latents`' business. Both directions go
through a picture tile by tile and hold, beside the pixels, the latents of a few tiles only: with
more than one thread the next tile is prepared while the one before is worked on.

``training/models/autoencoder.py`` holds the networks and the references.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..library import Model
from ..session import Runtime
from .grid import Box, Span, Tile, boxes, overlapping, tiles
from .latents import Side, decode_segment, encode_segment

__all__ = [
    "NAME",
    "WIRE_ID",
    "Coded",
    "decode",
    "encode",
    "segment_count",
    "segments_of",
    "verify",
]

NAME, WIRE_ID = "autoencoder", 1
STRIDE = 16  # pixels a position of y

Item = TypeVar("Item")
Result = TypeVar("Result")
Floats = NDArray[np.float32]
Region = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True)
class Coded:
    """A picture's segments, and the bits that the model itself reckons for them."""

    segments: list[bytes]
    estimate_bits: float


def encode(
    rgb: NDArray[np.uint8], quality: int, encoder: Model, decoder: Model, runtime: Runtime
) -> Coded:
    """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000)."""
    side = Side(decoder, quality, runtime)
    rows, columns = _grid(rgb.shape[1], rgb.shape[0])
    places = boxes(rows, columns)
    segments, estimate = [b""] * len(places), 0.0
    cut = tiles(rows, columns, encoder.file.settings["halo"])
    for tile, y in _ahead(lambda tile: _analysis(rgb, tile, encoder, side), cut, runtime):
        for number in overlapping(rows, columns, tile.inner):
            r, c = places[number].within(tile.inner)
            segments[number], bits = encode_segment(y[:, r, c], encoder, side)
            estimate += bits
    return Coded(segments, estimate)


def decode(
    segments: list[bytes],
    width: int,
    height: int,
    quality: int,
    decoder: Model,
    runtime: Runtime,
    region: Region | None = None,
) -> NDArray[np.uint8]:
    """Pixels ``(height, width, 3)`` of what `encode` wrote, or of a region of it.

    Arguments:
        region: x, y, width and height in pixels, inside the picture; of the segments only those
            that `segments_of` names are looked at.

    Raises:
        FormatError: a segment is missing or damaged.
    """
    side = Side(decoder, quality, runtime)
    rows, columns = _check_count(segments, width, height)
    x, y, w, h = region or (0, 0, width, height)
    part = _covering((x, y, w, h))  # in positions
    rgb = np.empty((h, w, 3), np.uint8)
    cut = tiles(rows, columns, side.settings["halo"], part)
    latents = _Latents(segments, (rows, columns), cut, side)
    for tile, window in _ahead(latents.window, cut, runtime):
        (pixels,) = side.run("synthesis", y=window[None])
        _paste(pixels[0], tile, rgb, x, y)
    return rgb


def verify(
    segments: list[bytes],
    width: int,
    height: int,
    quality: int,
    decoder: Model,
    runtime: Runtime,
) -> None:
    """Decodes the symbols of every segment and checks them, without making pixels."""
    side = Side(decoder, quality, runtime)
    places = boxes(*_check_count(segments, width, height))
    for data, box in zip(segments, places, strict=True):
        decode_segment(data, *box.size, side)


def segment_count(width: int, height: int) -> int:
    """The number of segments of a picture."""
    return len(boxes(*_grid(width, height)))


def segments_of(width: int, height: int, region: Region, decoder: Model) -> list[int]:
    """The numbers of the segments that `decode` needs for a region."""
    rows, columns = _grid(width, height)
    part, halo = _covering(region), decoder.file.settings["halo"]
    return overlapping(rows, columns, part.widened(halo, rows, columns))


class _Latents:
    """The latents of each tile, from segments that are decoded when first needed.

    A segment that a later tile will look into again is kept until then, and no longer.
    """

    def __init__(
        self, segments: list[bytes], shape: tuple[int, int], cut: list[Tile], side: Side
    ) -> None:
        self.segments, self.shape, self.side = segments, shape, side
        self.places = boxes(*shape)
        self.needed = Counter(n for tile in cut for n in overlapping(*shape, tile.outer))
        self.kept: dict[int, Floats] = {}

    def window(self, tile: Tile) -> Floats:
        """``y`` of all that the tile's network sees, ``(channels, h, w)``."""
        y = np.empty((self.side.channels, *tile.outer.size), np.float32)
        for number in overlapping(*self.shape, tile.outer):
            box = self.places[number]
            part = self.kept.pop(number, None)
            if part is None:
                part = decode_segment(self.segments[number], *box.size, self.side)
            if box == tile.outer:
                y = part
            else:
                shared = box.shared(tile.outer)
                r, c = shared.within(tile.outer)
                sr, sc = shared.within(box)
                y[:, r, c] = part[:, sr, sc]
            self.needed[number] -= 1
            if self.needed[number]:
                self.kept[number] = part
        return y


def _ahead(
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


def _grid(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of ``y``."""
    return -(-height // STRIDE), -(-width // STRIDE)


def _check_count(segments: list[bytes], width: int, height: int) -> tuple[int, int]:
    """Rows and columns of ``y``; FormatError if there are not as many segments as they take."""
    wanted = segment_count(width, height)
    if len(segments) != wanted:
        raise FormatError(
            f"The file is damaged: it holds {len(segments)} segments where a picture of "
            f"{width}x{height} has {wanted}."
        )
    return _grid(width, height)


def _covering(region: Region) -> Box:
    """The positions of ``y`` that cover a region."""
    x, y, width, height = region
    return Box(
        Span(y // STRIDE, -(-(y + height) // STRIDE)), Span(x // STRIDE, -(-(x + width) // STRIDE))
    )


def _analysis(rgb: NDArray[np.uint8], tile: Tile, encoder: Model, side: Side) -> Floats:
    """``y`` of a tile, ``(channels, h, w)``; beyond the picture its last pixels are repeated."""
    rows, columns = tile.outer.rows, tile.outer.columns
    x = rgb[rows.start * STRIDE : rows.end * STRIDE, columns.start * STRIDE : columns.end * STRIDE]
    bottom, right = rows.size * STRIDE - x.shape[0], columns.size * STRIDE - x.shape[1]
    if bottom or right:
        x = np.pad(x, ((0, bottom), (0, right), (0, 0)), "edge")
    mix = side.mix.astype(np.float32)[None]
    (y,) = encoder.run("analysis", side.runtime, x=x[None], mix=mix)
    r, c = tile.inner.within(tile.outer)
    return y[0, :, r, c]


def _paste(pixels: NDArray[np.uint8], tile: Tile, rgb: NDArray[np.uint8], x: int, y: int) -> None:
    """Puts what ``synthesis`` made of a tile into the region that begins at ``x``, ``y``."""
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
