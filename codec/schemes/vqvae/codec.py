"""The ``vqvae`` scheme: pixels <-> vector-quantised codes under exact autoregressive priors.

A segment holds the codes of the levels sent, level by level, each level in the order of its waves
(see `pixelcnn`): by ``x + 2 y``, and within a wave by ``y``. How many levels are sent follows from
the file's quality alone. Each code is coded under the frequencies that the level's prior gives from
the codes before it, in the same segment. Two bytes before the stream check the codes.

The encoder chooses codes in the same order: of all codevectors the one whose squared distance plus
the worth of its bits is least. That is its own affair; any codes would decode.

``training/vqvae/network.py`` and ``pixelcnn.py`` hold the networks and the references.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...entropy import Decoder, Encoder
from ...errors import FormatError
from ...library import Model
from ...modelfile import ModelFile
from ...session import Runtime
from ..segments import (
    STRIDE,
    Coded,
    Region,
    Windows,
    ahead,
    check_count,
    covering,
    crop,
    paste,
    positions,
    segment_count,
    segments_of,
)
from ..tiling import Box, Span, Tile, boxes, overlapping, tiles
from .prior import TOTAL, Field, priors

__all__ = [
    "EXACT",
    "NAME",
    "STRIDE",
    "WIRE_ID",
    "batches",
    "choose",
    "codevectors",
    "decode",
    "encode",
    "latent",
    "levels_sent",
    "pixels",
    "search",
    "segment_count",
    "segments_of",
    "steps",
    "verify",
    "waves",
]

NAME, WIRE_ID = "vqvae", 3
EXACT = False  # cannot be lossless, nor is saving again without loss
TOGETHER = 9  # segments whose waves run together (a tile's): full matrices, little memory

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
Item = TypeVar("Item")
Owners = list[tuple[int, slice]]  # which rows of a wave belong to which segment


def encode(
    rgb: NDArray[np.uint8], quality: int, encoder: Model, decoder: Model, runtime: Runtime
) -> Coded:
    """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000)."""
    levels = levels_sent(quality, decoder)
    rows, columns = positions(rgb.shape[1], rgb.shape[0])
    places = boxes(rows, columns)
    segments, bits = [b""] * len(places), 0.0
    cut = tiles(rows, columns, encoder.file.settings["halo"])
    for tile, z in ahead(lambda tile: _analysis(rgb, tile, encoder, runtime), cut, runtime):
        for numbers in batches(overlapping(rows, columns, tile.inner)):
            field = Field(priors(decoder), [places[number].size for number in numbers])
            parts = [z[:, *places[number].within(tile.inner)] for number in numbers]
            coders = [Encoder() for _ in numbers]
            for _, found, frequencies, owners in search(field, parts, levels, encoder, decoder):
                for place, part in owners:
                    coders[place].put_each(found[part], frequencies[part])
            for place, (number, coder) in enumerate(zip(numbers, coders, strict=True)):
                segments[number] = _checksum(field.segment(place, levels)) + coder.finish()
                bits += coder.bits
    return Coded(segments, bits)


def search(
    field: Field, latents: list[Floats], levels: int, encoder: Model, decoder: Model
) -> Iterator[tuple[int, Codes, NDArray, Owners]]:
    """Chooses the codes of a field for the latents ``(dims, rows, columns)`` of its segments.

    Returns: wave by wave the level, the codes, their frequencies, and which part is of which
        segment.
    """
    worth: list[float] = encoder.file.settings["bit_worth"]
    rest = np.zeros((field.codes.shape[1], latents[0].shape[0]), np.float32)
    for place, z in zip(field.places, latents, strict=True):
        rest[place] = z.reshape(z.shape[0], -1).T
    for level in range(levels):
        vectors = codevectors(decoder)[level]
        for where, frequencies, owners in waves(field, level):
            found = choose(rest[where], vectors, frequencies, worth[level])
            field.codes[level, where] = found
            rest[where] -= vectors[found]
            yield level, found, frequencies, owners


def choose(rest: Floats, vectors: Floats, frequencies: NDArray, worth: float) -> Codes:
    """For each row of ``rest`` the code of least squared distance plus ``worth`` times its bits."""
    cost = (vectors * vectors).sum(1) - 2 * (rest @ vectors.T)
    cost -= worth * np.log2(frequencies / TOTAL)
    return cost.argmin(1).astype(np.int32)


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
    levels = levels_sent(quality, decoder)
    rows, columns = check_count(segments, width, height)
    x, y, w, h = region or (0, 0, width, height)
    rgb = np.empty((h, w, 3), np.uint8)
    cut = tiles(rows, columns, decoder.file.settings["halo"], covering((x, y, w, h)))
    places = boxes(rows, columns)

    def decoded(numbers: list[int]) -> Iterator[Codes]:
        return _decoded(segments, places, numbers, levels, decoder)

    windows = Windows((rows, columns), cut, decoded)
    for tile, codes in ahead(windows.window, cut, runtime):
        paste(_synthesis(codes, decoder, runtime), tile, rgb, x, y)
    return rgb


def verify(
    segments: list[bytes],
    width: int,
    height: int,
    quality: int,
    decoder: Model,
    runtime: Runtime,
) -> None:
    """Decodes the codes of every segment and checks them, without making pixels."""
    places = boxes(*check_count(segments, width, height))
    levels = levels_sent(quality, decoder)
    for _ in _decoded(segments, places, range(len(places)), levels, decoder):
        pass


def levels_sent(quality: int, decoder: Model) -> int:
    """How many levels a file of that quality (hundredths) holds: equal parts of the scale."""
    levels: int = decoder.file.settings["levels"]
    return min(levels, 1 + quality * levels // 10_000)


def steps(model: ModelFile) -> tuple[float, ...]:
    """The qualities from which a file of this model holds one more level."""
    levels: int = model.settings["levels"]
    return tuple(100 * level / levels for level in range(levels))


def pixels(
    codes: Codes, width: int, height: int, decoder: Model, runtime: Runtime
) -> NDArray[np.uint8]:
    """The picture of codes ``(levels, rows, columns)``, tile by tile."""
    rgb = np.empty((height, width, 3), np.uint8)
    whole = _whole(width, height)
    for tile in tiles(*whole.size, decoder.file.settings["halo"]):
        seen = codes[:, *tile.outer.within(whole)]
        paste(_synthesis(seen, decoder, runtime), tile, rgb, 0, 0)
    return rgb


def codevectors(decoder: Model) -> Floats:
    """The codebooks, ``(levels, codes, dims)``."""
    made = decoder.cache.get("codevectors")
    if made is None:
        made = decoder.cache["codevectors"] = decoder.file.table("codevectors").astype(np.float32)
    return made


def latent(rgb: NDArray[np.uint8], encoder: Model, decoder: Model, runtime: Runtime) -> Floats:
    """The latent ``(dims, rows, columns)`` of the whole picture, tile by tile."""
    whole = _whole(rgb.shape[1], rgb.shape[0])
    z = np.empty((codevectors(decoder).shape[2], *whole.size), np.float32)
    for tile in tiles(*whole.size, encoder.file.settings["halo"]):
        z[:, *tile.inner.within(whole)] = _analysis(rgb, tile, encoder, runtime)
    return z


def _whole(width: int, height: int) -> Box:
    rows, columns = positions(width, height)
    return Box(Span(0, rows), Span(0, columns))


def _analysis(rgb: NDArray[np.uint8], tile: Tile, encoder: Model, runtime: Runtime) -> Floats:
    """The latent of a tile, ``(dims, h, w)``."""
    (z,) = encoder.run("analysis", runtime, x=crop(rgb, tile.outer)[None])
    return z[0][:, *tile.inner.within(tile.outer)]


def _synthesis(codes: Codes, decoder: Model, runtime: Runtime) -> NDArray[np.uint8]:
    """Pixels of codes ``(levels, h, w)``, all at once."""
    vectors = codevectors(decoder)
    sent = np.zeros((1, len(vectors)), np.float32)
    sent[0, len(codes) - 1] = 1
    z = np.zeros((*codes.shape[1:], vectors.shape[2]), np.float32)
    for book, level in zip(vectors, codes, strict=False):  # of the books those that were sent
        z += book[level]
    (x,) = decoder.run("synthesis", runtime, z=z.transpose(2, 0, 1)[None], sent=sent)
    return x[0]


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Segments, however they are named, as many at a time as run together."""
    for start in range(0, len(items), TOGETHER):
        yield items[start : start + TOGETHER]


