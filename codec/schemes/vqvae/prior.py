"""The priors of vqvae's codes, evaluated exactly: gated PixelCNNs on integers.

A probability may depend on nothing but decoded integers through integer arithmetic, or writer and
reader lose each other. Here every value is an integer held in float32 whose sums stay below 2**24
(proven at export, checked again when a model is loaded), so any order of summation gives the same;
tanh and sigmoid are look-up tables, and so is the exponential of the softmax, whose quotients are
of 64-bit integers.

A `PriorState` holds the codes of some segments and what each layer gave so far; its `frequencies`
works out the probabilities at some positions, layer by layer, from what is known around them. A
decoder asks for a *wave* at a time, all positions of equal ``x + 2 y`` of all segments: the masks
let a position see only offsets with ``dx + 2 dy < 0``, so a wave depends on earlier waves alone.
An encoder, which knows all codes, asks for everything at once and gets the same.

``training/vqvae/prior_network.py`` holds the networks under training and the references.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...modelfile import ModelFile
from .contract import GATE_MAX, LOGIT_MAX, STATE_MAX, TOTAL, taps

__all__ = ["Prior", "PriorState", "load_priors"]

CHUNK = 4096  # positions at a time where a layer is worked out everywhere
MARGIN = 2  # positions around a segment that taps may reach

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """``clip(floor((x @ weight + bias) * 2**-shift + 1/2))``, rows of integers to such rows."""

    weight: Floats  # (inputs, outputs)
    bias: Floats
    shift: int
    low: int
    high: int

    def __call__(self, *inputs: Floats) -> Floats:
        x = inputs[0] if len(inputs) == 1 else np.concatenate(inputs, 1)
        total = x @ self.weight
        total += self.bias
        total *= np.float32(2.0**-self.shift)
        total += np.float32(0.5)
        np.floor(total, out=total)
        return np.clip(total, self.low, self.high, out=total)


class Prior:
    """One level's weights, taken out of a decoder's model file.

    Raises:
        ModelError: a table is missing.
    """

    def __init__(self, file: ModelFile, level: int) -> None:
        name = f"prior{level}"
        described = {layer["weight"]: layer for layer in file.about["exact"][name]}

        def layer(part: str, low: int, high: int) -> Layer:
            title = f"tables/{name}.{part}.weight"
            weight = file.weight(title).astype(np.float32)
            bias = file.table(f"{name}.{part}.bias").astype(np.float32)
            columns = np.ascontiguousarray(weight.reshape(weight.shape[0], -1).T)
            return Layer(columns, bias.ravel(), described[title]["shift"], low, high)

        def table(part: str) -> Floats:
            """Codes' numbers, with a row of zeros at the end for positions without a code."""
            values = file.table(f"{name}.{part}").astype(np.float32)
            margin = [(0, 0)] * (values.ndim - 2) + [(0, 1), (0, 0)]
            return np.pad(np.clip(values, -GATE_MAX, GATE_MAX), margin)

        self.level = level
        self.own = table("own")
        if level:
            self.others = table("others")
            self.near, self.far = layer("near", 0, GATE_MAX), layer("far", 0, GATE_MAX)
        self.first = layer("first", -GATE_MAX, GATE_MAX)
        depth: int = file.settings["depth"]
        self.gated = [layer(f"gated{i}", -GATE_MAX, GATE_MAX) for i in range(depth)]
        self.added = [layer(f"added{i}", -GATE_MAX, GATE_MAX) for i in range(depth)]
        self.hidden = layer("hidden", 0, GATE_MAX)
        self.logits = layer("logits", -LOGIT_MAX, LOGIT_MAX)
        self.tanh = file.table("tanh").astype(np.float32)
        self.sigmoid = file.table("sigmoid").astype(np.float32)
        self.exp = file.table("exp").astype(np.int64)
        self.width = self.hidden.weight.shape[1]

    def gate(self, x: Floats) -> Floats:
        """The first ``width`` columns through tanh times the others through a sigmoid."""
        entry = x.astype(np.int32)
        entry += GATE_MAX
        width = self.width
        product = self.tanh.take(entry[:, :width])
        product *= self.sigmoid.take(entry[:, width:])
        product *= np.float32(1 / (GATE_MAX + 1))
        product += np.float32(0.5)
        return np.floor(product, out=product)

    def frequencies(self, logits: Floats) -> Ints:
        """Positive integers of sum `TOTAL` a row, for integer logits ``(n, codes)``."""
        best = logits.argmax(1)
        rows = np.arange(len(logits))
        below = (logits[rows, best][:, None] - logits).astype(np.int64)
        mass = self.exp.take(below, mode="clip")  # the table ends with 0
        whole = mass.sum(1, keepdims=True)
        mass *= TOTAL - logits.shape[1]  # less than 2**36
        mass //= whole
        mass += 1
        mass[rows, best] += TOTAL - mass.sum(1)
        return mass


