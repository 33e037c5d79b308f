"""Tables and networks of ``flow``: what is expected of details before they are coded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...entropy import Tables
from ...library import Model
from ...modelfile import ModelFile
from ...session import Runtime
from ..quality import level_weights, quality_position
from .contract import COLOURS, HALO, LOSSLESS, MEAN_UNITS, WHOLE_STEP, eighths_of_step

__all__ = ["Expected", "FlowModel", "FlowTables", "SplitNetworks"]

STRIP = 2**15  # positions that a network works on at a time

Ints = NDArray[np.int32]


class FlowTables:
    """The tables of a decoder.

    Attributes:
        frequencies: of the symbols, a few tables a row; see `index`.
        steps: quantizer steps in 256ths, by step index; ascending.
        row_offsets: by step index, what is taken off a row index (in quarters).
        thresholds: see `quantizer.Quantizer`.
    """

    def __init__(self, file: ModelFile) -> None:
        self.frequencies = Tables(file.table("low"), file.table("size"), file.table("freq"))
        self.steps, self.row_offsets, self.thresholds = (
            file.table(name).astype(np.int32) for name in ("step", "row_offset", "threshold")
        )
        self.fractions: int = file.settings["fractions"]
        self.split_rows: int = file.settings["split_rows"]

    def index(self, rows: Ints, eighths: Ints | int = 0) -> Ints:
        """The tables of rows where the mean lies so many 8ths of a step from the prediction.

        The first ``split_rows`` rows, of narrow distributions, have ``fractions`` tables each;
        then come the rows that have one.
        """
        count, split = self.fractions, self.split_rows
        narrow = rows * count + np.minimum(eighths, count - 1)
        return np.where(rows < split, narrow, rows + (count - 1) * split)


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

    def networks(self, number: int) -> "SplitNetworks":
        """The networks of a split."""
        kinds, top = self.settings["kinds"], self.settings["gain_top"]
        levels = self.settings["gain_levels"]
        position = min(self.step_index(number, 0), top) * ((levels - 1) * 256) // top
        weights = level_weights(position, levels).astype(np.float32)[None]
        return SplitNetworks(self, f"half{min(number, kinds - 2 + number % 2)}", weights)


@dataclass(frozen=True)
class SplitNetworks:
    """The networks of one split; ``title`` begins the names of their roles."""

    model: FlowModel
    title: str
    weights: NDArray[np.float32]  # of the gain levels

    def run(self, colour: int, turn: int = 0, **feeds: NDArray) -> list[NDArray]:
        """The outputs, worked out in strips of rows: for less memory, and in the caches.

        Arguments:
            turn: which of `PASSES`; the networks of all but the first tell the mean and row of
                the positions of their pass alone.
        """
        role = f"{self.title}_{COLOURS[colour]}{turn or ''}"
        rows, columns = next(iter(feeds.values())).shape[2:]
        step = max(2, STRIP // columns // 2 * 2)
        every = 2 if turn else 1
        parts = []
        for start in range(0, rows, step):
            top, bottom = max(0, start - HALO), min(rows, start + step + HALO)
            seen = {name: value[:, :, top:bottom] for name, value in feeds.items()}
            runtime = self.model.runtime
            found = self.model.model.run(role, runtime, mix=self.weights, **seen)
            own = slice((start - top) // every, (start - top + step) // every)
            parts.append([part[:, :, own] for part in found])
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(some, 2) for some in zip(*parts, strict=True)]


class Expected:
    """What is known of some details before they are coded.

    The prediction is the mean in whole levels. What rounding dropped, as a part of the step,
    chooses among the tables of a row; the quantizer does not see it. Tables are of details whose
    mean lies above the prediction: where it lies below, symbols are coded with the other sign.

    Arguments:
        mean: what the networks expect, in `MEAN_UNITS`.
        row: of the tables, in quarters, as the networks tell it.
        step_index: of `FlowTables.steps`.
        coded: the positions that are coded; at the others every symbol is 0.
    """

    def __init__(
        self, mean: Ints, row: Ints, step_index: int, coded: NDArray[np.bool_], tables: FlowTables
    ) -> None:
        step = int(tables.steps[step_index])
        self.prediction = (mean + MEAN_UNITS // 2) // MEAN_UNITS
        most = len(tables.thresholds) - 1
        self.rows = np.clip((row - tables.row_offsets[step_index] + 2) >> 2, 0, most)
        # The lowest row says that nothing is there: with a step over 1 it need not be coded.
        self.coded = coded if step == WHOLE_STEP else coded & (self.rows > 0)
        fraction = (mean - MEAN_UNITS * self.prediction)[self.coded]
        self.sign = np.where(fraction < 0, -1, 1).astype(np.int32)  # of the coded
        self.table = tables.index(self.rows[self.coded], eighths_of_step(fraction, step))
