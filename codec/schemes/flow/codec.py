"""The ``flow`` scheme: pixels <-> entropy segments, exact on every machine, from low rate to
lossless, and the same file again however often its picture is saved.

A segment is a part of the picture of up to 768 x 768 pixels, coded on its own; `segment` has what
is inside it, and why saving again changes nothing. ``training/flow/network.py`` holds the networks
and the references.
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
    check_count,
    covering,
    parallel_map,
    paste,
    positions,
)
from ..tiling import Box, Tile, boxes, overlapping
from .segment import FlowModel, FlowTables, decode_segment, encode_segment

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

        def coded(box: Box, runtime: Runtime) -> tuple[bytes, float]:
            x = rgb[_pixels(box)].astype(np.int32)
            return encode_segment(x, FlowModel(self.decoder, self.tables, quality, runtime))

        places = boxes(*positions(rgb.shape[1], rgb.shape[0]))
        found = list(parallel_map(coded, places, runtime))
        return Coded([data for data, _ in found], sum(bits for _, bits in found))

    def decode(
        self,
        segments: list[bytes],
        size: Size,
        quality: int,
        runtime: Runtime,
        region: Region | None = None,
    ) -> Pixels:
        """Pixels of what `encode` wrote, or of a region of it; see `base.Scheme.decode`."""
        places = boxes(*check_count(segments, size))
        width, height = size
        x, y, w, h = region or (0, 0, *size)
        rgb = np.empty((h, w, 3), np.uint8)

        def decoded(number: int, runtime: Runtime) -> None:
            box = places[number]
            rows, columns = _pixels(box)
            shape = min(rows.stop, height) - rows.start, min(columns.stop, width) - columns.start
            model = FlowModel(self.decoder, self.tables, quality, runtime)
            pixels = decode_segment(segments[number], *shape, model)
            paste(pixels.astype(np.uint8), Tile(box, box), rgb, x, y)

        for _ in parallel_map(decoded, self.segments_of(size, (x, y, w, h)), runtime):
            pass
        return rgb

    def verify(self, segments: list[bytes], size: Size, quality: int, runtime: Runtime) -> None:
        """Decodes every segment and checks its pixels."""
        self.decode(segments, size, quality, runtime)

    def segments_of(self, size: Size, region: Region) -> list[int]:
        """The numbers of the segments that `decode` needs for a region: those that share pixels."""
        return overlapping(*positions(*size), covering(region))

    def segment_count(self, size: Size) -> int:
        """The number of segments of a picture."""
        return shared.segment_count(size)

    def quality_steps(self) -> None:
        """The quality scale is continuous."""


def _pixels(box: Box) -> tuple[slice, slice]:
    """Rows and columns of pixels; the last may reach beyond the picture."""
    rows, columns = box.rows, box.columns
    return (
        slice(rows.start * STRIDE, rows.end * STRIDE),
        slice(columns.start * STRIDE, columns.end * STRIDE),
    )
