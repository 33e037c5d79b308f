"""The ``autoencoder`` scheme: pixels <-> entropy segments, with the networks of a model pair.

Analysis and synthesis run in tiles that overlap by their receptive field, so that a result does
not depend on the tiling; `segment` has what is inside a segment, `segments` how a picture is gone
through.

``training/autoencoder/network.py`` holds the networks and the references.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ...library import Model
from ...session import Runtime
from .. import segments as shared
from ..model_pair import ModelPair
from ..segments import (
    Coded,
    LatentWindows,
    Pixels,
    Region,
    Size,
    check_count,
    covering,
    crop,
    parallel_map,
    paste,
    positions,
    prefetch,
)
from ..tiling import Tile, boxes, overlapping, tiles
from .entropy_model import EntropyModel, Floats, coding_tables
from .segment import decode_segment, encode_segment

__all__ = ["Autoencoder"]

LARGEST = 32  # positions a side of a segment: small, since they are worked on in parallel


class Autoencoder(ModelPair):
    """A variable-rate autoencoder with an exact two-pass entropy model; see `base.Scheme`."""

    name: ClassVar[str] = "autoencoder"
    wire_id: ClassVar[int] = 1
    supports_lossless: ClassVar[bool] = False
    supports_lossy: ClassVar[bool] = True
    suits: ClassVar[str] = "photos to send and show"

    def __init__(self, decoder: Model, encoder: Model | None = None) -> None:
        super().__init__(decoder, encoder)
        self.tables = coding_tables(decoder)

    def encode(self, rgb: Pixels, quality: int, runtime: Runtime) -> Coded:
        """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000)."""
        entropy = self.entropy_model(quality, runtime)
        rows, columns = positions(rgb.shape[1], rgb.shape[0])
        segment_boxes = boxes(rows, columns, LARGEST)
        segments, estimate = [b""] * len(segment_boxes), 0.0
        cut = tiles(rows, columns, self.encoder.file.settings["halo"], None, LARGEST)

        def coded(part: Floats, runtime: Runtime) -> tuple[bytes, float]:
            return encode_segment(part, self.encoder, entropy.on(runtime))

        for tile, y in prefetch(lambda tile: self._analysis(rgb, tile, entropy), cut, runtime):
            numbers = overlapping(rows, columns, tile.inner, LARGEST)
            parts = [y[:, *segment_boxes[number].within(tile.inner)] for number in numbers]
            found = parallel_map(coded, parts, runtime)
            for number, (data, bits) in zip(numbers, found, strict=True):
                segments[number] = data
                estimate += bits
        return Coded(segments, estimate)

    def decode(
        self,
        segments: list[bytes],
        size: Size,
        quality: int,
        runtime: Runtime,
        region: Region | None = None,
    ) -> Pixels:
        """Pixels of what `encode` wrote, or of a region of it; see `base.Scheme.decode`."""
        entropy = self.entropy_model(quality, runtime)
        rows, columns = check_count(segments, size, LARGEST)
        x, y, w, h = region or (0, 0, *size)
        part = covering((x, y, w, h))  # in positions
        rgb = np.empty((h, w, 3), np.uint8)
        cut = tiles(rows, columns, self.decoder.file.settings["halo"], part, LARGEST)
        segment_boxes = boxes(rows, columns, LARGEST)

        def latents(numbers: list[int]) -> Iterator[Floats]:
            return parallel_map(decoded, numbers, runtime)

        def decoded(number: int, runtime: Runtime) -> Floats:
            return decode_segment(
                segments[number], *segment_boxes[number].size, entropy.on(runtime)
            )

        windows = LatentWindows((rows, columns), cut, latents, LARGEST)
        for tile, window in prefetch(windows.window, cut, runtime):
            (pixels,) = entropy.run("synthesis", y=window[None])
            if len(cut) == 1 and region is None:
                return pixels[0, :h, :w]
            paste(pixels[0], tile, rgb, x, y)
        return rgb

    def verify(self, segments: list[bytes], size: Size, quality: int, runtime: Runtime) -> None:
        """Decodes the symbols of every segment and checks them, without making pixels."""
        entropy = self.entropy_model(quality, runtime)
        segment_boxes = boxes(*check_count(segments, size, LARGEST), LARGEST)
        for data, box in zip(segments, segment_boxes, strict=True):
            decode_segment(data, *box.size, entropy)

    def segments_of(self, size: Size, region: Region) -> list[int]:
        """The numbers of the segments that `decode` needs for a region."""
        return shared.segments_of(size, region, self.decoder.file.settings["halo"], LARGEST)

    def segment_count(self, size: Size) -> int:
        """The number of segments of a picture."""
        return shared.segment_count(size, LARGEST)

    def quality_steps(self) -> None:
        """The quality scale is continuous."""

    def entropy_model(self, quality: int, runtime: Runtime) -> EntropyModel:
        """The entropy model of one picture."""
        return EntropyModel(self.decoder, self.tables, quality, runtime)

    def _analysis(self, rgb: Pixels, tile: Tile, entropy: EntropyModel) -> Floats:
        """``y`` of a tile, ``(channels, h, w)``."""
        feeds = {"x": crop(rgb, tile.outer)[None], "mix": entropy.level_weights}
        (y,) = self.encoder.run("analysis", entropy.runtime, **feeds)
        r, c = tile.inner.within(tile.outer)
        return y[0, :, r, c]
