"""One entropy segment of the ``autoencoder`` scheme: latents <-> bytes.

What a segment holds, in coding order: for each position of ``z`` the prior it was coded under,
``z``, the first half of ``y``'s residuals (a checkerboard), the second half. Table rows come from
exact integer networks fed with decoded integers; means are float and touch pixels alone. A
residual whose row is 0 is not coded: it is zero on both sides.

A segment stands alone: no network looks across its border, so segments can be decoded in any
order.

``training/models/autoencoder.py`` holds the networks and the references.
"""

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from functools import cache, lru_cache
from itertools import pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ..entropy import TOTAL, Decoder, Encoder, Tables
from ..errors import FormatError
from ..library import Model
from ..session import Runtime

__all__ = ["Side", "decode_segment", "encode_segment", "ladder_position", "mixing"]

HYPER = 4  # positions of y a position of z
RESIDUAL_MAX = 30_000  # what the escape code reaches comfortably
BIT_WORTH = 0.05  # squared steps that one bit is worth; found best on validation pictures
HELPERS = 4  # threads for networks that run beside entropy coding, for all pictures at once
QUANTISE_MAX = 12  # residuals up to this are quantised with regard to their bits

# Decoding holds the interpreter's lock. Threads that take it in turns, rather than piecemeal, get
# out of step, and the networks of one run beside the decoding of another.
TURN = Lock()

Floats = NDArray[np.float32]
Rows = NDArray[np.uint8]  # rows of the tables of y
Places = NDArray[np.intp]  # of values in the flattened y
Later = Callable[[], list[Floats]]


class Side:
    """What both directions share for one picture: tables, place on the quality ladder, runtime."""

    def __init__(self, decoder: Model, quality: int, runtime: Runtime) -> None:
        self.model, self.runtime = decoder, runtime
        self.settings = decoder.file.settings
        self.channels: int = self.settings["y"]
        self.mix = mixing(ladder_position(self.settings["ladder"], quality), self.settings["rungs"])
        self.tables = _tables(decoder)
        # The choice of a prior for z has its own table, mixed by integers like all else.
        weights = self.mix.astype(np.int64)
        choice = weights @ decoder.file.table("bank").astype(np.int64) // 256
        choice[np.argmax(choice)] += 2**16 - 1 - choice.sum()
        self.choice = Tables(
            np.array([0]), np.array([choice.size + 1]), np.concatenate([choice, [1]])
        )

    def on(self, runtime: Runtime) -> "Side":
        """The same with its networks run elsewhere."""
        other = copy(self)
        other.runtime = runtime
        return other

    def run(self, role: str, **feeds: NDArray) -> list[Floats]:
        mix = self.mix.astype(np.float32)[None]
        return self.model.run(role, self.runtime, mix=mix, **feeds)

    def hyper(self, z: NDArray[np.int32], h: int, w: int) -> tuple[Rows, Later, Floats]:
        """From ``z``: rows of pass 1, its mean with features for pass 2, and exact features."""
        z32 = z.astype(np.float32)[None]
        index, exact = self.run("hyper_index", z=z32)
        mean = self.later("hyper_mean", z=z32)
        return index[0, :, :h, :w].astype(np.uint8), mean, exact[:, :, :h, :w]

    def second(
        self, places: Places, r1: NDArray[np.int32], y1: Floats, exact: Floats, features: Floats
    ) -> tuple[Rows, Later]:
        """Rows and mean of pass 2, from pass 1's residuals, those that are not zero."""
        magnitude = np.zeros(y1.shape, np.float32)
        magnitude.ravel()[places] = np.minimum(np.abs(r1), self.settings["residual_max"])
        (index,) = self.run("context_index", magnitude=magnitude[None], features=exact)
        mean = self.later("context_mean", y1=y1[None], features=features)
        return index[0].astype(np.uint8), mean

    def later(self, role: str, **feeds: NDArray) -> Later:
        """A network's outputs when asked for; meanwhile, given threads, it runs beside the rest.

        The means are not needed before symbols have been decoded under rows that stand already.
        """
        if self.runtime.cores == 1:
            return cache(lambda: self.run(role, **feeds))
        return _helpers().submit(self.run, role, **feeds).result

    def shift(self, values: NDArray[np.int32], rows: Rows) -> Floats:
        """Residuals as they are added to the mean: moved a little towards zero, row by row.

        What is zero stays zero.
        """
        offsets = self.tables["offset"]  # (rows, 3): for 0, 1 and more
        signed = np.concatenate([-offsets[:, :0:-1], offsets], 1)  # for -2, -1, 0, 1 and 2
        moved = signed.ravel()[rows * np.int32(5) + np.clip(values + 2, 0, 4)]
        return values.astype(np.float32) - moved


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(HELPERS, "gencodec")


