"""One segment of the ``flow`` scheme: pixels <-> bytes.

A segment is split twelve times by the S-transform (`lifting`), columns then rows at each of six
levels. The few pixels that remain, the base, are coded as they are; then, split by split from
coarse to fine and y, cg, co in turn, each detail coefficient ``v`` as ``k = Q(v - prediction)``.
Prediction and table row come from integer networks over what is decoded already; of each colour's
details the anchors of a checkerboard are coded first, the others after them, knowing how far off
the predictions of the anchors were. The decoder makes ``clip(prediction + g(k))``, the interval
that it clips to being that of the details which lead to pixels of 0..255.

Why saving again changes nothing: the decoded picture, split again, gives exactly the decoded
details (the split is a bijection and nothing is clipped after it). ``Q`` is monotone and
``Q(g(k)) = k``. Where nothing was clipped, ``v`` is now ``prediction + g(k)``, and k comes again.
Where it was clipped to, say, the upper end, which the encoder's ``v`` had been clipped to as well,
``Q(v - prediction) <= Q(end - prediction) <= Q(g(k)) = k``, and the first of these is k.

``training/flow/network.py`` holds the networks and the references.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...entropy import Decoder, Encoder, Tables
from ...errors import FormatError
from ...library import Model
from ...modelfile import ModelFile
from ...session import Runtime
from ..quality import level_weights, quality_position
from . import lifting
from .contract import HALO, LOSSLESS

__all__ = ["FlowModel", "FlowTables", "Quantizer", "decode_segment", "encode_segment"]

GREY = 1  # bit of a segment's first byte: R, G and B are equal
HEAD = 3  # bytes in front of a segment's stream: kind, checksum of its pixels
BASE_ROWS = (54, 42, 42)  # rows that the remaining pixels' colours are coded under
WHOLE_STEP = 256  # a step of 1
STRIP = 2**15  # positions that a network works on at a time

Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]


class FlowTables:
    """The tables of a decoder.

    Attributes:
        rows: frequencies of the symbols.
        steps: quantiser steps in 256ths, by step index; ascending.
        row_offsets: by step index, what is taken off a row index (in quarters).
        thresholds: see `Quantizer`.
    """

    def __init__(self, file: ModelFile) -> None:
        self.rows = Tables(file.table("low"), file.table("size"), file.table("freq"))
        self.steps, self.row_offsets, self.thresholds = (
            file.table(name).astype(np.int32) for name in ("step", "row_offset", "threshold")
        )


class FlowModel:
    """Tables, steps and networks for one picture at one quality.

    Arguments:
        quality: in hundredths, or `LOSSLESS`.
    """

    def __init__(self, decoder: Model, tables: FlowTables, quality: int, runtime: Runtime) -> None:
        self.model, self.tables, self.runtime = decoder, tables, runtime
        self.settings = decoder.file.settings
        self.levels: int = self.settings["levels"]
        self.detail_max: int = self.settings["detail_max"]
        self.base_step = (
            -(10**6)  # which makes every step 1
            if quality == LOSSLESS
            else quality_position(self.settings["quality_map"], quality)
        )

    def step_index(self, number: int, colour: int) -> int:
        """The index of the step of a split and colour; all integers."""
        index = self.base_step + self.settings["colour_offset"][colour]
        index -= (number - 1) * self.settings["steps_per_octave"] // 2
        return min(max(index, 0), self.tables.steps.size - 1)

    def network(self, number: int, step_index: int) -> "SplitNetworks":
        """The networks of a split."""
        kinds, top = self.settings["kinds"], self.settings["gain_top"]
        levels = self.settings["gain_levels"]
        position = min(step_index, top) * ((levels - 1) * 256) // top
        weights = level_weights(position, levels).astype(np.float32)[None]
        return SplitNetworks(self, f"half{min(number, kinds - 2 + number % 2)}", weights)


@dataclass(frozen=True)
class SplitNetworks:
    """The networks of one split; ``title`` begins the names of their roles."""

    model: FlowModel
    title: str
    weights: NDArray[np.float32]  # of the gain levels

    def run(self, colour: int, second: bool = False, **feeds: NDArray) -> list[NDArray]:
        """The outputs, worked out in strips of rows: for less memory, and in the caches."""
        role = f"{self.title}_{lifting.COLOURS[colour]}{'2' if second else ''}"
        rows, columns = next(iter(feeds.values())).shape[2:]
        step = max(1, STRIP // columns)
        parts = []
        for start in range(0, rows, step):
            top, bottom = max(0, start - HALO), min(rows, start + step + HALO)
            seen = {name: value[:, :, top:bottom] for name, value in feeds.items()}
            runtime = self.model.runtime
            found = self.model.model.run(role, runtime, mix=self.weights, **seen)
            parts.append([part[:, :, start - top : start - top + step] for part in found])
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(some, 2) for some in zip(*parts, strict=True)]


@dataclass(frozen=True)
class Quantizer:
    """``g`` and ``Q`` of one step (in 256ths) and the rows' thresholds."""

    step: int
    thresholds: Ints  # (rows, 2), 256ths: from 0 to 1, and from there up

    def dequantize(self, k: Ints) -> Ints:
        """``g``: the difference from the prediction that a symbol stands for."""
        return np.sign(k) * ((np.abs(k) * self.step + 128) >> 8)

    def quantize(self, residual: Ints, rows: Ints) -> Ints:
        """``Q``: monotone, and exact where the residual is one that `dequantize` gives."""
        size = np.abs(residual)
        k = (size * 256 + self.step // 2) // self.step + 1
        for _ in range(2):
            below = self.dequantize(k - 1)
            part = self.thresholds[rows, np.minimum(np.maximum(k - 1, 0), 1)]
            k -= size < below + (((self.dequantize(k) - below) * part + 255) >> 8)
        return (np.sign(residual) * np.maximum(k, 0)).astype(np.int32)


class _Writer:
    """Codes the details of a picture that is known."""

    def __init__(self, details: list[Ints], tables: Tables) -> None:
        self.details, self.tables, self.coder = details, tables, Encoder()

    def values(
        self,
        at: tuple[int, int],
        prediction: Ints,
        rows: Ints,
        coded: Mask,
        ends: lifting.Interval,
        quantizer: Quantizer,
    ) -> Ints:
        number, colour = at
        wanted = np.clip(self.details[number][..., colour], *ends)
        k = np.where(coded, quantizer.quantize(wanted - prediction, rows), 0)
        self.coder.put(k[coded], rows[coded], self.tables)
        return k


class _Reader:
    """Reads them."""

    def __init__(self, data: bytes, tables: Tables) -> None:
        self.tables, self.coder = tables, Decoder(data)

    def values(
        self,
        at: tuple[int, int],
        prediction: Ints,
        rows: Ints,
        coded: Mask,
        ends: lifting.Interval,
        quantizer: Quantizer,
    ) -> Ints:
        k = np.zeros(rows.shape, np.int32)
        k[coded] = self.coder.take(rows[coded], self.tables)
        return k


def encode_segment(x: Ints, model: FlowModel) -> tuple[bytes, float]:
    grey = bool(np.all(x == x[..., :1]))
    details = []
    mean = x
    for number in range(2 * model.levels):
        mean, d = lifting.split(_turned(mean, number))
        mean = _turned(mean, number)
        details.append(lifting.colours(d))
    writer = _Writer(details, model.tables.rows)
    values = _base_symbols(mean)
    for colour in range(1 if grey else 3):
        rows = np.full(values[..., colour].size, BASE_ROWS[colour], np.int32)
        writer.coder.put(values[..., colour].ravel(), rows, model.tables.rows)
    decoded = _build(mean, (x.shape[0], x.shape[1]), grey, model, writer)
    head = bytes([GREY * grey]) + _checksum(decoded)
    return head + writer.coder.finish(), writer.coder.bits


def decode_segment(data: bytes, h: int, w: int, model: FlowModel) -> Ints:
    """Pixels ``(h, w, 3)`` of one segment."""
    if len(data) < HEAD or data[0] & ~GREY:
        raise FormatError("The file is damaged: a segment does not begin as one.")
    grey = bool(data[0] & GREY)
    reader = _Reader(data[HEAD:], model.tables.rows)
    levels = model.levels
    shape = (-(-h >> levels), -(-w >> levels))
    values = np.zeros((*shape, 3), np.int32)
    for colour in range(1 if grey else 3):
        rows = np.full(values[..., 0].size, BASE_ROWS[colour], np.int32)
        values[..., colour] = reader.coder.take(rows, model.tables.rows).reshape(shape)
    base = _base(values)
    if base.min() < 0 or base.max() > lifting.PIXEL_MAX:
        raise FormatError("The file is damaged: a segment's symbols are out of range.")
    decoded = _build(base, (h, w), grey, model, reader)
    reader.coder.finish()
    if _checksum(decoded) != data[1:HEAD]:
        raise FormatError("The file is damaged: the pixels of a segment do not match their check.")
    return decoded


def _build(
    mean: Ints, shape: tuple[int, int], grey: bool, model: FlowModel, coder: _Writer | _Reader
) -> Ints:
    """Doubles the remaining pixels up to the picture, coding on the way; the same both ways."""
    for number in reversed(range(2 * model.levels)):
        length = shape[0 if number % 2 else 1]
        length = -(-length >> (number // 2))  # before this split
        turned = _turned(mean, number)
        pairs = length // 2
        if pairs:
            d = _split(turned, pairs, number, grey, model, coder)
            turned = lifting.merge(turned, lifting.rgb(d))
        mean = _turned(turned, number)
    return mean


def _split(
    mean: Ints, pairs: int, number: int, grey: bool, model: FlowModel, coder: _Writer | _Reader
) -> Ints:
    """The details ``(pairs, w, 3)``, as y, cg, co, of a mean image ``(>= pairs, w, 3)``."""
    planes = planes_of(mean)
    network = model.network(number, model.step_index(number, 0))
    r, g, b = lifting.limits(mean[:pairs])
    middle = lifting.mean_interval(r, b)
    found = np.zeros((pairs, mean.shape[1], 3), np.int32)
    known = np.zeros((1, 2, *mean.shape[:2]), np.float32)
    features, most = planes, model.detail_max
    anchors = np.add.outer(np.arange(pairs), np.arange(mean.shape[1])) % 2 == 0
    for colour in range(1 if grey else 3):
        if colour == 0:
            mu, row, features = network.run(0, planes=planes)
            ends = lifting.mean_interval(g, middle)
        else:
            feeds = {"planes": planes, "known": known[:, :colour], "features": features}
            mu, row = network.run(colour, **feeds)
            y = found[..., 0]
            ends = (
                lifting.detail_interval(y, g, middle)
                if colour == 1
                else lifting.detail_interval(y - (found[..., 1] >> 1), r, b)
            )
        index = model.step_index(number, colour)
        tables = model.tables
        quantizer = Quantizer(int(tables.steps[index]), tables.thresholds)
        mu, row = (value[0, 0, :pairs].astype(np.int32) for value in (mu, row))
        for cells in (anchors, ~anchors):
            if cells is not anchors:  # these know by how much the anchors were missed
                errors = np.zeros((1, 1, *mean.shape[:2]), np.float32)
                missed = np.where(anchors, found[..., colour] - ((mu + 8) >> 4), 0)
                errors[0, 0, :pairs] = np.clip(missed, -most, most)
                more = network.run(colour, True, errors=errors, features=features)
                mu, row = (
                    old + new[0, 0, :pairs].astype(np.int32)
                    for old, new in zip((mu, row), more, strict=True)
                )
            prediction = (mu + 8) >> 4
            rows = np.clip((row - tables.row_offsets[index] + 2) >> 2, 0, len(tables.rows) - 1)
            # The lowest row says that nothing is there: with a step over 1 it need not be coded.
            coded = cells & ((rows > 0) | (quantizer.step == WHOLE_STEP))
            k = coder.values((number, colour), prediction, rows, coded, ends, quantizer)
            made = np.clip(prediction + quantizer.dequantize(k), *ends)
            np.copyto(found[..., colour], made, where=cells)
        if colour < 2:
            known[0, colour, :pairs] = np.clip(found[..., colour], -most, most)
    return found


def planes_of(x: Ints) -> NDArray[np.float32]:
    """What the networks see of decoded pixels ``(h, w, 3)``: integers ``(1, 7, h, w)``."""
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    c = np.stack([(r + 2 * g + b) >> 2, g - ((r + b) >> 1), r - b])
    planes = np.zeros((1, 7, *x.shape[:2]), np.float32)
    planes[0, 0:3, :-1] = c[:, :-1] - c[:, 1:]
    planes[0, 3:6, :, :-1] = c[..., :-1] - c[..., 1:]
    planes[0, 6] = (c[0] >> 3) - 16
    return planes


def _turned(x: Ints, number: int) -> Ints:
    """Even splits are of columns: seen as rows of the picture laid on its side."""
    return x if number % 2 else np.ascontiguousarray(x.transpose(1, 0, 2))


def _base_symbols(pixels: Ints) -> Ints:
    """The remaining pixels' colours, each less the one to its left (in column 0, above it)."""
    c = lifting.colours(pixels)
    values = np.diff(c, axis=1, prepend=0)
    values[:, 0] = np.diff(c[:, 0], axis=0, prepend=0)
    values[0, 0, 0] -= 128
    return values


def _base(values: Ints) -> Ints:
    """The inverse of `_base_symbols`."""
    wide = values.astype(np.int64)
    wide[0, 0, 0] += 128
    wide[:, 0] = np.cumsum(wide[:, 0], axis=0)
    c = np.clip(np.cumsum(wide, axis=1), -(2**20), 2**20)
    return lifting.rgb(c.astype(np.int32))


def _checksum(pixels: Ints) -> bytes:
    crc = zlib.crc32(np.ascontiguousarray(pixels, np.uint8).data)
    return (crc & 0xFFFF).to_bytes(2, "little")
