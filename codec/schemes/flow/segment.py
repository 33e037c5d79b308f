"""The segments of the ``flow`` scheme: pixels <-> bytes.

A picture is split twelve times by the S-transform (`lifting`), columns then rows at each of six
levels. The few pixels that remain, the base, are coded as they are; then, split by split from
coarse to fine and y, cg, co in turn, each detail coefficient ``v`` as ``k = Q(v - prediction)``.
Mean and table row come from integer networks over what is decoded already; the details of a colour
are coded in four passes (`contract.PASSES`), the last three knowing how far off the networks were
in those before; `networks.Expected` makes prediction and table of them. The decoder makes
``clip(prediction + g(k))``, the interval that it clips to being that of the details which lead to
pixels of 0..255.

A picture of one tile is one segment. In a larger one the first segment holds the coarse levels of
the whole picture, and the fine levels are cut into tiles, a segment each. Around a tile the
networks see the low-resolution picture and what they expect there (`windows`), so that no border
is seen, and a tile needs the first segment and its own alone.

Why saving again changes nothing: the decoded picture, split again, gives exactly the decoded
details (the split is a bijection and nothing is clipped after it). ``Q`` is monotone and
``Q(g(k)) = k``. Where nothing was clipped, ``v`` is now ``prediction + g(k)``, and k comes again.
Where it was clipped to, say, the upper end, which the encoder's ``v`` had been clipped to as well,
``Q(v - prediction) <= Q(end - prediction) <= Q(g(k)) = k``, and the first of these is k. What is
seen around a tile follows from the coarse levels, which come again just so.

``training/flow/network.py`` holds the networks and the references.
"""

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...entropy import Decoder, Encoder, Tables
from ...errors import FormatError
from ..tiling import Box
from . import lifting
from .contract import MEAN_UNITS, PASSES
from .networks import Expected, FlowModel
from .quantizer import Quantizer
from .windows import Window

__all__ = ["decode_segment", "encode_segment", "low_resolution"]

GREY = 1  # bit of a segment's first byte: R, G and B of the picture are equal
HEAD = 3  # bytes in front of a segment's stream: kind, checksum of its pixels
BASE_ROWS = (54, 42, 42)  # rows that the base's colours are coded under

Ints = NDArray[np.int32]
Windows = Mapping[int, Window]  # by the splits' numbers


class _Writer:
    """Codes the details of pixels that are known.

    Arguments:
        pixels: those of the tile, at the resolution in front of split ``first``.
        windows: see `encode_segment`.
    """

    def __init__(self, pixels: Ints, windows: Windows, tables: Tables) -> None:
        self.tables, self.coder = tables, Encoder()
        self.details: dict[int, Ints] = {}
        self.mean = pixels  # in the end what is behind the coarsest of the splits
        for number in sorted(windows):
            mean, d = lifting.split(_turned(self.mean, number))
            self.mean = _turned(mean, number)
            self.details[number] = lifting.colours(d)

    def begin(self, number: int, shape: tuple[int, ...], part: tuple[slice, slice]) -> None:
        """Goes on to a split whose window has details of ``shape``, the tile's being ``part``."""
        self.wanted = np.zeros((*shape, 3), np.int32)
        self.wanted[part] = self.details.pop(number)

    def base(self, values: Ints, rows: Ints) -> Ints:
        self.coder.put(values, rows, self.tables)
        return values

    def symbols(
        self, at: tuple, expected: Expected, ends: lifting.Interval, quantizer: Quantizer
    ) -> Ints:
        """Symbols of the details ``at`` some rows, columns and colour."""
        residual = np.clip(self.wanted[at], *ends) - expected.prediction
        k = np.zeros(residual.shape, np.int32)
        coded = expected.coded
        k[coded] = quantizer.quantize(residual[coded], expected.rows[coded])
        self.coder.put(k[coded] * expected.sign, expected.table, self.tables)
        return k