def _tables(decoder: Model) -> dict:
    """The decoder's tables, made once a process."""
    made = decoder.cache.get("tables")
    if made is None:
        file, made = decoder.file, {}
        for name in ("y", "z"):
            low, size, freq = (file.table(f"{name}_{part}") for part in ("low", "size", "freq"))
            blocks = name == "y" and bool(file.settings.get("blocks"))
            made[name] = Tables(low, size, freq, blocks=blocks)
        made["offset"] = file.table("offset").astype(np.float32)
        made["y_bits"] = _magnitude_bits(made["y"])
        made["z_cost"] = _dense_cost(made["z"], decoder.file.settings["z_max"])
        decoder.cache["tables"] = made  # whole: other threads may be waiting for it
    return made


def _magnitude_bits(tables: Tables) -> Floats:
    """Bits of the values ``0 .. QUANTISE_MAX`` in each row of ``y``, as far as the row reaches."""
    bits = np.empty((len(tables), QUANTISE_MAX + 1), np.float32)
    for row in range(len(tables)):
        cost = -np.log2(tables.row(row) / TOTAL)
        place = np.minimum(np.arange(QUANTISE_MAX + 1) - tables.low[row], cost.size - 1)
        bits[row] = cost[place]
    return bits


def _dense_cost(tables: Tables, largest: int) -> Floats:
    """Bits of each value ``-largest..largest`` in each row, for choosing a prior."""
    cost = np.empty((len(tables), 2 * largest + 1), np.float32)
    for row in range(len(tables)):
        bits = -np.log2(tables.row(row) / TOTAL)
        place = np.arange(-largest, largest + 1) - tables.low[row]
        distance = np.maximum(-place, place - (bits.size - 1) + 1)
        inside = (place >= 0) & (place < bits.size - 1)
        outside = bits[-1] + 5 + np.floor(np.log2(np.maximum(distance, 1)))
        cost[row] = np.where(inside, bits[np.clip(place, 0, bits.size - 1)], outside)
    return cost


def ladder_position(ladder: list[list[int]], quality: int) -> int:
    """Place on the quality ladder (256ths of a rung) of a quality in hundredths; integers only."""
    for (q0, p0), (q1, p1) in pairwise(ladder):
        if quality <= q1:
            return p0 + ((p1 - p0) * (quality - q0) * 2 + (q1 - q0)) // (2 * (q1 - q0))
    return ladder[-1][1]


