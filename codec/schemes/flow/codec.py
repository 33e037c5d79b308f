"""The ``flow`` scheme: pixels <-> entropy segments, exact on every machine, from low rate to
lossless, and the same file again however often its picture is saved.

A segment is a part of the picture of up to 768 x 768 pixels, on its own; what is inside it, and why
saving again changes nothing, is in `halvings`. ``training/flow/network.py`` holds the networks and
the references.
"""

import numpy as np
from numpy.typing import NDArray

from ...library import Model
from ...modelfile import ModelFile
from ...session import Runtime
from ..segments import (
    STRIDE,
    Coded,
    Region,
    check_count,
    covering,
    paste,
    positions,
    segment_count,
    spread,
)
from ..tiling import Box, Tile, boxes, overlapping
from .segment import LOSSLESS, Side, decode_segment, encode_segment

__all__ = [
    "EXACT",
    "LOSSLESS",
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

NAME, WIRE_ID = "flow", 2
EXACT = True  # can be lossless, and saving again changes nothing at any quality


def encode(
    rgb: NDArray[np.uint8], quality: int, encoder: Model, decoder: Model, runtime: Runtime
) -> Coded:
    """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000, or `LOSSLESS`)."""

    def coded(box: Box, runtime: Runtime) -> tuple[bytes, float]:
        return encode_segment(rgb[_pixels(box)].astype(np.int32), Side(decoder, quality, runtime))

    places = boxes(*positions(rgb.shape[1], rgb.shape[0]))
    found = list(spread(coded, places, runtime))
    return Coded([data for data, _ in found], sum(bits for _, bits in found))


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
    places = boxes(*check_count(segments, width, height))
    x, y, w, h = region or (0, 0, width, height)
    rgb = np.empty((h, w, 3), np.uint8)

    def decoded(number: int, runtime: Runtime) -> None:
        box = places[number]
        rows, columns = _pixels(box)
        shape = min(rows.stop, height) - rows.start, min(columns.stop, width) - columns.start
        side = Side(decoder, quality, runtime)
        pixels = decode_segment(segments[number], *shape, side)
        paste(pixels.astype(np.uint8), Tile(box, box), rgb, x, y)

    for _ in spread(decoded, segments_of(width, height, (x, y, w, h), decoder), runtime):
        pass
    return rgb


def verify(
    segments: list[bytes],
    width: int,
    height: int,
    quality: int,
    decoder: Model,
    runtime: Runtime,
) -> None:
    """Decodes every segment and checks its pixels."""
    decode(segments, width, height, quality, decoder, runtime)


def segments_of(width: int, height: int, region: Region, decoder: Model) -> list[int]:
    """The numbers of the segments that `decode` needs for a region: those that share pixels."""
    return overlapping(*positions(width, height), covering(region))


def steps(model: ModelFile) -> None:
    """The quality scale is continuous."""


def _pixels(box: Box) -> tuple[slice, slice]:
    """Rows and columns of pixels; the last may reach beyond the picture."""
    rows, columns = box.rows, box.columns
    return (
        slice(rows.start * STRIDE, rows.end * STRIDE),
        slice(columns.start * STRIDE, columns.end * STRIDE),
    )
