"""Frequency tables: rows of positive integers of one sum, and the coder's models of them."""

import numpy as np
from numpy.typing import NDArray

from .backend import Categorical

__all__ = ["BLOCK", "MOST", "TOTAL", "Ints", "Tables"]

TOTAL = 2**16  # every row's frequencies sum to this
MOST = 2**22  # the sum of a row of its own; the coder works with 24 bits
BLOCK = 8  # values of a mostly zero row that share a symbol
FEWEST = 64  # values of such a row from which blocks are used
ONES = np.array([mask.bit_count() for mask in range(2**BLOCK)])  # of a block, values not zero

Ints = NDArray[np.integer]  # what is taken; what is given back is int32


class Tables:
    """Rows of frequencies, with the coder's models made when first used.

    Arguments:
        low: int ``(rows,)``, the smallest value of each row.
        sizes: int ``(rows,)``, the number of entries of each row, the escape included.
        frequencies: int ``(sum of sizes,)``, all rows one after another.
        total: what each row sums to.
        blocks: codes rows that say zero at least half of the time in blocks; a part of the format.

    Raises:
        ValueError: a row is empty, not positive or does not sum to ``total``.

    Example:
        >>> rows = Tables(np.array([-1]), np.array([4]), np.array([9, 65500, 20, 7]))
        >>> rows.low.tolist(), len(rows)
        ([-1], 1)
    """

    def __init__(
        self,
        low: Ints,
        sizes: Ints,
        frequencies: Ints,
        total: int = TOTAL,
        blocks: bool = False,
    ) -> None:
        self.low = np.asarray(low, np.int64)
        self.sizes = np.asarray(sizes, np.int64)
        flat = np.asarray(frequencies, np.int64)
        ends = np.cumsum(self.sizes)
        if (
            self.low.shape != self.sizes.shape
            or self.sizes.size == 0
            or int(self.sizes.min()) < 2
            or int(ends[-1]) != flat.size
            or int(flat.min()) < 1
            or np.any(np.add.reduceat(flat, ends - self.sizes) != total)
        ):
            raise ValueError("the frequency tables are not rows of positive integers of one sum")
        self.frequencies = flat
        self.starts = ends - self.sizes
        self.last = self.low + self.sizes - 1  # of each row: the escape as a value
        self.lowest = self.low.tolist()  # as plain numbers, for loops over rows
        self.bits = -np.log2(flat / total).astype(np.float32)
        inside = (self.low <= 0) & (self.low + self.sizes - 1 > 0)
        of_zero = flat[self.starts + np.where(inside, -self.low, 0)]
        self.mostly_zero = (inside & (self.sizes > 2) & (2 * of_zero >= total) & blocks).tolist()
        self._models: dict[int, Categorical] = {}
        self._blocks: dict[int, tuple[Categorical, Categorical]] = {}

    def __len__(self) -> int:
        return self.low.size

    def row(self, index: int) -> NDArray[np.int64]:
        """Frequencies of one row, the escape last."""
        start = self.starts[index]
        return self.frequencies[start : start + self.sizes[index]]

    def model(self, index: int) -> Categorical:
        """constriction's model of a row; exact, since the frequencies are small integers."""
        found = self._models.get(index)
        if found is None:
            found = Categorical(self.row(index).astype(np.float64), perfect=False)
            self._models[index] = found
        return found

    def in_blocks(self, index: int, count: int) -> bool:
        """Whether ``count`` values of a row are coded in blocks; a rule of the format."""
        return self.mostly_zero[index] and count >= FEWEST

    def block_models(self, index: int) -> tuple[Categorical, Categorical]:
        """Of a mostly zero row: which values of a block are not zero (bits, the first value's
        highest), and a value that is not, as its index in the row without zero."""
        found = self._blocks.get(index)
        if found is None:
            row, zero = self.row(index), -self.lowest[index]
            total, zeros = int(row.sum()), int(row[zero])
            # Integers of any size: the same on every machine.
            chance = [zeros ** (BLOCK - k) * (total - zeros) ** k for k in range(BLOCK + 1)]
            counts = np.array([max(1, MOST * c // total**BLOCK) for c in chance], np.int64)
            masks = counts[ONES]
            masks[0] += MOST - masks.sum()
            rest = np.delete(row, zero)
            found = (
                Categorical(masks.astype(np.float64), perfect=False),
                Categorical(rest.astype(np.float64), perfect=False),
            )
            self._blocks[index] = found
        return found