def load_priors(file: ModelFile) -> list[Prior]:
    """The priors of all levels of a decoder."""
    return [Prior(file, level) for level in range(file.settings["levels"])]


class PriorState:
    """The codes of some segments, and what the priors' layers gave so far.

    Segments lie in frames of one size, one after another, in flat arrays; a position is an index
    in those. Around each segment there is a margin that holds no codes, for it to see zeros.

    Arguments:
        shapes: rows and columns of each segment.
    """

    def __init__(self, priors: list[Prior], shapes: list[tuple[int, int]]) -> None:
        self.priors, self.shapes = priors, shapes
        self.stride = max(w for _, w in shapes) + 2 * MARGIN
        self.frame = (max(h for h, _ in shapes) + 2 * MARGIN) * self.stride
        self.none = len(priors[0].own) - 1  # stands for "no code"
        self.codes = np.full((len(priors), len(shapes) * self.frame), self.none, np.int32)
        segment_positions, waves, owners = [], [], []
        for number, (h, w) in enumerate(shapes):
            y, x = np.divmod(np.arange(h * w), w)
            segment_positions.append(number * self.frame + (y + MARGIN) * self.stride + x + MARGIN)
            waves.append(x + 2 * y)
            owners.append(np.full(h * w, number))
        self.segment_positions: list[Ints] = segment_positions  # of each segment, in raster order
        self.everywhere = np.concatenate(segment_positions)
        self._wave, self._owner = np.concatenate(waves), np.concatenate(owners)

    def waves(self) -> Iterator[tuple[Ints, Ints]]:
        """Positions that can be decoded together, and each one's segment, ascending."""
        order = np.argsort(self._wave, kind="stable")
        cuts = np.flatnonzero(np.diff(self._wave[order])) + 1
        for part in np.split(order, cuts):
            yield self.everywhere[part], self._owner[part]

    def begin(self, level: int) -> None:
        """Goes to a level: forgets the layers, works out the condition from the levels before."""
        self.prior = prior = self.priors[level]
        size = self.codes.shape[1]
        self.condition = np.zeros((size, prior.width if level else 0), np.float32)
        if level:
            seen = [prior.others[i].take(self.codes[i], axis=0) for i in range(level)]
            near = np.zeros_like(self.condition)
            self._fill(near, prior.near, np.concatenate(seen, 1))
            self._fill(self.condition, prior.far, near)
        self.states = [np.zeros((size, prior.width), np.float32) for _ in prior.gated]

    def frequencies(self, positions: Ints) -> Ints:
        """Of each code at ``positions``, ``(n, codes)``, from the codes that these may see."""
        prior = self.prior
        condition = self.condition.take(positions, axis=0)
        before = self.codes[prior.level].take(self._neighbours(positions, taps(2, 0)))
        x = prior.own.take(before, axis=0).reshape(len(positions), -1)
        state = prior.gate(prior.first(x, condition))
        for cache, gated, added in zip(self.states, prior.gated, prior.added, strict=True):
            cache[positions] = state
            x = self._around(cache, positions, taps(1, 1))
            state += added(prior.gate(gated(x, condition)))
            np.clip(state, -STATE_MAX, STATE_MAX, out=state)
        return prior.frequencies(prior.logits(prior.hidden(state, condition)))

    def segment(self, number: int, levels: int) -> NDArray[np.int32]:
        """Codes of one segment, ``(levels, rows, columns)``."""
        return self.codes[:levels, self.segment_positions[number]].reshape(
            levels, *self.shapes[number]
        )

    def _fill(self, target: Floats, layer: Layer, source: Floats) -> None:
        """Works out a layer that sees all around it, everywhere, some positions at a time."""
        for start in range(0, self.everywhere.size, CHUNK):
            part = self.everywhere[start : start + CHUNK]
            target[part] = layer(self._around(source, part, taps(1, None)))

    def _neighbours(self, positions: Ints, offsets: list[tuple[int, int]]) -> Ints:
        steps = np.array([dy * self.stride + dx for dy, dx in offsets])
        return positions[:, None] + steps

    def _around(self, rows: Floats, positions: Ints, offsets: list[tuple[int, int]]) -> Floats:
        found = rows.take(self._neighbours(positions, offsets), axis=0)
        return found.reshape(len(positions), -1)
