"""The entropy model of the ``autoencoder`` scheme: from decoded symbols to table rows and means.

`CodingTables` belongs to a decoder, `EntropyModel` to one picture at one quality.
``training/autoencoder/network.py`` holds the networks and the references.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...entropy import TOTAL, Tables
from ...library import Model
from ...modelfile import ModelFile
from ...session import Runtime
from ..quality import level_weights, quality_position
from .checkerboard import Checkerboard
from .contract import magnitude_bits, rdoq_thresholds

__all__ = ["CodingTables", "EntropyModel", "Floats", "Indices", "Pending", "Rows", "coding_tables"]

INDEX_TABLES_KEPT = 256  # qualities whose table of prior indices is kept
HELPERS = 4  # threads for networks that run beside entropy coding, for all pictures at once

Floats = NDArray[np.float32]
Rows = NDArray[np.uint8]  # rows of the tables of y
Indices = NDArray[np.intp]  # into the anchors or the non-anchors of y
Pending = Callable[[], list[NDArray]]  # waits for a network's outputs


class CodingTables:
    """The frequency tables of a decoder.

    Attributes:
        y, z: of the residuals of ``y``, and of ``z``: row ``prior * channels + channel``.
        thresholds: of RDOQ, see `contract.rdoq_thresholds`.
        z_bits: ``(priors, channels, 2 * z_max + 1)``, bits of each value of ``z``.
    """

    def __init__(self, file: ModelFile) -> None:
        settings = file.settings
        self.y = _stored(file, "y", blocks=True)
        self.z = _stored(file, "z")
        self.thresholds = rdoq_thresholds(magnitude_bits(self.y), settings["rdo_lambda"])
        bits = _value_bits(self.z, settings["z_max"])
        self.z_bits = bits.reshape(settings["z_priors"], settings["z"], -1)
        self._index_frequencies = file.table("prior_index_freq").astype(np.int64)
        self._index_tables: dict[bytes, Tables] = {}

    def prior_index(self, weights: NDArray[np.int32]) -> Tables:
        """The one-row table of the indices of priors of ``z``, at some weights of gain levels."""
        name = weights.tobytes()
        made = self._index_tables.get(name)
        if made is None:
            row = weights.astype(np.int64) @ self._index_frequencies // 256
            row[np.argmax(row)] += 2**16 - 1 - row.sum()
            made = Tables(np.array([0]), np.array([row.size + 1]), np.concatenate([row, [1]]))
            if len(self._index_tables) >= INDEX_TABLES_KEPT:
                self._index_tables.clear()
            self._index_tables[name] = made
        return made


@cache
def coding_tables(decoder: Model) -> CodingTables:
    """The tables of a decoder, made once, whatever encoder it is used with."""
    return CodingTables(decoder.file)


class EntropyModel:
    """Tables and networks for one picture at one quality.

    Arguments:
        quality: in hundredths.
    """

    def __init__(
        self, decoder: Model, tables: CodingTables, quality: int, runtime: Runtime
    ) -> None:
        self.model, self.tables, self.runtime = decoder, tables, runtime
        settings = decoder.file.settings
        self.channels: int = settings["y"]
        self.z_channels: int = settings["z"]
        self.z_max: int = settings["z_max"]
        self.residual_max: int = settings["residual_max"]
        self.skipped: int = settings["skipped"]  # the last row that is not coded
        position = quality_position(settings["quality_map"], quality)
        weights = level_weights(position, settings["gain_levels"])
        self.level_weights: Floats = weights.astype(np.float32)[None]  # (1, gain levels)
        self.prior_index = tables.prior_index(weights)

    def on(self, runtime: Runtime) -> "EntropyModel":
        """The same with its networks run elsewhere."""
        other = copy(self)
        other.runtime = runtime
        return other

    def run(self, role: str, **feeds: NDArray) -> list[NDArray]:
        """Runs one of the decoder's networks."""
        return self.model.run(role, self.runtime, mix=self.level_weights, **feeds)

    def anchors(self, z: NDArray[np.int32], board: Checkerboard) -> tuple[Rows, Pending, Floats]:
        """From ``z``: rows of the anchors, mean and float features, and exact features."""
        feeds = {
            "z": z.astype(np.float32)[None],
            "even": board.hyper_even,
            "odd": board.hyper_odd,
        }
        first, second, exact = self.run("hyper_index", **feeds)
        rows = np.concatenate([first.ravel(), second.ravel()])
        h, w = board.h, board.w
        return rows, self._pending("hyper_mean", board, feeds), exact[:, :, :h, :w]

    def non_anchors(
        self,
        indices: Indices,
        symbols: NDArray[np.int32],
        anchors: Floats,
        exact: Floats,
        features: Floats,
        board: Checkerboard,
    ) -> tuple[Rows, Pending]:
        """Rows and mean of the non-anchors.

        Arguments:
            indices, symbols: where the anchors' residuals are not zero, and what they are there.
            anchors: their latents, a flat array.
            exact, features: from ``z``, those of integers alone and those of the mean.
        """
        magnitude = np.zeros(anchors.shape, np.float32)
        magnitude[indices] = np.minimum(np.abs(symbols), self.residual_max)
        even, odd = board.anchor_groups(magnitude)
        cells = {"even": board.even, "odd": board.odd, "place": board.place}
        feeds = {"magnitude_even": even, "magnitude_odd": odd, "features": exact, **cells}
        first, second = self.run("context_index", **feeds)
        even, odd = board.anchor_groups(anchors)
        feeds = {"y1_even": even, "y1_odd": odd, "features": features, **cells}
        pending = self._pending("context_mean", board, feeds)
        return np.concatenate([first.ravel(), second.ravel()]), pending

    def _pending(self, role: str, board: Checkerboard, feeds: dict[str, NDArray]) -> Pending:
        """A mean and its features when asked for; given threads, worked out meanwhile.

        The means are not needed before symbols have been decoded under rows that stand already.
        """
        if self.runtime.cores == 1:
            return cache(lambda: self._mean(role, board, feeds))
        return _helpers().submit(self._mean, role, board, feeds).result

    def _mean(self, role: str, board: Checkerboard, feeds: dict[str, NDArray]) -> list[NDArray]:
        first, second, *features = self.run(role, **feeds)
        mean = np.concatenate([first.ravel(), second.ravel()])
        return [mean, *(part[:, : board.h, : board.w] for part in features)]  # channels last


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(HELPERS, "gencodec")


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads
    os.register_at_fork(after_in_child=_helpers.cache_clear)


def _stored(file: ModelFile, name: str, blocks: bool = False) -> Tables:
    low, size, freq = (file.table(f"{name}_{part}") for part in ("low", "size", "freq"))
    return Tables(low, size, freq, blocks=blocks)


def _value_bits(tables: Tables, largest: int) -> Floats:
    """Bits of each value ``-largest..largest`` in each row, for choosing a prior."""
    cost = np.empty((len(tables), 2 * largest + 1), np.float32)
    for row in range(len(tables)):
        bits = -np.log2(tables.row(row) / TOTAL)
        entry = np.arange(-largest, largest + 1) - tables.low[row]
        distance = np.maximum(-entry, entry - (bits.size - 1) + 1)
        inside = (entry >= 0) & (entry < bits.size - 1)
        outside = bits[-1] + 5 + np.floor(np.log2(np.maximum(distance, 1)))
        cost[row] = np.where(inside, bits[np.clip(entry, 0, bits.size - 1)], outside)
    return cost
