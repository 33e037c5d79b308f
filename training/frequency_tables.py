"""Integer frequency tables from what a trained model does on pictures.

Each table is the model's own distribution corrected by what was counted: with few counts it is
the model's, with many it is the truth.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..codec.entropy import TOTAL

__all__ = ["gaussian_row", "logistic_row", "pack", "to_frequencies"]

PRIOR_WEIGHT = 300.0  # counts that the model's own distribution is worth


def to_frequencies(mass: NDArray, total: int = TOTAL) -> NDArray[np.int64]:
    """Positive integers of sum ``total``, as near to proportional to ``mass`` as can be.

    Example:
        >>> to_frequencies(np.array([1.0, 0.0, 3.0]), 100).tolist()
        [25, 1, 74]
    """
    mass = np.maximum(np.asarray(mass, np.float64), 0)
    spare = total - mass.size  # each entry has one at least
    share = mass / mass.sum() * spare
    whole = np.floor(share).astype(np.int64)
    rest = spare - int(whole.sum())
    whole[np.argsort(whole - share, kind="stable")[:rest]] += 1
    return whole + 1


def gaussian_row(sigma: float, counts: NDArray, largest: int) -> tuple[int, NDArray[np.int64]]:
    """Table of a zero-mean row: lowest value, and frequencies with the escape last.

    Arguments:
        counts: how often each value ``-largest .. largest`` was seen under this row.
    """
    return _row(lambda x: 0.5 * math.erf(x / (sigma * math.sqrt(2))), 4 * sigma, counts, largest)


def logistic_row(
    scale: float, counts: NDArray, largest: int, centre: float | None = None
) -> tuple[int, NDArray[np.int64]]:
    """The same for a logistic distribution, whose tails are longer.

    Arguments:
        centre: the distribution's mean, where it is not symmetric about zero.
    """
    shift = centre or 0.0
    return _row(
        lambda x: 0.5 * math.tanh((x - shift) / (2 * scale)),
        7 * scale,
        counts,
        largest,
        symmetric=centre is None,
    )


def _row(
    law: Callable[[float], float],
    width: float,
    counts: NDArray,
    largest: int,
    symmetric: bool = True,
) -> tuple[int, NDArray[np.int64]]:
    radius = min(math.ceil(width) + 1, largest)
    values = np.arange(-radius, radius + 1)
    model = np.diff([law(edge - 0.5) for edge in range(-radius, radius + 2)])
    inside = counts[largest - radius : largest + radius + 1].astype(np.float64)
    outside = float(counts.sum()) - inside.sum()
    if symmetric:  # by construction of the networks
        inside, outside = inside + inside[::-1], 2 * outside
    mass = inside + PRIOR_WEIGHT * model
    escape = outside + PRIOR_WEIGHT * max(1 - model.sum(), 1e-6)
    if values.size > 16:  # wide rows have few counts an entry: the model's shape, smoothed
        kernel = np.ones(2 * (values.size // 16) + 1)
        smooth = np.convolve(mass / np.maximum(model, 1e-12), kernel, "same")
        smooth /= np.convolve(np.ones(values.size), kernel, "same")
        mass = smooth * model
    return -radius, to_frequencies(np.append(mass, escape))


def pack(rows: list[tuple[int, NDArray[np.int64]]]) -> tuple[NDArray, NDArray, NDArray]:
    """Rows as the arrays that ``codec.entropy.Tables`` takes: lowest, sizes, frequencies."""
    low = np.array([row[0] for row in rows], np.int16)
    size = np.array([row[1].size for row in rows], np.int16)
    frequencies = np.concatenate([row[1] for row in rows]).astype(np.uint16)
    return low, size, frequencies
