"""One entropy segment of the ``autoencoder`` scheme: latents <-> bytes.

What a segment holds, in coding order: for each position of ``z`` the index of the prior that it is
coded under, ``z``, the residuals of the anchors of ``y`` (see `checkerboard`), those of the
non-anchors. Table rows come from exact integer networks fed with decoded integers; means are float
and touch pixels alone. A residual of a row of the lowest scales is skipped: it is zero on both
sides, and not coded.

A segment stands alone: no network looks across its border, so segments can be decoded in any
order.

``training/autoencoder/network.py`` holds the networks and the references.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ...entropy import Decoder, Encoder
from ...errors import FormatError
from ...library import Model
from .checkerboard import HYPER, checkerboard
from .entropy_model import EntropyModel, Floats, Pending, Rows

__all__ = ["decode_segment", "encode_segment", "quantize"]

RESIDUAL_MAX = 30_000  # well within reach of the escape code

# Decoding holds the interpreter's lock. Threads that take turns get out of step, so that the
# networks of one run beside the decoding of another.
TURN = Lock()


def _in_child() -> None:
    global TURN
    TURN = Lock()


if hasattr(os, "register_at_fork"):  # another thread of the parent may have held it
    os.register_at_fork(after_in_child=_in_child)


@contextmanager
def _turn(meanwhile: Pending) -> Iterator[None]:
    """Waits for `TURN`, and does meanwhile what has to be done anyway."""
    turn = TURN
    if not turn.acquire(blocking=False):
        meanwhile()
        turn.acquire()
    try:
        yield
    finally:
        turn.release()


def encode_segment(y: Floats, encoder: Model, entropy: EntropyModel) -> tuple[bytes, float]:
    """The bytes of latents ``(channels, h, w)``, and their bits as the tables have it."""
    _, h, w = y.shape
    tables, z_max = entropy.tables, entropy.z_max
    padded = np.pad(y, ((0, 0), (0, -h % HYPER), (0, -w % HYPER)), "edge")
    feeds = {"y": padded[None], "mix": entropy.level_weights}
    (z_float,) = encoder.run("hyper_analysis", entropy.runtime, **feeds)
    z = np.clip(np.floor(z_float[0] + 0.5), -z_max, z_max).astype(np.int32)
    index = _choose_priors(z, entropy)

    coder = Encoder()
    coder.put(index.ravel(), np.zeros(index.size, np.int32), entropy.prior_index)
    coder.put(z.ravel(), _z_rows(index, entropy.z_channels), tables.z)

    board = checkerboard(entropy.channels, h, w)
    scales, pending, exact = entropy.anchors(z, board)
    indices = _coded(scales, board.anchor_edges, entropy)
    rows = scales[indices]
    mean, features = pending()
    residuals = board.anchors(y)[indices] - mean[indices]
    first = quantize(residuals, rows, tables.thresholds)
    coder.put(first, rows, tables.y)

    nonzero = np.flatnonzero(first != 0)
    indices, symbols = indices[nonzero], first[nonzero]
    mean[indices] += symbols.astype(np.float32)  # the anchors' latents as decoded
    scales, pending = entropy.non_anchors(indices, symbols, mean, exact, features, board)
    indices = _coded(scales, board.non_anchor_edges, entropy)
    rows = scales[indices]
    (mean,) = pending()
    residuals = board.non_anchors(y)[indices] - mean[indices]
    second = quantize(residuals, rows, tables.thresholds)
    coder.put(second, rows, tables.y)
    return _checksum(index.ravel(), z.ravel(), first, second) + coder.finish(), coder.bits


def quantize(residuals: Floats, rows: Rows, thresholds: Floats) -> NDArray[np.int32]:
    """Residuals rounded, or one nearer to zero where that saves more bits than it costs.

    Arguments:
        thresholds: see `contract.rdoq_thresholds`.
    """
    distance = np.minimum(np.abs(residuals), RESIDUAL_MAX)
    size = np.floor(distance + 0.5).astype(np.int32)
    entry = rows.astype(np.int32) * thresholds.shape[1] + np.minimum(size, thresholds.shape[1] - 1)
    size -= distance < thresholds.ravel()[entry]
    return np.where(residuals < 0, -size, size)


def decode_segment(data: bytes, h: int, w: int, entropy: EntropyModel) -> Floats:
    """``y`` of one segment, ``(channels, h, w)``."""
    tables = entropy.tables
    if len(data) < 2:
        raise FormatError("The file is damaged: a segment is too short.")
    coder = Decoder(data[2:])
    hz, wz = -(-h // HYPER), -(-w // HYPER)
    index = coder.take(np.zeros(hz * wz, np.int32), entropy.prior_index)
    if index.size and (index.min() < 0 or index.max() >= len(tables.z_bits)):
        raise FormatError("The file is damaged: a segment names a prior that does not exist.")
    z = coder.take(_z_rows(index.reshape(hz, wz), entropy.z_channels), tables.z)
    if np.abs(z).max(initial=0) > entropy.z_max:  # the exactness bounds rest on this
        raise FormatError("The file is damaged: a segment's symbols are out of range.")

    board = checkerboard(entropy.channels, h, w)
    scales, pending, exact = entropy.anchors(z.reshape(-1, hz, wz), board)
    first, indices, symbols = _take(coder, scales, board.anchor_edges, pending, entropy)
    anchors, features = pending()
    anchors[indices] += symbols.astype(np.float32)
    scales, pending = entropy.non_anchors(indices, symbols, anchors, exact, features, board)
    second, indices, symbols = _take(coder, scales, board.non_anchor_edges, pending, entropy)
    (non_anchors,) = pending()
    non_anchors[indices] += symbols.astype(np.float32)
    coder.finish()
    if _checksum(index, z, first, second) != data[:2]:
        raise FormatError("The file is damaged: the symbols of a segment do not match their check.")
    return board.join(anchors, non_anchors)


def _coded(scales: Rows, edges: NDArray[np.bool_], entropy: EntropyModel) -> NDArray[np.intp]:
    """The indices of residuals that are coded.

    Where the scales are lowest a residual is zero, and not coded. At a segment's edge the means
    are surest and most often wrong, since the networks see nothing beyond, which shows as a line
    in a sky: there all are coded.
    """
    return np.flatnonzero((scales > entropy.skipped) | edges)


def _take(
    coder: Decoder,
    scales: Rows,
    edges: NDArray[np.bool_],
    pending: Pending,
    entropy: EntropyModel,
) -> tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.int32]]:
    """The residuals that are coded; and of all that are not zero the indices and values."""
    with _turn(pending):
        indices = _coded(scales, edges, entropy)
        values, nonzero, symbols = coder.take_nonzero(scales[indices], entropy.tables.y)
        return values, indices.take(nonzero), symbols


def _choose_priors(z: NDArray[np.int32], entropy: EntropyModel) -> NDArray[np.int32]:
    """For each position of ``z`` the prior that codes it in the fewest bits, ``(hz, wz)``."""
    cost = entropy.tables.z_bits
    priors, channels = cost.shape[:2]
    entry = (z + entropy.z_max).reshape(1, channels, 1, -1)
    bits = np.take_along_axis(cost[:, :, :, None], entry, 2).sum((1, 2))
    bits -= np.log2(entropy.prior_index.row(0)[:priors])[:, None]
    return np.argmin(bits, axis=0).reshape(z.shape[1:]).astype(np.int32)


def _z_rows(index: NDArray[np.int32], channels: int) -> NDArray[np.int32]:
    rows = index[None] * channels + np.arange(channels, dtype=np.int32)[:, None, None]
    return rows.ravel().astype(np.int32)


def _checksum(*symbols: NDArray[np.int32]) -> bytes:
    crc = 0
    for part in symbols:
        crc = zlib.crc32(np.ascontiguousarray(part, "<i4").data, crc)
    return (crc & 0xFFFF).to_bytes(2, "little")
