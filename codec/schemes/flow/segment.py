"""One segment of the ``flow`` scheme: pixels <-> bytes.

A segment is halved twelve times (`lifting`), columns then rows at each of six levels; the few
pixels that remain are coded as they are, then, halving by halving from coarse to fine and y, cg, co
in turn, each difference ``v`` as ``k = Q(v - prediction)``. Prediction and table row come from
integer networks over what is decoded already; of each colour's differences every second one, a
checkerboard, is coded after the others, knowing how wrong they were. The decoder makes
``clip(prediction + g(k))``, the interval that it clips to being that of the differences which lead
to pixels of 0..255.

Why saving again changes nothing: the decoded picture, halved again, gives exactly the decoded
differences (the halving is a bijection and nothing is clipped after it). ``Q`` is monotone and
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
from ...session import Runtime
from ..quality import level_weights, quality_position
from . import lifting
from .contract import HALO, LOSSLESS

__all__ = ["HALO", "LOSSLESS", "Levels", "Side", "decode_segment", "encode_segment"]

GREY = 1  # bit of a segment's first byte: R, G and B are equal
HEAD = 3  # bytes in front of a segment's stream: kind, checksum of its pixels
BASE_ROWS = (54, 42, 42)  # rows that the remaining pixels' colours are coded under
WHOLE_STEP = 256  # a step of 1
STRIP = 2**15  # positions that a network works on at a time

Ints = NDArray[np.int32]


class Side:
    """What both directions share for one picture: tables, steps, networks."""

    def __init__(self, decoder: Model, quality: int, runtime: Runtime) -> None:
        self.model, self.runtime, self.settings = decoder, runtime, decoder.file.settings
        self.lossless = quality == LOSSLESS
        self.place = (
            -(10**6) if self.lossless else quality_position(self.settings["ladder"], quality)
        )
        made = decoder.cache.get("tables")
        if made is None:
            file, made = decoder.file, {}
            made["rows"] = Tables(file.table("low"), file.table("size"), file.table("freq"))
            for name in ("step", "row_offset", "threshold"):
                made[name] = file.table(name).astype(np.int32)
            decoder.cache["tables"] = made  # whole: other threads may be waiting for it
        self.tables = made["rows"]
        self.steps, self.offsets, self.thresholds = (
            made[name] for name in ("step", "row_offset", "threshold")
        )

    def step_place(self, number: int, colour: int) -> int:
        """Where on the ladder of steps a halving and colour stand; all integers."""
        place = self.place + self.settings["colour_place"][colour]
        place -= (number - 1) * self.settings["octave"] // 2
        return min(max(place, 0), self.steps.size - 1)

    def network(self, number: int, place: int) -> "Network":
        kinds = self.settings["kinds"]
        top = self.settings["mix_top"]
        position = min(place, top) * ((self.settings["rungs"] - 1) * 256) // top
        mix = level_weights(position, self.settings["rungs"]).astype(np.float32)[None]
        return Network(self, f"half{min(number, kinds - 2 + number % 2)}", mix)


@dataclass(frozen=True)
class Network:
    """The networks of one halving."""

    side: Side
    title: str
    mix: NDArray[np.float32]

    def run(self, colour: int, second: bool = False, **feeds: NDArray) -> list[NDArray]:
        """The outputs, worked out in strips of rows: for less memory, and in the caches."""
        role = f"{self.title}_{lifting.COLOURS[colour]}{'2' if second else ''}"
        rows, columns = next(iter(feeds.values())).shape[2:]
        step = max(1, STRIP // columns)
        parts = []
        for start in range(0, rows, step):
            top, bottom = max(0, start - HALO), min(rows, start + step + HALO)
            seen = {name: value[:, :, top:bottom] for name, value in feeds.items()}
            found = self.side.model.run(role, self.side.runtime, mix=self.mix, **seen)
            parts.append([part[:, :, start - top : start - top + step] for part in found])
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(some, 2) for some in zip(*parts, strict=True)]


@dataclass(frozen=True)
class Levels:
    """``g`` and ``Q`` of one step (in 256ths) and the rows' thresholds."""

    step: int
    thresholds: Ints  # (rows, 2), 256ths: from 0 to 1, and from there up

    def made(self, k: Ints) -> Ints:
        """``g``: the difference from the prediction that a symbol stands for."""
        return np.sign(k) * ((np.abs(k) * self.step + 128) >> 8)

    def chosen(self, residual: Ints, rows: Ints) -> Ints:
        """``Q``: monotone, and exact where the residual is one that `made` gives."""
        size = np.abs(residual)
        k = (size * 256 + self.step // 2) // self.step + 1
        for _ in range(2):
            below = self.made(k - 1)
            part = self.thresholds[rows, np.minimum(np.maximum(k - 1, 0), 1)]
            k -= size < below + (((self.made(k) - below) * part + 255) >> 8)
        return (np.sign(residual) * np.maximum(k, 0)).astype(np.int32)


class _Writer:
    """Codes the differences of a picture that is known."""

    def __init__(self, details: list[Ints], tables: Tables) -> None:
        self.details, self.tables, self.coder = details, tables, Encoder()

    def values(
        self, at: tuple[int, int], prediction: Ints, rows: Ints, coded: NDArray, ends, levels
    ) -> Ints:
        number, colour = at
        wanted = np.clip(self.details[number][..., colour], *ends)
        k = np.where(coded, levels.chosen(wanted - prediction, rows), 0)
        self.coder.put(k[coded], rows[coded], self.tables)
        return k


class _Reader:
    """Reads them."""

    def __init__(self, data: bytes, tables: Tables) -> None:
        self.tables, self.coder = tables, Decoder(data)

    def values(
        self, at: tuple[int, int], prediction: Ints, rows: Ints, coded: NDArray, ends, levels
    ) -> Ints:
        k = np.zeros(rows.shape, np.int32)
        k[coded] = self.coder.take(rows[coded], self.tables)
        return k


def encode_segment(x: Ints, side: Side) -> tuple[bytes, float]:
    grey = bool(np.all(x == x[..., :1]))
    details = []
    mean = x
    for number in range(2 * side.settings["levels"]):
        mean, d = lifting.split(_turned(mean, number))
        mean = _turned(mean, number)
        details.append(lifting.colours(d))
    writer = _Writer(details, side.tables)
    values = _base_symbols(mean)
    for colour in range(1 if grey else 3):
        rows = np.full(values[..., colour].size, BASE_ROWS[colour], np.int32)
        writer.coder.put(values[..., colour].ravel(), rows, side.tables)
    decoded = _build(mean, (x.shape[0], x.shape[1]), grey, side, writer)
    head = bytes([GREY * grey]) + _checksum(decoded)
    return head + writer.coder.finish(), writer.coder.bits


def decode_segment(data: bytes, h: int, w: int, side: Side) -> Ints:
    """Pixels ``(h, w, 3)`` of one segment."""
    if len(data) < HEAD or data[0] & ~GREY:
        raise FormatError("The file is damaged: a segment does not begin as one.")
    grey = bool(data[0] & GREY)
    reader = _Reader(data[HEAD:], side.tables)
    levels = side.settings["levels"]
    shape = (-(-h >> levels), -(-w >> levels))
    values = np.zeros((*shape, 3), np.int32)
    for colour in range(1 if grey else 3):
        rows = np.full(values[..., 0].size, BASE_ROWS[colour], np.int32)
        values[..., colour] = reader.coder.take(rows, side.tables).reshape(shape)
    base = _base(values)
    if base.min() < 0 or base.max() > lifting.PIXEL_MAX:
        raise FormatError("The file is damaged: a segment's symbols are out of range.")
    decoded = _build(base, (h, w), grey, side, reader)
    reader.coder.finish()
    if _checksum(decoded) != data[1:HEAD]:
        raise FormatError("The file is damaged: the pixels of a segment do not match their check.")
    return decoded


def _build(
    mean: Ints, shape: tuple[int, int], grey: bool, side: Side, coder: _Writer | _Reader
) -> Ints:
    """Doubles the remaining pixels up to the picture, coding on the way; the same both ways."""
    for number in reversed(range(2 * side.settings["levels"])):
        side_length = shape[0 if number % 2 else 1]
        length = -(-side_length >> (number // 2))  # before this halving
        turned = _turned(mean, number)
        pairs = length // 2
        if pairs:
            d = _halving(turned, pairs, number, grey, side, coder)
            turned = lifting.merge(turned, lifting.rgb(d))
        mean = _turned(turned, number)
    return mean


def _halving(
    mean: Ints, pairs: int, number: int, grey: bool, side: Side, coder: _Writer | _Reader
) -> Ints:
    """The differences ``(pairs, w, 3)``, as y, cg, co, of a mean image ``(>= pairs, w, 3)``."""
    planes = planes_of(mean)
    network = side.network(number, side.step_place(number, 0))
    r, g, b = lifting.limits(mean[:pairs])
    middle = lifting.joined(r, b)
    found = np.zeros((pairs, mean.shape[1], 3), np.int32)
    known = np.zeros((1, 2, *mean.shape[:2]), np.float32)
    features, most = planes, side.settings["detail_max"]
    first = np.add.outer(np.arange(pairs), np.arange(mean.shape[1])) % 2 == 0
    for colour in range(1 if grey else 3):
        if colour == 0:
            mu, row, features = network.run(0, planes=planes)
            ends = lifting.joined(g, middle)
        else:
            feeds = {"planes": planes, "known": known[:, :colour], "features": features}
            mu, row = network.run(colour, **feeds)
            y = found[..., 0]
            ends = (
                lifting.join(y, g, middle)
                if colour == 1
                else lifting.join(y - (found[..., 1] >> 1), r, b)
            )
        place = side.step_place(number, colour)
        levels = Levels(int(side.steps[place]), side.thresholds)
        mu, row = (value[0, 0, :pairs].astype(np.int32) for value in (mu, row))
        for half in (first, ~first):
            if half is not first:  # which knows by how much the first half was missed
                errors = np.zeros((1, 1, *mean.shape[:2]), np.float32)
                missed = np.where(first, found[..., colour] - ((mu + 8) >> 4), 0)
                errors[0, 0, :pairs] = np.clip(missed, -most, most)
                more = network.run(colour, True, errors=errors, features=features)
                mu, row = (
                    old + new[0, 0, :pairs].astype(np.int32)
                    for old, new in zip((mu, row), more, strict=True)
                )
            prediction = (mu + 8) >> 4
            rows = np.clip((row - side.offsets[place] + 2) >> 2, 0, len(side.tables) - 1)
            # The lowest row says that nothing is there: with a step over 1 it need not be coded.
            coded = half & ((rows > 0) | (levels.step == WHOLE_STEP))
            k = coder.values((number, colour), prediction, rows, coded, ends, levels)
            made = np.clip(prediction + levels.made(k), *ends)
            np.copyto(found[..., colour], made, where=half)
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
    """Even halvings are of columns: seen as rows of the picture laid on its side."""
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
