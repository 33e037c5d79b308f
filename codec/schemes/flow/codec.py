"""The ``flow`` scheme: pixels <-> entropy segments, exact on every machine, from low rate to
lossless, and the same file again however often its picture is saved.

A picture of up to 768 x 768 pixels is one segment. In a larger one the first segment holds the
coarse levels of the whole, and each tile of up to 768 x 768 pixels adds a segment of its fine
levels. `segment` has what is inside them, and why saving again changes nothing;
``training/flow/network.py`` holds the networks and the references.
"""

from typing import ClassVar

import numpy as np

from ...library import Model
from ...session import Runtime
from .. import segments as shared
from ..model_pair import ModelPair
from ..segments import (
    STRIDE,
    Coded,
    Pixels,
    Region,
    Size,
    covering,
    parallel_map,
    paste,
    pixel_slices,
    positions,
    require_segments,
)
from ..tiling import Box, Tile, boxes, overlapping
from .networks import FlowModel, FlowTables
from .segment import decode_segment, encode_segment, low_resolution
from .windows import TILE_LEVELS, TILE_SPLITS, resolution, tile_windows, whole_windows

__all__ = ["Flow"]


class Flow(ModelPair):
    """Integer lifting under learned priors, invertible; see `base.Scheme`."""

    name: ClassVar[str] = "flow"
    wire_id: ClassVar[int] = 2
    supports_lossless: ClassVar[bool] = True
    supports_lossy: ClassVar[bool] = True
    suits: ClassVar[str] = "editing and archiving photos"

    def __init__(self, decoder: Model, encoder: Model | None = None) -> None:
        super().__init__(decoder, encoder)
        self.tables = FlowTables(decoder.file)

    def encode(self, rgb: Pixels, quality: int, runtime: Runtime) -> Coded:
        """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, or `LOSSLESS`)."""
        size = rgb.shape[1], rgb.shape[0]
        grey = bool(np.all(rgb == rgb[..., :1]))
        tiles = boxes(*positions(*size))
        model = FlowModel(self.decoder, self.tables, quality, runtime)
        if len(tiles) == 1:
            windows = whole_windows(size, range(2 * model.levels))
            data, bits, _ = encode_segment(rgb.astype(np.int32), windows, grey, model)
            return Coded([data], bits)
        coarse = np.empty((*resolution(size, TILE_SPLITS), 3), np.int32)
        for tile in tiles:
            reduced = low_resolution(rgb[pixel_slices(tile)].astype(np.int32), TILE_SPLITS)
            rows, columns = tile.rows.start * STRIDE >> TILE_LEVELS, tile.columns.start * STRIDE
            columns >>= TILE_LEVELS
            coarse[rows : rows + len(reduced), columns : columns + reduced.shape[1]] = reduced
        windows = whole_windows(size, range(TILE_SPLITS, 2 * model.levels))
        first, bits, decoded = encode_segment(coarse, windows, grey, model)

        def coded(tile: Box, runtime: Runtime) -> tuple[bytes, float]:
            model = FlowModel(self.decoder, self.tables, quality, runtime)
            windows = tile_windows(size, tile)
            x = rgb[pixel_slices(tile)].astype(np.int32)
            return encode_segment(x, windows, grey, model, decoded)[:2]

        found = list(parallel_map(coded, tiles, runtime))
        return Coded([first, *(data for data, _ in found)], bits + sum(bits for _, bits in found))

    def decode(
        self,
        segments: list[bytes],
        size: Size,
        quality: int,
        runtime: Runtime,
        region: Region | None = None,
    ) -> Pixels:
        """Pixels of what `encode` wrote, or of a region of it; see `base.Scheme.decode`."""
        require_segments(segments, self.segment_count(size), size)
        tiles = boxes(*positions(*size))
        x, y, w, h = region or (0, 0, *size)
        rgb = np.empty((h, w, 3), np.uint8)
        model = FlowModel(self.decoder, self.tables, quality, runtime)
        if len(tiles) == 1:
            windows = whole_windows(size, range(2 * model.levels))
            pixels = decode_segment(segments[0], windows, model)
            paste(pixels.astype(np.uint8), Tile(tiles[0], tiles[0]), rgb, x, y)
            return rgb
        windows = whole_windows(size, range(TILE_SPLITS, 2 * model.levels))
        coarse = decode_segment(segments[0], windows, model)

        def decoded(number: int, runtime: Runtime) -> None:
            tile = tiles[number - 1]
            model = FlowModel(self.decoder, self.tables, quality, runtime)
            windows = tile_windows(size, tile)
            pixels = decode_segment(segments[number], windows, model, coarse)
            paste(pixels.astype(np.uint8), Tile(tile, tile), rgb, x, y)

        for _ in parallel_map(decoded, self.segments_of(size, (x, y, w, h))[1:], runtime):
            pass
        return rgb

    def verify(self, segments: list[bytes], size: Size, quality: int, runtime: Runtime) -> None:
        """Decodes every segment and checks its pixels."""
        self.decode(segments, size, quality, runtime)

    def segments_of(self, size: Size, region: Region) -> list[int]:
        """The numbers of the segments that `decode` needs for a region: the first, and those of
        the tiles that share pixels with it."""
        if self.segment_count(size) == 1:
            return [0]
        return [0, *(1 + n for n in overlapping(*positions(*size), covering(region)))]

    def segment_count(self, size: Size) -> int:
        """The number of segments of a picture: one a tile, and, of several, the coarse levels."""
        tiles = shared.segment_count(size)
        return tiles if tiles == 1 else 1 + tiles

    def quality_steps(self) -> None:
        """The quality scale is continuous."""