def waves(field: Field, level: int) -> Iterator[tuple[NDArray, NDArray, Owners]]:
    """Wave by wave: positions, their frequencies, and which part belongs to which segment."""
    field.begin(level)
    for where, owners in field.waves():
        cuts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
        parts = [(int(owners[start]), slice(start, end)) for start, end in pairwise(cuts)]
        yield where, field.frequencies(where), parts


def _decoded(
    segments: list[bytes],
    places: list[Box],
    numbers: Sequence[int],
    levels: int,
    decoder: Model,
) -> Iterator[Codes]:
    """Codes ``(levels, h, w)`` of the segments of some numbers, checked."""
    for batch in batches(numbers):
        if any(len(segments[number]) < 2 for number in batch):
            raise FormatError("The file is damaged: a segment is too short.")
        field = Field(priors(decoder), [places[number].size for number in batch])
        coders = [Decoder(segments[number][2:]) for number in batch]
        for level in range(levels):
            for where, frequencies, owners in waves(field, level):
                for place, part in owners:
                    found = coders[place].take_each(frequencies[part])
                    field.codes[level, where[part]] = found
        for place, number in enumerate(batch):
            coders[place].finish()
            codes = field.segment(place, levels)
            if _checksum(codes) != segments[number][:2]:
                raise FormatError(
                    "The file is damaged: the codes of a segment do not match their check."
                )
            yield codes


def _checksum(codes: Codes) -> bytes:
    crc = zlib.crc32(np.ascontiguousarray(codes, "<i4").data)
    return (crc & 0xFFFF).to_bytes(2, "little")