class _Reader:
    """Reads them."""

    def __init__(self, data: bytes, tables: Tables) -> None:
        self.tables, self.coder = tables, Decoder(data)

    def begin(self, number: int, shape: tuple[int, ...], part: tuple[slice, slice]) -> None:
        """Nothing has to be prepared."""

    def base(self, values: Ints, rows: Ints) -> Ints:
        return self.coder.take(rows, self.tables)

    def symbols(
        self, at: tuple, expected: Expected, ends: lifting.Interval, quantizer: Quantizer
    ) -> Ints:
        k = np.zeros(expected.coded.shape, np.int32)
        k[expected.coded] = self.coder.take(expected.table, self.tables) * expected.sign
        return k


def low_resolution(pixels: Ints, splits: int) -> Ints:
    """What the ``splits`` finest splits leave of pixels ``(h, w, 3)``."""
    for number in range(splits):
        pixels = _turned(lifting.split(_turned(pixels, number))[0], number)
    return pixels


def encode_segment(
    pixels: Ints, windows: Windows, grey: bool, model: FlowModel, coarse: Ints | None = None
) -> tuple[bytes, float, Ints]:
    """Codes one segment: its bytes, the bits by the model's own probabilities, and what it
    decodes to.

    Arguments:
        pixels: ``(h, w, 3)``, the tile's, at the resolution in front of the finest of its splits.
        windows: of its splits, by their numbers.
        grey: whether R, G and B of the picture are equal.
        coarse: the decoded low-resolution picture behind the coarsest of its splits; without it
            the segment begins with the base.
    """
    tables = model.tables.frequencies
    writer = _Writer(pixels, windows, tables)
    if coarse is None:
        values = _base_symbols(writer.mean)
        _code_base(values, grey, model, writer)
        coarse = writer.mean
    decoded = _build(coarse, windows, grey, model, writer)
    head = bytes([GREY * grey]) + _checksum(decoded)
    return head + writer.coder.finish(), writer.coder.bits, decoded


def decode_segment(
    data: bytes, windows: Windows, model: FlowModel, coarse: Ints | None = None
) -> Ints:
    """Pixels ``(h, w, 3)`` of one segment; see `encode_segment`.

    Raises:
        FormatError: the segment is damaged.
    """
    if len(data) < HEAD or data[0] & ~GREY:
        raise FormatError("The file is damaged: a segment does not begin as one.")
    grey = bool(data[0] & GREY)
    reader = _Reader(data[HEAD:], model.tables.frequencies)
    if coarse is None:
        values = np.zeros((*windows[max(windows)].given.size, 3), np.int32)
        _code_base(values, grey, model, reader)
        coarse = _base(values)
        if coarse.min() < 0 or coarse.max() > lifting.PIXEL_MAX:
            raise FormatError("The file is damaged: a segment's symbols are out of range.")
    decoded = _build(coarse, windows, grey, model, reader)
    reader.coder.finish()
    if _checksum(decoded) != data[1:HEAD]:
        raise FormatError("The file is damaged: the pixels of a segment do not match their check.")
    return decoded


def _code_base(values: Ints, grey: bool, model: FlowModel, coder: _Writer | _Reader) -> None:
    for colour in range(1 if grey else 3):
        rows = np.full(values[..., colour].size, BASE_ROWS[colour], np.int32)
        found = coder.base(values[..., colour].ravel(), model.tables.index(rows))
        values[..., colour] = found.reshape(values.shape[:2])


