"""The ``vqvae`` scheme: pixels <-> vector-quantised codes under exact autoregressive priors.

A segment holds the codes of the levels sent, level by level, each level in the order of its waves
(see `prior`): by ``x + 2 y``, and within a wave by ``y``. How many levels are sent follows from
the file's quality alone. Each code is coded under the frequencies that the level's prior gives from
the codes before it, in the same segment. Two bytes before the stream check the codes.

The encoder chooses codes in the same order: of all codevectors the one whose squared distance plus
the Lagrange multiplier times its bits is least. The format does not ask for that; any codes decode.

``training/vqvae/network.py`` and ``prior_network.py`` hold the networks and the references.
"""

import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...entropy import Decoder, Encoder
from ...errors import FormatError
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
    paste,
    positions,
    prefetch,
)
from ..tiling import Box, Span, Tile, boxes, overlapping, tiles
from . import blas
from .prior import TOTAL, Prior, PriorState, load_priors

__all__ = ["Codes", "Vqvae", "choose", "waves"]

TOGETHER = 9  # segments whose waves run together (a tile's): full matrices, little memory

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
Item = TypeVar("Item")
Owners = list[tuple[int, slice]]  # which rows of a wave belong to which segment


class Vqvae(ModelPair):
    """Vector-quantised codes at several levels under PixelCNN priors; see `base.Scheme`.

    Attributes:
        levels: the levels of a file at quality 100.
        codevectors: the codebooks, ``(levels, codes, dims)``.
        priors: one a level.
    """

    name: ClassVar[str] = "vqvae"
    wire_id: ClassVar[int] = 3
    supports_lossless: ClassVar[bool] = False
    supports_lossy: ClassVar[bool] = True
    suits: ClassVar[str] = "previews and placeholders"

    def __init__(self, decoder: Model, encoder: Model | None = None) -> None:
        super().__init__(decoder, encoder)
        self.levels: int = decoder.file.settings["levels"]
        self.codevectors: Floats
        self.codevectors, self.priors = _decoder_tables(decoder)

    def encode(self, rgb: Pixels, quality: int, runtime: Runtime) -> Coded:
        """Compresses pixels ``(H, W, 3)`` at ``quality`` (hundredths, 0..10000)."""
        levels = self.levels_sent(quality)
        rows, columns = positions(rgb.shape[1], rgb.shape[0])
        segment_boxes = boxes(rows, columns)
        segments, bits = [b""] * len(segment_boxes), 0.0
        cut = tiles(rows, columns, self.encoder.file.settings["halo"])
        with blas.at_most(runtime.cores):
            for tile, z in prefetch(lambda tile: self._analysis(rgb, tile, runtime), cut, runtime):
                for numbers in batches(overlapping(rows, columns, tile.inner)):
                    state = PriorState(
                        self.priors, [segment_boxes[number].size for number in numbers]
                    )
                    parts = [z[:, *segment_boxes[number].within(tile.inner)] for number in numbers]
                    coders = [Encoder() for _ in numbers]
                    for _, found, frequencies, owners in self.search(state, parts, levels):
                        for owner, part in owners:
                            coders[owner].put_each(found[part], frequencies[part])
                    for owner, (number, coder) in enumerate(zip(numbers, coders, strict=True)):
                        segments[number] = _checksum(state.segment(owner, levels)) + coder.finish()
                        bits += coder.bits
        return Coded(segments, bits)

    def search(
        self, state: PriorState, latents: list[Floats], levels: int
    ) -> Iterator[tuple[int, Codes, NDArray, Owners]]:
        """Chooses the codes of some segments for their latents ``(dims, rows, columns)``.

        Returns: wave by wave the level, the codes, their frequencies, and which part is of which
            segment.
        """
        rdo_lambda: list[float] = self.encoder.file.settings["rdo_lambda"]
        rest = np.zeros((state.codes.shape[1], latents[0].shape[0]), np.float32)
        for inside, z in zip(state.segment_positions, latents, strict=True):
            rest[inside] = z.reshape(z.shape[0], -1).T
        for level in range(levels):
            vectors = self.codevectors[level]
            for where, frequencies, owners in waves(state, level):
                found = choose(rest[where], vectors, frequencies, rdo_lambda[level])
                state.codes[level, where] = found
                rest[where] -= vectors[found]
                yield level, found, frequencies, owners

    def decode(
        self,
        segments: list[bytes],
        size: Size,
        quality: int,
        runtime: Runtime,
        region: Region | None = None,
    ) -> Pixels:
        """Pixels of what `encode` wrote, or of a region of it; see `base.Scheme.decode`."""
        levels = self.levels_sent(quality)
        rows, columns = check_count(segments, size)
        x, y, w, h = region or (0, 0, *size)
        rgb = np.empty((h, w, 3), np.uint8)
        cut = tiles(rows, columns, self.decoder.file.settings["halo"], covering((x, y, w, h)))
        segment_boxes = boxes(rows, columns)

        def decoded(numbers: list[int]) -> Iterator[Codes]:
            return self.decode_codes(segments, segment_boxes, numbers, levels)

        windows = LatentWindows((rows, columns), cut, decoded)
        with blas.at_most(runtime.cores):
            for tile, codes in prefetch(windows.window, cut, runtime):
                paste(self._synthesis(codes, runtime), tile, rgb, x, y)
        return rgb

    def verify(self, segments: list[bytes], size: Size, quality: int, runtime: Runtime) -> None:
        """Decodes the codes of every segment and checks them, without making pixels."""
        segment_boxes = boxes(*check_count(segments, size))
        levels = self.levels_sent(quality)
        with blas.at_most(runtime.cores):
            for _ in self.decode_codes(segments, segment_boxes, range(len(segment_boxes)), levels):
                pass

    def segments_of(self, size: Size, region: Region) -> list[int]:
        """The numbers of the segments that `decode` needs for a region."""
        return shared.segments_of(size, region, self.decoder.file.settings["halo"])

    def segment_count(self, size: Size) -> int:
        """The number of segments of a picture."""
        return shared.segment_count(size)

    def quality_steps(self) -> tuple[float, ...]:
        """The qualities from which a file holds one more level."""
        return tuple(100 * level / self.levels for level in range(self.levels))

    def levels_sent(self, quality: int) -> int:
        """How many levels a file of that quality (hundredths) holds: equal parts of the scale."""
        return min(self.levels, 1 + quality * self.levels // 10_000)

    def code_bits(self, rgb: Pixels, runtime: Runtime) -> list[tuple[Codes, float]]:
        """Of each level the codes that a file at quality 100 holds for a picture ``(H, W, 3)``, in
        the order in which they are coded, and their bits under the prior."""
        z = self.latent(rgb, runtime)
        whole = Box(Span(0, z.shape[1]), Span(0, z.shape[2]))
        codes: list[list[Codes]] = [[] for _ in range(self.levels)]
        bits = [0.0] * self.levels
        with blas.at_most(runtime.cores):
            for batch in batches(boxes(*z.shape[1:])):
                state = PriorState(self.priors, [box.size for box in batch])
                parts = [z[:, *box.within(whole)] for box in batch]
                for level, found, frequencies, _ in self.search(state, parts, self.levels):
                    taken = frequencies[np.arange(found.size), found]
                    bits[level] -= float(np.log2(taken / TOTAL).sum())
                    codes[level].append(found)
        return [(np.concatenate(part), each) for part, each in zip(codes, bits, strict=True)]

    def pixels(self, codes: Codes, size: Size, runtime: Runtime) -> Pixels:
        """The picture of codes ``(levels, rows, columns)``, tile by tile."""
        rgb = np.empty((size[1], size[0], 3), np.uint8)
        whole = _whole(size)
        for tile in tiles(*whole.size, self.decoder.file.settings["halo"]):
            seen = codes[:, *tile.outer.within(whole)]
            paste(self._synthesis(seen, runtime), tile, rgb, 0, 0)
        return rgb

    def latent(self, rgb: Pixels, runtime: Runtime) -> Floats:
        """The latent ``(dims, rows, columns)`` of the whole picture, tile by tile."""
        whole = _whole((rgb.shape[1], rgb.shape[0]))
        z = np.empty((self.codevectors.shape[2], *whole.size), np.float32)
        for tile in tiles(*whole.size, self.encoder.file.settings["halo"]):
            z[:, *tile.inner.within(whole)] = self._analysis(rgb, tile, runtime)
        return z

    def decode_codes(
        self, segments: list[bytes], segment_boxes: list[Box], numbers: Sequence[int], levels: int
    ) -> Iterator[Codes]:
        """Codes ``(levels, h, w)`` of the segments of some numbers, checked."""
        for batch in batches(numbers):
            if any(len(segments[number]) < 2 for number in batch):
                raise FormatError("The file is damaged: a segment is too short.")
            state = PriorState(self.priors, [segment_boxes[number].size for number in batch])
            coders = [Decoder(segments[number][2:]) for number in batch]
            for level in range(levels):
                for where, frequencies, owners in waves(state, level):
                    for owner, part in owners:
                        found = coders[owner].take_each(frequencies[part])
                        state.codes[level, where[part]] = found
            for owner, number in enumerate(batch):
                coders[owner].finish()
                codes = state.segment(owner, levels)
                if _checksum(codes) != segments[number][:2]:
                    raise FormatError(
                        "The file is damaged: the codes of a segment do not match their check."
                    )
                yield codes

    def _analysis(self, rgb: Pixels, tile: Tile, runtime: Runtime) -> Floats:
        """The latent of a tile, ``(dims, h, w)``."""
        (z,) = self.encoder.run("analysis", runtime, x=crop(rgb, tile.outer)[None])
        return z[0][:, *tile.inner.within(tile.outer)]

    def _synthesis(self, codes: Codes, runtime: Runtime) -> Pixels:
        """Pixels of codes ``(levels, h, w)``, all at once."""
        vectors = self.codevectors
        sent = np.zeros((1, len(vectors)), np.float32)
        sent[0, len(codes) - 1] = 1
        z = np.zeros((*codes.shape[1:], vectors.shape[2]), np.float32)
        for book, level in zip(vectors, codes, strict=False):  # of the books those that were sent
            z += book[level]
        (x,) = self.decoder.run("synthesis", runtime, z=z.transpose(2, 0, 1)[None], sent=sent)
        return x[0]


@cache
def _decoder_tables(decoder: Model) -> tuple[Floats, list[Prior]]:
    """Codebooks and priors, made once, whatever encoder the decoder is used with."""
    file = decoder.file
    return file.table("codevectors").astype(np.float32), load_priors(file)


def choose(rest: Floats, vectors: Floats, frequencies: NDArray, rdo_lambda: float) -> Codes:
    """For each row of ``rest`` the code of least squared distance plus multiplied bits."""
    cost = (vectors * vectors).sum(1) - 2 * (rest @ vectors.T)
    cost -= rdo_lambda * np.log2(frequencies / TOTAL)
    return cost.argmin(1).astype(np.int32)


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Segments, however they are named, as many at a time as run together."""
    for start in range(0, len(items), TOGETHER):
        yield items[start : start + TOGETHER]


def waves(state: PriorState, level: int) -> Iterator[tuple[NDArray, NDArray, Owners]]:
    """Wave by wave: positions, their frequencies, and which part belongs to which segment."""
    state.begin(level)
    for where, owners in state.waves():
        cuts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
        parts = [(int(owners[start]), slice(start, end)) for start, end in pairwise(cuts)]
        yield where, state.frequencies(where), parts


def _whole(size: Size) -> Box:
    rows, columns = positions(*size)
    return Box(Span(0, rows), Span(0, columns))


def _checksum(codes: Codes) -> bytes:
    crc = zlib.crc32(np.ascontiguousarray(codes, "<i4").data)
    return (crc & 0xFFFF).to_bytes(2, "little")
