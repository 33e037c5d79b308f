"""The ``vqvae`` scheme: pixels <-> vector-quantised codes under exact autoregressive priors.

A segment holds the codes of the levels sent, level by level, each level in the order of its waves
(see `pixelcnn`): by ``x + 2 y``, and within a wave by ``y``. How many levels are sent follows from
the file's quality alone. Each code is coded under the frequencies that the level's prior gives from
the codes before it, in the same segment. Two bytes before the stream check the codes.

The encoder chooses codes in the same order: of all codevectors the one whose squared distance plus
the worth of its bits is least. That is its own affair; any codes would decode.

``training/models/vqvae.py`` and ``pixelcnn.py`` hold the networks and the references.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..entropy import Decoder, Encoder
from ..errors import FormatError
from ..library import Model
from ..modelfile import ModelFile
from ..session import Runtime
from .autoencoder import Coded, segment_count
from .grid import Span, spans, tiles
from .pixelcnn import TOTAL, Field, priors

__all__ = [
    "NAME",
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
    "steps",
    "verify",
    "waves",
]

NAME, WIRE_ID = "vqvae", 3
STRIDE = 16  # pixels a position
TOGETHER = 8  # segments whose waves run together: enough for full matrices, small in memory

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
Place = tuple[Span, Span]
Owners = list[tuple[int, slice]]  # which rows of a wave belong to which segment


def encode(
    rgb: NDArray[np.uint8], quality: int, encoder: Model, decoder: Model, runtime: Runtime
) -> Coded:
    """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000)."""
    z = latent(rgb, encoder, decoder, runtime)
    levels = levels_sent(quality, decoder)
    height, width = rgb.shape[:2]
    segments, bits = [], 0.0
    for places in batches(width, height):
        field = Field(priors(decoder), [(rows.size, columns.size) for rows, columns in places])
        parts = [z[:, r.start : r.end, c.start : c.end] for r, c in places]
        coders = [Encoder() for _ in places]
        for _, found, frequencies, owners in search(field, parts, levels, encoder, decoder):
            for number, part in owners:
                coders[number].put_each(found[part], frequencies[part])
        for number, coder in enumerate(coders):
            segments.append(_checksum(field.segment(number, levels)) + coder.finish())
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
        for positions, frequencies, owners in waves(field, level):
            found = choose(rest[positions], vectors, frequencies, worth[level])
            field.codes[level, positions] = found
            rest[positions] -= vectors[found]
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
) -> NDArray[np.uint8]:
    """Pixels ``(height, width, 3)`` of what `encode` wrote.

    Raises:
        FormatError: a segment is missing or damaged.
    """
    levels = levels_sent(quality, decoder)
    codes = np.empty((levels, -(-height // STRIDE), -(-width // STRIDE)), np.int32)
    for (rows, columns), part in _decoded(segments, width, height, levels, decoder):
        codes[:, rows.start : rows.end, columns.start : columns.end] = part
    return pixels(codes, width, height, decoder, runtime)


def verify(
    segments: list[bytes],
    width: int,
    height: int,
    quality: int,
    decoder: Model,
    runtime: Runtime,
) -> None:
    """Decodes the codes of every segment and checks them, without making pixels."""
    for _ in _decoded(segments, width, height, levels_sent(quality, decoder), decoder):
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
    levels, rows, columns = codes.shape
    vectors = codevectors(decoder)
    sent = np.zeros((1, len(vectors)), np.float32)
    sent[0, levels - 1] = 1
    rgb = np.empty((rows * STRIDE, columns * STRIDE, 3), np.uint8)
    for tile in tiles(rows, columns, decoder.file.settings["halo"]):
        (r0, r1), (c0, c1) = ((span.start, span.end) for span in tile.outer)
        z = np.zeros((r1 - r0, c1 - c0, vectors.shape[2]), np.float32)
        for level in range(levels):
            z += vectors[level][codes[level, r0:r1, c0:c1]]
        z = z.transpose(2, 0, 1)[None]
        (x,) = decoder.run("synthesis", runtime, z=z, sent=sent)
        rgb[_scaled(tile.target)] = x[0][_scaled(tile.source)]
    return rgb[:height, :width]


def codevectors(decoder: Model) -> Floats:
    """The codebooks, ``(levels, codes, dims)``."""
    made = decoder.cache.get("codevectors")
    if made is None:
        made = decoder.cache["codevectors"] = decoder.file.table("codevectors").astype(np.float32)
    return made


def latent(rgb: NDArray[np.uint8], encoder: Model, decoder: Model, runtime: Runtime) -> Floats:
    """The latent ``(dims, rows, columns)`` of the whole picture, tile by tile."""
    height, width = rgb.shape[:2]
    rows, columns = -(-height // STRIDE), -(-width // STRIDE)
    pad = ((0, rows * STRIDE - height), (0, columns * STRIDE - width), (0, 0))
    rgb = np.pad(rgb, pad, "edge")
    z = np.empty((codevectors(decoder).shape[2], rows, columns), np.float32)
    for tile in tiles(rows, columns, encoder.file.settings["halo"]):
        top, left = tile.outer[0].start * STRIDE, tile.outer[1].start * STRIDE
        bottom, right = tile.outer[0].end * STRIDE, tile.outer[1].end * STRIDE
        (part,) = encoder.run("analysis", runtime, x=rgb[None, top:bottom, left:right])
        z[tile.target] = part[0][tile.source]
    return z


def _scaled(place: Sequence[slice]) -> tuple[slice, ...]:
    """Slices of positions (channels first) as slices of pixels."""
    return tuple(slice(part.start * STRIDE, part.stop * STRIDE) for part in place[1:])


def batches(width: int, height: int) -> Iterator[list[Place]]:
    """The segments' places, in raster order, as many at a time as run together."""
    places = [
        (rows, columns)
        for rows in spans(-(-height // STRIDE))
        for columns in spans(-(-width // STRIDE))
    ]
    for start in range(0, len(places), TOGETHER):
        yield places[start : start + TOGETHER]


def waves(field: Field, level: int) -> Iterator[tuple[NDArray, NDArray, Owners]]:
    """Wave by wave: positions, their frequencies, and which part belongs to which segment."""
    field.begin(level)
    for positions, owners in field.waves():
        cuts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
        parts = [(int(owners[start]), slice(start, end)) for start, end in pairwise(cuts)]
        yield positions, field.frequencies(positions), parts


def _decoded(
    segments: list[bytes], width: int, height: int, levels: int, decoder: Model
) -> Iterator[tuple[Place, Codes]]:
    """Place and codes of each segment, checked."""
    if len(segments) != segment_count(width, height):
        raise FormatError(
            f"The file is damaged: it holds {len(segments)} segments where a picture of "
            f"{width}x{height} has {segment_count(width, height)}."
        )
    if any(len(data) < 2 for data in segments):
        raise FormatError("The file is damaged: a segment is too short.")
    first = 0
    for places in batches(width, height):
        batch = segments[first : first + len(places)]
        first += len(places)
        field = Field(priors(decoder), [(rows.size, columns.size) for rows, columns in places])
        coders = [Decoder(data[2:]) for data in batch]
        for level in range(levels):
            for positions, frequencies, parts in waves(field, level):
                for number, part in parts:
                    found = coders[number].take_each(frequencies[part])
                    field.codes[level, positions[part]] = found
        for number, place in enumerate(places):
            coders[number].finish()
            codes = field.segment(number, levels)
            if _checksum(codes) != batch[number][:2]:
                raise FormatError(
                    "The file is damaged: the codes of a segment do not match their check."
                )
            yield place, codes


def _checksum(codes: Codes) -> bytes:
    crc = zlib.crc32(np.ascontiguousarray(codes, "<i4").data)
    return (crc & 0xFFFF).to_bytes(2, "little")
