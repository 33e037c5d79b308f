"""constriction's stack coder in plain Python: the same bytes where constriction has no wheel.

What this package uses of ``constriction.stream``, under the same names: `AnsCoder` with words
of 32 bits and a state of 64, and models whose probabilities are integers of 24 bits. Some hundred
times slower, and nothing is lost.

References:
    Duda 2009 (arXiv 0902.0271), asymmetric numeral systems.
    Bamler 2022 (arXiv 2201.01741), constriction: ``stream.stack.AnsCoder``.
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnsCoder", "Categorical", "Uniform"]

PRECISION = 24  # bits of a probability
WORD = 32
WHOLE = 1 << PRECISION
REFILL = 1 << WORD  # below it the state takes a word, if there is one
Intervals = tuple[list[int], list[int]]  # where each symbol's interval begins; its width


class Categorical:
    """Symbols 0..n-1 by weight; without weights, a model whose weights come with each symbol.

    As constriction's with ``perfect=False``: symbol k begins at the k-th sum of the weights,
    scaled to leave every symbol one more, and rounded down.

    Example:
        >>> Categorical(np.array([1.0, 3.0])).intervals
        ([0, 4194304], [4194304, 12582912])
    """

    def __init__(self, weights: NDArray | None = None, perfect: bool = False) -> None:
        if perfect:
            raise ValueError("only perfect=False is here")
        self.intervals: Intervals = ([], [])
        if weights is not None:
            begins, widths = _intervals(np.asarray(weights, np.float64)[None])
            self.intervals = begins[0].tolist(), widths[0].tolist()


class Uniform:
    """Symbols 0..size-1, all as likely; the last one has what rounding leaves.

    Example:
        >>> Uniform(3).intervals[1]
        [5592405, 5592405, 5592406]
    """

    def __init__(self, size: int) -> None:
        each = WHOLE // size
        begins = list(range(0, size * each, each))
        self.intervals: Intervals = begins, [each] * (size - 1) + [WHOLE - begins[-1]]


def _intervals(weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of tables ``(tables, n)``: where each symbol's interval begins, and its width."""
    tables, size = weights.shape
    sums = np.zeros((tables, size + 1))
    np.cumsum(weights, 1, out=sums[:, 1:])
    scale = (WHOLE - size) / sums[:, -1:]
    begins = (sums[:, :-1] * scale).astype(np.int64) + np.arange(size)
    return begins, np.diff(begins, append=WHOLE)


class AnsCoder:
    """A stack of symbols: what is encoded last is decoded first.

    Arguments:
        words: uint32, of `get_compressed`; none for an empty stack.

    Raises:
        ValueError: the last word is zero, which no coder writes.

    Example:
        >>> coder, model = AnsCoder(), Uniform(5)
        >>> coder.encode_reverse(np.array([3, 1, 4]), model)
        >>> AnsCoder(coder.get_compressed()).decode(model, 3).tolist()
        [3, 1, 4]
    """

    def __init__(self, words: NDArray[np.uint32] | None = None) -> None:
        self._words: list[int] = [] if words is None else words.tolist()
        self._state = 0
        if self._words and self._words[-1] == 0:
            raise ValueError("the last word of a stream is never zero")
        while self._words and self._state < REFILL:
            self._state = self._state << WORD | self._words.pop()

    def encode_reverse(
        self, symbols: NDArray, model: Categorical | Uniform, weights: NDArray | None = None
    ) -> None:
        """Puts ``symbols`` on the stack, the first of them on top.

        Arguments:
            weights: where the model has none, a table a symbol ``(symbols, n)``.

        Raises:
            ValueError: a symbol that the model does not have.
        """
        chosen = np.asarray(symbols, np.int64)
        if weights is None:
            begins, widths = (np.array(part, np.int64) for part in model.intervals)
            if chosen.size and not 0 <= chosen.min() <= chosen.max() < begins.size:
                raise ValueError("a symbol outside its model")
            begins, widths = begins[chosen], widths[chosen]
        else:
            begins, widths = (
                np.take_along_axis(part, chosen[:, None], 1)[:, 0] for part in _intervals(weights)
            )
        state, words = self._state, self._words
        full = 2 * WORD - PRECISION
        for begin, width in zip(begins[::-1].tolist(), widths[::-1].tolist(), strict=True):
            if state >> full >= width:
                words.append(state & REFILL - 1)
                state >>= WORD
            prefix, rest = divmod(state, width)
            state = prefix << PRECISION | begin + rest
        self._state = state

    def decode(self, model: Categorical | Uniform, count: int | NDArray) -> NDArray[np.int32]:
        """Takes ``count`` symbols off the stack; given tables, a symbol for each of them."""
        if isinstance(count, np.ndarray):
            tables = zip(*_intervals(count), strict=True)
            each = ((begins.tolist(), widths.tolist()) for begins, widths in tables)
            found = [self._decode(intervals, 1)[0] for intervals in each]
        else:
            found = self._decode(model.intervals, count)
        return np.array(found, np.int32)

    def _decode(self, intervals: Intervals, count: int) -> list[int]:
        begins, widths = intervals
        state, words = self._state, self._words
        found = []
        for _ in range(count):
            at = state & WHOLE - 1
            symbol = bisect_right(begins, at) - 1
            state = (state >> PRECISION) * widths[symbol] + at - begins[symbol]
            if state < REFILL and words:
                state = state << WORD | words.pop()
            found.append(symbol)
        self._state = state
        return found

    def get_compressed(self) -> NDArray[np.uint32]:
        """All words, the state as the last ones."""
        words, state = list(self._words), self._state
        while state:
            words.append(state & REFILL - 1)
            state >>= WORD
        return np.array(words, np.uint32)

    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self._state == 0 and not self._words
