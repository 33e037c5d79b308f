"""The ``autoencoder`` scheme: pixels <-> entropy segments, with the networks of a model pair.

Analysis and synthesis run in tiles that overlap by their receptive field, so that a result does
not depend on the tiling; what is inside a segment is `latents`' business, and how a picture is
gone through `picture`'s.

``training/autoencoder/network.py`` holds the networks and the references.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...library import Model
from ...modelfile import ModelFile
from ...session import Runtime
from .. import segments as picture
from ..segments import (
    Coded,
    Region,
    Windows,
    ahead,
    check_count,
    covering,
    crop,
    paste,
    positions,
    spread,
)
from ..tiling import Tile, boxes, overlapping, tiles
from .entropy_model import Side
from .segment import decode_segment, encode_segment

__all__ = [
    "EXACT",
    "NAME",
    "WIRE_ID",
    "Coded",
    "decode",
    "encode",
    "segment_count",
    "segments_of",
    "steps",
    "verify",
]

NAME, WIRE_ID = "autoencoder", 1
LARGEST = 32  # positions a side of a segment: small, since they are worked on in parallel
EXACT = False  # cannot be lossless, nor is saving again without loss

Floats = NDArray[np.float32]


def encode(
    rgb: NDArray[np.uint8], quality: int, encoder: Model, decoder: Model, runtime: Runtime
) -> Coded:
    """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000)."""
    side = Side(decoder, quality, runtime)
    rows, columns = positions(rgb.shape[1], rgb.shape[0])
    places = boxes(rows, columns, LARGEST)
    segments, estimate = [b""] * len(places), 0.0
    cut = tiles(rows, columns, encoder.file.settings["halo"], None, LARGEST)

    def coded(part: Floats, runtime: Runtime) -> tuple[bytes, float]:
        return encode_segment(part, encoder, side.on(runtime))

    for tile, y in ahead(lambda tile: _analysis(rgb, tile, encoder, side), cut, runtime):
        numbers = overlapping(rows, columns, tile.inner, LARGEST)
        parts = [y[:, *places[number].within(tile.inner)] for number in numbers]
        for number, (data, bits) in zip(numbers, spread(coded, parts, runtime), strict=True):
            segments[number] = data
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
    rows, columns = check_count(segments, width, height, LARGEST)
    x, y, w, h = region or (0, 0, width, height)
    part = covering((x, y, w, h))  # in positions
    rgb = np.empty((h, w, 3), np.uint8)
    cut = tiles(rows, columns, side.settings["halo"], part, LARGEST)
    places = boxes(rows, columns, LARGEST)

    def latents(numbers: list[int]) -> Iterator[Floats]:
        return spread(decoded, numbers, runtime)

    def decoded(number: int, runtime: Runtime) -> Floats:
        return decode_segment(segments[number], *places[number].size, side.on(runtime))

    windows = Windows((rows, columns), cut, latents, LARGEST)
    for tile, window in ahead(windows.window, cut, runtime):
        (pixels,) = side.run("synthesis", y=window[None])
        if len(cut) == 1 and region is None:
            return pixels[0, :h, :w]
        paste(pixels[0], tile, rgb, x, y)
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
    places = boxes(*check_count(segments, width, height, LARGEST), LARGEST)
    for data, box in zip(segments, places, strict=True):
        decode_segment(data, *box.size, side)


segment_count = partial(picture.segment_count, largest=LARGEST)
segments_of = partial(picture.segments_of, largest=LARGEST)


def steps(model: ModelFile) -> None:
    """The quality scale is continuous."""


def _analysis(rgb: NDArray[np.uint8], tile: Tile, encoder: Model, side: Side) -> Floats:
    """``y`` of a tile, ``(channels, h, w)``."""
    mix = side.mix.astype(np.float32)[None]
    (y,) = encoder.run("analysis", side.runtime, x=crop(rgb, tile.outer)[None], mix=mix)
    r, c = tile.inner.within(tile.outer)
    return y[0, :, r, c]
