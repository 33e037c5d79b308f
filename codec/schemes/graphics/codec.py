"""The ``graphics`` scheme: pixels <-> segments that are lossless WebP or PNG files.

For screenshots, plots, logos and scans of text, which learned codecs do not suit: the picture is
cut into tiles of up to 2048 x 2048 pixels, each a segment, so that a region can be decoded alone
and memory is bounded; `tile` has what is inside one. There is no model: files name decoder 0.
Every file is exact, whatever the quality asked for. `choice` tells which pictures it suits.
"""

from dataclasses import replace
from functools import cache
from os import PathLike
from typing import ClassVar

import numpy as np

from ...errors import InputError, ModelError
from ...library import check_tune
from ...session import Runtime
from .. import segments as shared
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
    pixel_slices,
    positions,
)
from ..tiling import Box, Tile, boxes, overlapping
from .tile import decode_tile, encode_tile, quick_size

__all__ = ["Graphics"]

LARGEST = 2048 // STRIDE  # positions a side of a tile
WORKERS = 4  # tiles at once at most: the coder takes 200 MB for one
NO_MODEL = bytes(8)


class Graphics:
    """Lossless coding by WebP and PNG; see `base.Scheme`."""

    name: ClassVar[str] = "graphics"
    wire_id: ClassVar[int] = 4
    supports_lossless: ClassVar[bool] = True
    supports_lossy: ClassVar[bool] = False
    has_model: ClassVar[bool] = False
    suits: ClassVar[str] = "screenshots and drawings, every pixel exact"

    @classmethod
    def open(cls, model: str | PathLike[str] | None = None, tune: str | None = None) -> "Graphics":
        """To write and read files.

        Raises:
            InputError: a model, or a tune that is not the default.
        """
        if model is not None:
            raise InputError("The codec graphics has no model; leave out the model.")
        check_tune(cls.name, tune)
        return _only()

    @classmethod
    def open_decoder(cls, digest: bytes, model: str | PathLike[str] | None = None) -> "Graphics":
        """To read files; a model is not looked at, for none is needed.

        Raises:
            ModelError: the file is of a later version, which has a decoder.
        """
        if digest != NO_MODEL:
            raise ModelError(
                f"The file was written with decoder {cls.name}-{digest.hex()[:8]}, which this "
                "version does not have; install a newer gencodec."
            )
        return _only()

    @property
    def digest(self) -> bytes:
        """Zero: there is no model."""
        return NO_MODEL

    def encode(self, rgb: Pixels, quality: int, runtime: Runtime) -> Coded:
        """Compresses pixels ``(H, W, 3)``; every quality is exact."""
        places = boxes(*positions(rgb.shape[1], rgb.shape[0]), LARGEST)

        def coded(box: Box, runtime: Runtime) -> bytes:
            return encode_tile(rgb[pixel_slices(box)])

        segments = list(parallel_map(coded, places, _few(runtime)))
        return Coded(segments, 8 * sum(map(len, segments)))

    def quick_size(self, rgb: Pixels, limit: float, runtime: Runtime) -> int:
        """About how many bytes of segments `encode` will make; stops where it is over a limit."""
        size = 0
        for box in boxes(*positions(rgb.shape[1], rgb.shape[0]), LARGEST):
            size += quick_size(rgb[pixel_slices(box)])
            if size > limit:
                break
        return size

    def decode(
        self,
        segments: list[bytes],
        size: Size,
        quality: int,
        runtime: Runtime,
        region: Region | None = None,
    ) -> Pixels:
        """Pixels of what `encode` wrote, or of a region of it; see `base.Scheme.decode`."""
        places = boxes(*check_count(segments, size, LARGEST), LARGEST)
        x, y, w, h = region or (0, 0, *size)
        rgb = np.empty((h, w, 3), np.uint8)

        def decoded(number: int, runtime: Runtime) -> None:
            box = places[number]
            paste(_decode(segments[number], box, size), Tile(box, box), rgb, x, y)

        for _ in parallel_map(decoded, self.segments_of(size, (x, y, w, h)), _few(runtime)):
            pass
        return rgb

    def verify(self, segments: list[bytes], size: Size, quality: int, runtime: Runtime) -> None:
        """Decodes every segment and checks its pixels, one at a time."""
        places = boxes(*check_count(segments, size, LARGEST), LARGEST)
        for data, box in zip(segments, places, strict=True):
            _decode(data, box, size)

    def segments_of(self, size: Size, region: Region) -> list[int]:
        """The numbers of the segments that `decode` needs for a region: those that share pixels."""
        return overlapping(*positions(*size), covering(region), LARGEST)

    def segment_count(self, size: Size) -> int:
        """The number of segments of a picture."""
        return shared.segment_count(size, LARGEST)

    def quality_steps(self) -> tuple[float, ...]:
        """One: every file is exact."""
        return (100.0,)


@cache
def _only() -> Graphics:
    return Graphics()


def _few(runtime: Runtime) -> Runtime:
    return replace(runtime, threads=min(runtime.cores, WORKERS))


def _decode(data: bytes, box: Box, size: Size) -> Pixels:
    rows, columns = pixel_slices(box)
    width, height = size
    return decode_tile(
        data, min(rows.stop, height) - rows.start, min(columns.stop, width) - columns.start
    )
