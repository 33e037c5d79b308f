"""What the two directions of the ``autoencoder`` scheme share for one picture.

``training/autoencoder/network.py`` holds the networks and the references.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...entropy import TOTAL, Tables
from ...library import Model
from ...session import Runtime
from ..quality import level_weights, quality_position
from .checkerboard import Grid
from .contract import EARLIER_RDO_LAMBDA, magnitude_bits, rdoq_thresholds

__all__ = [
    "Floats",
    "Later",
    "Places",
    "Rows",
    "Side",
]

CHOICES_KEPT = 256  # qualities whose table for the choice of a prior is kept
HELPERS = 4  # threads for networks that run beside entropy coding, for all pictures at once

Floats = NDArray[np.float32]
Rows = NDArray[np.uint8]  # rows of the tables of y
Places = NDArray[np.intp]  # of values in a half of y
Later = Callable[[], list[NDArray]]


class Side:
    """Tables, place on the quality ladder, networks."""

    def __init__(self, decoder: Model, quality: int, runtime: Runtime) -> None:
        self.model, self.runtime = decoder, runtime
        self.settings = decoder.file.settings
        self.channels: int = self.settings["y"]
        self.quiet: int = self.settings.get("quiet", 0)  # the last row that is not coded
        self.mix = level_weights(
            quality_position(self.settings["ladder"], quality), self.settings["rungs"]
        )
        self.tables = _tables(decoder)
        self.choice = _choice(decoder, self.mix)

    def on(self, runtime: Runtime) -> "Side":
        """The same with its networks run elsewhere."""
        other = copy(self)
        other.runtime = runtime
        return other

    def run(self, role: str, **feeds: NDArray) -> list[NDArray]:
        mix = self.mix.astype(np.float32)[None]
        return self.model.run(role, self.runtime, mix=mix, **feeds)

    def hyper(self, z: NDArray[np.int32], grid: Grid) -> tuple[Rows, Later, Floats]:
        """From ``z``: rows of pass 1, its mean with features for pass 2, and exact features."""
        z32 = z.astype(np.float32)[None]
        index, exact = self._half("hyper_index", grid, z=z32)
        return index, self._later("hyper_mean", grid, z=z32), exact

    def second(
        self,
        places: Places,
        r1: NDArray[np.int32],
        y1: Floats,
        exact: Floats,
        features: Floats,
        grid: Grid,
    ) -> tuple[Rows, Later]:
        """Rows and mean of pass 2, from pass 1's residuals, those that are not zero."""
        magnitude = np.zeros(y1.shape, np.float32)
        magnitude[places] = np.minimum(np.abs(r1), self.settings["residual_max"])
        (index,) = self._half("context_index", grid, magnitude=magnitude, features=exact)
        return index, self._later("context_mean", grid, y1=y1, features=features)

    def _half(self, role: str, grid: Grid, **feeds: NDArray) -> list[NDArray]:
        """A network's outputs: of a half of ``y`` as a flat array, then features.

        Inputs of ``y`` are flat arrays of pass 1.
        """
        second = role.startswith("context")
        h, w = grid.h, grid.w
        given = feeds.keys() & {"magnitude", "y1"}
        if not self.settings.get("halves"):  # networks of the first kind see whole grids
            for name in given:
                feeds[name] = grid.join(feeds[name], np.zeros(grid.size, np.float32))[None]
            whole, *features = self.run(role, **feeds)
            half = grid.split(whole[0, :, :h, :w], second)
            rows = half.astype(np.uint8) if role.endswith("index") else half
            return [rows, *(part[:, :, :h, :w] for part in features)]
        if second:
            for name in given:
                feeds[f"{name}_even"], feeds[f"{name}_odd"] = grid.parts(feeds.pop(name), 0)
            feeds |= {"even": grid.even, "odd": grid.odd, "place": grid.place}
        else:
            feeds |= {"even": grid.hyper_even, "odd": grid.hyper_odd}
        first, last, *features = self.run(role, **feeds)
        half = np.concatenate([first.ravel(), last.ravel()])
        if role.endswith("index"):
            return [half, *(part[:, :, :h, :w] for part in features)]
        return [half, *(part[:, :h, :w] for part in features)]  # channels last

    def _later(self, role: str, grid: Grid, **feeds: NDArray) -> Later:
        """A network's outputs when asked for; meanwhile, given threads, it runs beside the rest.

        The means are not needed before symbols have been decoded under rows that stand already.
        """
        if self.runtime.cores == 1:
            return cache(lambda: self._half(role, grid, **feeds))
        return _helpers().submit(self._half, role, grid, **feeds).result

    def shifted(self, values: NDArray[np.int32], rows: Rows, places: Places) -> Floats:
        """Residuals, those in some places of ``rows``, as they are added to the mean.

        Models of the first kind move them a little towards zero, row by row; what is zero stays.
        """
        offsets = self.tables["offset"]  # (rows, 3): for 0, 1 and more
        if offsets is None:
            return values.astype(np.float32)
        signed = np.concatenate([-offsets[:, :0:-1], offsets], 1)  # for -2, -1, 0, 1 and 2
        moved = signed.ravel()[rows[places].astype(np.int32) * 5 + np.clip(values + 2, 0, 4)]
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
        moved = "tables/offset" in file.weights  # in models of the first kind
        made["offset"] = file.table("offset").astype(np.float32) if moved else None
        worth = file.settings.get("bit_worth", EARLIER_RDO_LAMBDA)
        made["threshold"] = rdoq_thresholds(magnitude_bits(made["y"]), worth)
        made["z_cost"] = _dense_cost(made["z"], decoder.file.settings["z_max"])
        decoder.cache["tables"] = made  # whole: other threads may be waiting for it
    return made


def _choice(decoder: Model, mix: NDArray[np.int32]) -> Tables:
    """The table of the choice of a prior for ``z``: like all else mixed, by integers; kept."""
    kept, name = decoder.cache.setdefault("choice", {}), mix.tobytes()
    made = kept.get(name)
    if made is None:
        row = mix.astype(np.int64) @ decoder.file.table("bank").astype(np.int64) // 256
        row[np.argmax(row)] += 2**16 - 1 - row.sum()
        made = Tables(np.array([0]), np.array([row.size + 1]), np.concatenate([row, [1]]))
        if len(kept) >= CHOICES_KEPT:
            kept.clear()
        kept[name] = made
    return made


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