def mixing(position: int, rungs: int) -> NDArray[np.int32]:
    """Weights of the rungs, integers that sum to 256."""
    weights = np.zeros(rungs, np.int32)
    rung = min(position // 256, rungs - 2)
    weights[rung + 1] = position - 256 * rung
    weights[rung] = 256 - weights[rung + 1]
    return weights


@contextmanager
def _turn(meanwhile: Later) -> Iterator[None]:
    """Waits for `TURN`, with something done that is to be done anyway."""
    if not TURN.acquire(blocking=False):
        meanwhile()
        TURN.acquire()
    try:
        yield
    finally:
        TURN.release()


@lru_cache(32)
def checkerboards(channels: int, h: int, w: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where pass 1 codes: even positions in the first half of the channels, odd ones after; and
    where pass 2 does."""
    even = (np.arange(h)[:, None] + np.arange(w)[None, :]) % 2 == 0
    half = channels // 2
    first = np.empty((channels, h, w), np.bool_)
    first[:half], first[half:] = even, ~even
    second = ~first
    for mask in (first, second):
        mask.flags.writeable = False  # the one array is given to everybody
    return first, second


def encode_segment(y: Floats, encoder: Model, side: Side) -> tuple[bytes, float]:
    _, h, w = y.shape
    tables, settings = side.tables, side.settings
    padded = np.pad(y, ((0, 0), (0, -h % HYPER), (0, -w % HYPER)), "edge")
    mix = side.mix.astype(np.float32)[None]
    (z_float,) = encoder.run("hyper_analysis", side.runtime, y=padded[None], mix=mix)
    z = np.clip(np.floor(z_float[0] + 0.5), -settings["z_max"], settings["z_max"]).astype(np.int32)
    choice = _choose_banks(z, side)

    coder = Encoder()
    coder.put(choice.ravel(), np.zeros(choice.size, np.int32), side.choice)
    coder.put(z.ravel(), _z_rows(choice, settings["z"]), tables["z"])

    index, later, exact = side.hyper(z, h, w)
    residuals = []
    for number, mask in enumerate(checkerboards(side.channels, h, w)):
        places = np.flatnonzero(mask & (index > 0))
        rows = index.ravel()[places]
        mean, *features = (part[0, :, :h, :w] for part in later())
        values = _quantise(y.ravel()[places] - mean.ravel()[places], rows, side)
        residuals.append(values)
        if number == 0:
            loud = np.flatnonzero(values)
            y1 = mean * mask
            y1.ravel()[places[loud]] += side.shift(values[loud], rows[loud])
            index, later = side.second(places[loud], values[loud], y1, exact, features[0][None])
        coder.put(values, rows, tables["y"])
    check = _checksum(choice.ravel(), z.ravel(), *residuals)
    return check + coder.finish(), coder.bits


def _quantise(exact: Floats, rows: Rows, side: Side) -> NDArray[np.int32]:
    """Residuals rounded, or one nearer to zero where that saves more bits than it costs.

    The gains make a squared quantisation step worth about the same number of bits everywhere
    (at high rate ``6 / ln 2``), so one constant, `BIT_WORTH`, serves all qualities.
    """
    exact = np.clip(exact, -RESIDUAL_MAX, RESIDUAL_MAX)
    nearest = np.floor(exact + 0.5)
    size = np.abs(nearest)
    bits, offsets = side.tables["y_bits"], side.tables["offset"]
    most = bits.shape[1] - 1
    here = np.minimum(size, most).astype(np.int32)
    below = np.maximum(here - 1, 0)
    saved = bits[rows, here] - bits[rows, below]
    distance = np.abs(exact)
    error = distance - (size - offsets[rows, np.minimum(here, 2)])
    error_below = distance - (size - 1 - offsets[rows, np.minimum(below, 2)])
    lower = (size > 0) & (size <= most)
    lower &= error_below**2 - error**2 < BIT_WORTH * saved
    return (np.sign(nearest) * (size - lower)).astype(np.int32)


def decode_segment(data: bytes, h: int, w: int, side: Side) -> Floats:
    """``y`` of one segment, ``(channels, h, w)``."""
    tables, settings = side.tables, side.settings
    if len(data) < 2:
        raise FormatError("The file is damaged: a segment is too short.")
    coder = Decoder(data[2:])
    hz, wz = -(-h // HYPER), -(-w // HYPER)
    choice = coder.take(np.zeros(hz * wz, np.int32), side.choice)
    if choice.size and (choice.min() < 0 or choice.max() >= settings["banks"]):
        raise FormatError("The file is damaged: a segment names a prior that does not exist.")
    z = coder.take(_z_rows(choice.reshape(hz, wz), settings["z"]), tables["z"], TURN)
    if np.abs(z).max(initial=0) > settings["z_max"]:  # the exactness bounds rest on this
        raise FormatError("The file is damaged: a segment's symbols are out of range.")

    index, later, exact = side.hyper(z.reshape(-1, hz, wz), h, w)
    residuals = []
    y = np.zeros((side.channels, h, w), np.float32)
    for number, mask in enumerate(checkerboards(*y.shape)):
        places = np.flatnonzero(mask & (index > 0))
        rows = index.ravel()[places]
        values = coder.take(rows, tables["y"], _turn(later))
        residuals.append(values)
        loud = np.flatnonzero(values)
        mean, *features = later()
        y = mean[0, :, :h, :w] * mask + y
        y.ravel()[places[loud]] += side.shift(values[loud], rows[loud])
        if number == 0:
            seen = features[0][:, :, :h, :w]
            index, later = side.second(places[loud], values[loud], y, exact, seen)
    coder.finish()
    if _checksum(choice, z, *residuals) != data[:2]:
        raise FormatError("The file is damaged: the symbols of a segment do not match their check.")
    return y


def _choose_banks(z: NDArray[np.int32], side: Side) -> NDArray[np.int32]:
    """For each position of ``z`` the prior that codes it in the fewest bits, ``(hz, wz)``."""
    channels, banks = side.settings["z"], side.settings["banks"]
    cost = side.tables["z_cost"].reshape(banks, channels, -1)
    place = (z + side.settings["z_max"])[None]
    bits = np.take_along_axis(cost[:, :, :, None], place.reshape(1, channels, 1, -1), 2).sum((1, 2))
    bits -= np.log2(side.choice.row(0)[:banks])[:, None]
    return np.argmin(bits, axis=0).reshape(z.shape[1:]).astype(np.int32)


def _z_rows(choice: NDArray[np.int32], channels: int) -> NDArray[np.int32]:
    rows = choice[None] * channels + np.arange(channels, dtype=np.int32)[:, None, None]
    return rows.ravel().astype(np.int32)


def _checksum(*symbols: NDArray[np.int32]) -> bytes:
    crc = 0
    for part in symbols:
        crc = zlib.crc32(np.ascontiguousarray(part, "<i4").data, crc)
    return (crc & 0xFFFF).to_bytes(2, "little")