def _build(
    coarse: Ints, windows: Windows, grey: bool, model: FlowModel, coder: _Writer | _Reader
) -> Ints:
    """Doubles the resolution split by split, coding on the way; the same both ways.

    Returns: the tile's pixels at the resolution in front of the finest split.
    """
    first = windows[max(windows)].given
    if coarse.shape[:2] != first.size:
        coarse = coarse[first.rows.start : first.rows.end, first.columns.start : first.columns.end]
    for number in sorted(windows, reverse=True):
        window, turned = _turned_window(windows[number], number), _turned(coarse, number)
        given, kept, own = window.given, window.kept, window.own
        # An odd row at the picture's end has no partner: it is its own mean.
        pairs = min(given.rows.end, window.size[0] // 2) - given.rows.start
        if pairs > 0:
            rows = slice(
                own.rows.start // 2 - given.rows.start, own.rows.end // 2 - given.rows.start
            )
            part = rows, own.columns.within(given.columns)
            coded = np.zeros((pairs, given.columns.size), np.bool_)
            coded[part] = True
            coder.begin(number, coded.shape, part)
            d = _split(turned, coded, number, grey, model, coder)
            turned = lifting.merge(turned, lifting.rgb(d))
        top = kept.rows.start - 2 * given.rows.start
        turned = turned[top : top + kept.rows.size, kept.columns.within(given.columns)]
        coarse = _turned(turned, number)
    return coarse


def _split(
    mean: Ints,
    coded: NDArray[np.bool_],
    number: int,
    grey: bool,
    model: FlowModel,
    coder: _Writer | _Reader,
) -> Ints:
    """The details ``(pairs, w, 3)``, as y, cg, co, of a mean image ``(>= pairs, w, 3)``.

    Arguments:
        coded: ``(pairs, w)``, the positions whose details are coded.
    """
    pairs = len(coded)
    planes = planes_of(mean)
    networks = model.networks(number)
    r, g, b = lifting.limits(mean[:pairs])
    middle = lifting.mean_interval(r, b)
    details = np.zeros((*coded.shape, 3), np.int32)
    known = np.zeros((1, 2, *mean.shape[:2]), np.float32)
    features, most = planes, model.detail_max
    for colour in range(1 if grey else 3):
        if colour == 0:
            mu, row, features = networks.run(0, planes=planes)
            ends = lifting.mean_interval(g, middle)
        else:
            feeds = {"planes": planes, "known": known[:, :colour], "features": features}
            mu, row = networks.run(colour, **feeds)
            y = details[..., 0]
            ends = (
                lifting.detail_interval(y, g, middle)
                if colour == 1
                else lifting.detail_interval(y - (details[..., 1] >> 1), r, b)
            )
        index = model.step_index(number, colour)
        quantizer = Quantizer(int(model.tables.steps[index]), model.tables.thresholds)
        mu, row = (value[0, 0, :pairs].astype(np.int32) for value in (mu, row))
        errors = np.zeros((1, 1, *mean.shape[:2]), np.float32)
        for turn, phase in enumerate(PASSES):
            at = tuple(slice(start, None, 2) for start in phase)
            own_mu, own_row = mu[at], row[at]
            if not own_mu.size:
                continue
            if turn:
                more = networks.run(colour, turn, errors=errors, features=features)
                h, w = own_mu.shape
                own_mu = own_mu + more[0][0, 0, :h, :w].astype(np.int32)
                own_row = own_row + more[1][0, 0, :h, :w].astype(np.int32)
            expected = Expected(own_mu, own_row, index, coded[at], model.tables)
            own_ends = np.asarray(ends[0])[at], np.asarray(ends[1])[at]
            k = coder.symbols((*at, colour), expected, own_ends, quantizer)
            made = np.clip(expected.prediction + quantizer.dequantize(k), *own_ends)
            details[(*at, colour)] = made
            # How far off the networks of the first pass were, which all later ones may see.
            missed = made - (mu[at] + MEAN_UNITS // 2) // MEAN_UNITS
            errors[0, 0, :pairs][at] = np.clip(missed, -most, most)
        if colour < 2:
            known[0, colour, :pairs] = np.clip(details[..., colour], -most, most)
    return details


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


def _turned_window(window: Window, number: int) -> Window:
    if number % 2:
        return window
    boxes = (Box(box.columns, box.rows) for box in (window.given, window.kept, window.own))
    return Window((window.size[1], window.size[0]), *boxes)


def _base_symbols(pixels: Ints) -> Ints:
    """The base's colours, each less the one to its left (in column 0, above it)."""
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
