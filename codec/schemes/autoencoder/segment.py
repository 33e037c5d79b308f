"""One entropy segment of the ``autoencoder`` scheme: latents <-> bytes.

What a segment holds, in coding order: for each position of ``z`` the prior it was coded under,
``z``, the first half of ``y``'s residuals (a checkerboard), the second half. Table rows come from
exact integer networks fed with decoded integers; means are float and touch pixels alone. A
residual whose row is among the quietest is not coded: it is zero on both sides.

A segment stands alone: no network looks across its border, so segments can be decoded in any
order.

``training/autoencoder/network.py`` holds the networks and the references.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ...entropy import Decoder, Encoder
from ...errors import FormatError
from ...library import Model
from .checkerboard import HYPER, grid
from .entropy_model import Floats, Later, Rows, Side

__all__ = ["decode_segment", "encode_segment"]

RESIDUAL_MAX = 30_000  # what the escape code reaches comfortably

# Decoding holds the interpreter's lock. Threads that take it in turns, rather than piecemeal, get
# out of step, and the networks of one run beside the decoding of another.
TURN = Lock()


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

    both = grid(side.channels, h, w)
    index, later, exact = side.hyper(z, both)
    residuals = []
    for number in range(2):
        places = np.flatnonzero(index > side.quiet)
        rows = index[places]
        mean, *features = later()
        values = _quantise(both.split(y, number)[places] - mean[places], rows, side)
        residuals.append(values)
        if number == 0:
            loud = np.flatnonzero(values != 0)
            places, symbols = places[loud], values[loud]
            mean[places] += side.shifted(symbols, rows, loud)
            index, later = side.second(places, symbols, mean, exact, features[0], both)
        coder.put(values, rows, tables["y"])
    check = _checksum(choice.ravel(), z.ravel(), *residuals)
    return check + coder.finish(), coder.bits


def _quantise(exact: Floats, rows: Rows, side: Side) -> NDArray[np.int32]:
    """Residuals rounded, or one nearer to zero where that saves more bits than it costs."""
    distance = np.minimum(np.abs(exact), RESIDUAL_MAX)
    size = np.floor(distance + 0.5).astype(np.int32)
    least = side.tables["threshold"]
    place = rows.astype(np.int32) * least.shape[1] + np.minimum(size, least.shape[1] - 1)
    size -= distance < least.ravel()[place]
    return np.where(exact < 0, -size, size)


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
    z = coder.take(_z_rows(choice.reshape(hz, wz), settings["z"]), tables["z"])
    if np.abs(z).max(initial=0) > settings["z_max"]:  # the exactness bounds rest on this
        raise FormatError("The file is damaged: a segment's symbols are out of range.")

    both = grid(side.channels, h, w)
    index, later, exact = side.hyper(z.reshape(-1, hz, wz), both)
    residuals, halves = [], []
    for number in range(2):
        with _turn(later):
            places = np.flatnonzero(index > side.quiet)
            rows = index[places]
            values, loud, symbols = coder.take_loud(rows, tables["y"])
            places = places.take(loud)
        residuals.append(values)
        half, *features = later()
        half[places] += side.shifted(symbols, rows, loud)
        halves.append(half)
        if number == 0:
            index, later = side.second(places, symbols, half, exact, features[0], both)
    coder.finish()
    if _checksum(choice, z, *residuals) != data[:2]:
        raise FormatError("The file is damaged: the symbols of a segment do not match their check.")
    return both.join(*halves)


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
