"""The coder: values under tables to words, and back. See the package's docstring."""

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from .backend import AnsCoder, Categorical, Uniform
from .tables import BLOCK, Ints, Tables

__all__ = ["Decoder", "Encoder"]

EACH = Categorical(perfect=False)  # a table a value; exact, as with `Tables.model`
LENGTH_CLASSES = 16  # an escaped value lies less than 2**16 - 1 outside its table

Indices = NDArray[np.intp]
Model = Categorical | Uniform


def _bits(
    values: Ints, rows: Ints, tables: Tables, entry: Ints, outside: NDArray[np.bool_]
) -> float:
    bits = float(tables.bits[tables.starts[rows] + entry].sum(dtype=np.float64))
    distance = _distance(values[outside], rows[outside], tables)[0]
    return bits + float((5 + np.floor(np.log2(distance + 1))).sum())


def _entries(values: Ints, rows: Ints, tables: Tables) -> tuple[Ints, NDArray[np.bool_]]:
    """Position of each value in its row, and which of them lie outside (they get the escape)."""
    entry = values - tables.low[rows]
    last = tables.sizes[rows] - 1
    outside = (entry < 0) | (entry >= last)
    return np.where(outside, last, entry).astype(np.int32), outside


def _distance(
    values: Ints, rows: Ints, tables: Tables
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How far outside its row each value lies (0 for the next one), and whether below."""
    low = tables.low[rows]
    below = values < low
    over = values - tables.last[rows]
    return np.where(below, low - 1 - values, over).astype(np.int64), below


def _groups(rows: Ints) -> tuple[Indices, list[tuple[int, int, int]]]:
    """A stable order by row, and for each row used (row, start, end) in that order."""
    small = rows
    if rows.dtype != np.uint8:
        small = rows.astype(np.uint8 if rows.size == 0 or rows.max() < 256 else np.uint16)
    order = np.argsort(small, kind="stable")  # a radix sort for these types
    ordered = small.take(order)
    starts = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist()]
    used = ordered[starts].tolist() if rows.size else []
    return order, list(zip(used, starts, [*starts[1:], rows.size], strict=False))


class Encoder:
    """Records values and writes them as one stream.

    Example:
        >>> rows = Tables(np.array([-1]), np.array([4]), np.array([9, 65500, 20, 7]))
        >>> coder = Encoder()
        >>> coder.put(np.array([0, 1, -40]), np.array([0, 0, 0]), rows)
        >>> reader = Decoder(coder.finish())
        >>> reader.take(np.array([0, 0, 0]), rows).tolist()
        [0, 1, -40]
        >>> reader.finish()
    """

    def __init__(self) -> None:
        self.bits = 0.0  # information content of all that was put so far, escapes included
        self._parts: list[tuple[Ints, Model | NDArray[np.uint32]]] = []

    def put(self, values: Ints, rows: Ints, tables: Tables) -> None:
        """Adds ``values`` (int, 1-d), each under the row of ``tables`` that ``rows`` names.

        Raises:
            ValueError: a value lies 2**16 or more outside its table.
        """
        values, rows = np.asarray(values, np.int32), np.asarray(rows)
        entry, outside = _entries(values, rows, tables)
        self.bits += _bits(values, rows, tables, entry, outside)
        order, groups = _groups(rows)
        entry = np.ascontiguousarray(entry[order])
        for row, start, end in groups:
            self._put_group(entry[start:end], row, tables)
        escaped = order[outside[order]]
        if escaped.size:
            distance, below = _distance(values[escaped], rows[escaped], tables)
            length = np.floor(np.log2(distance + 1)).astype(np.int32)
            if length.max() >= LENGTH_CLASSES:
                raise ValueError("a value lies too far outside its frequency table")
            self._parts.append((length, Uniform(LENGTH_CLASSES)))
            self._parts.append((below.astype(np.int32), Uniform(2)))
            for bits in range(1, LENGTH_CLASSES):
                chosen = length == bits
                if chosen.any():
                    rest = (distance[chosen] + 1 - 2**bits).astype(np.int32)
                    self._parts.append((rest, Uniform(2**bits)))

    def _put_group(self, entry: Ints, row: int, tables: Tables) -> None:
        """Adds values of one row, given as their indices in it."""
        if not tables.in_blocks(row, entry.size):
            self._parts.append((entry, tables.model(row)))
            return
        zero, (masks, rest) = -tables.lowest[row], tables.block_models(row)
        other = entry != zero
        self._parts.append((np.packbits(other).astype(np.int32), masks))
        nonzero = entry[other]
        self._parts.append((nonzero - (nonzero > zero), rest))

    def put_each(self, values: Ints, frequencies: Ints) -> None:
        """Adds ``values`` (n), each in 0..k-1 under a table of its own, a row of ``frequencies``.

        Arguments:
            frequencies: positive integers ``(n, k)``; every row has one sum, at most `MOST`.
        """
        values, rows = np.asarray(values, np.int32), np.asarray(frequencies, np.uint32)
        taken = rows[np.arange(values.size), values]
        self.bits += float((np.log2(rows[0].sum()) - np.log2(taken)).sum()) if values.size else 0.0
        self._parts.append((values, rows))

    def finish(self) -> bytes:
        """The stream: little-endian 32-bit words."""
        coder = AnsCoder()
        for values, model in reversed(self._parts):
            if isinstance(model, np.ndarray):
                coder.encode_reverse(values, EACH, model.astype(np.float64))
            else:
                coder.encode_reverse(np.ascontiguousarray(values), model)
        return coder.get_compressed().astype("<u4").tobytes()


class Decoder:
    """Reads what `Encoder` wrote, asked in the same order.

    Raises:
        FormatError: the stream is not one that an `Encoder` can have written.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) % 4:
            raise FormatError("the entropy-coded stream is damaged: it is not made of whole words.")
        words = np.frombuffer(data, "<u4").astype(np.uint32)
        try:
            self._coder = AnsCoder(words)
        except (ValueError, AssertionError) as error:
            raise FormatError("the entropy-coded stream is damaged: it ends wrongly.") from error

    def take(self, rows: Ints, tables: Tables) -> NDArray[np.int32]:
        """The next ``len(rows)`` values, int32, in the order of ``rows``."""
        return self.take_nonzero(rows, tables)[0]

    def take_nonzero(
        self, rows: Ints, tables: Tables
    ) -> tuple[NDArray[np.int32], Indices, NDArray[np.int32]]:
        """The same; the indices, in no order, of all values that are not zero and of some that
        are; and the values there."""
        order, groups = _groups(rows)
        result = np.zeros(rows.size, np.int32)
        if not groups:
            return result, order, result
        masks, moves, parts = [], [], []
        blocked, other = [], []  # rows in blocks and others, each with its values' indices in it
        padded = 0  # values of the rows in blocks so far, rounded up to whole blocks
        for row, start, end in groups:
            if tables.in_blocks(row, end - start):
                mask, entry = self._take_blocks(row, end - start, tables)
                masks.append(mask)
                moves.append(start - padded)
                blocked.append((row, entry))
                padded += BLOCK * len(mask)
            else:
                other.append((row, self._decode(tables.model(row), end - start)))
                parts.append(order[start:end])
        sure = 0  # the first values, which are known not to be zero
        if masks:
            bits = np.frombuffer(b"".join(masks), np.uint8)
            nonzero = np.flatnonzero(np.unpackbits(bits).view(np.bool_))
            sure = nonzero.size
            nonzero += np.repeat(moves, [entry.size for _, entry in blocked])
            parts.insert(0, order.take(nonzero))
        used, found = (list(part) for part in zip(*blocked, *other, strict=True))
        counts = [part.size for part in found]
        indices, symbols = np.concatenate(parts), np.concatenate(found)
        low, last = (part[used].astype(np.int32) for part in (tables.low, tables.last))
        symbols += np.repeat(low, counts)
        symbols[:sure] += symbols[:sure] >= 0
        outside = np.flatnonzero(symbols == np.repeat(last, counts))
        if outside.size:
            escaped = indices[outside]
            escaped = outside[np.lexsort((escaped, rows[escaped]))]  # as they were written
            symbols[escaped] = self._escaped(rows[indices[escaped]], tables)
        result[indices] = symbols
        return result, indices, symbols

    def _take_blocks(self, row: int, count: int, tables: Tables) -> tuple[bytes, NDArray[np.int32]]:
        """Of values of a mostly zero row: which are not zero, in bits, and their indices in it,
        zero left out."""
        masks, rest = tables.block_models(row)
        mask = self._decode(masks, -(-count // BLOCK)).astype(np.uint8).tobytes()
        if count % BLOCK and mask[-1] & (2**BLOCK - 1 >> count % BLOCK):
            raise FormatError("the entropy-coded stream is damaged.")
        return mask, self._decode(rest, int.from_bytes(mask, "big").bit_count())

    def take_each(self, frequencies: Ints) -> NDArray[np.int32]:
        """The next values, each under its own row of ``frequencies``, as `Encoder.put_each`."""
        return self._decode(EACH, np.asarray(frequencies, np.float64))

    def _escaped(self, rows: Ints, tables: Tables) -> NDArray[np.int64]:
        length = self._decode(Uniform(LENGTH_CLASSES), rows.size)
        below = self._decode(Uniform(2), rows.size) == 1
        distance = np.zeros(rows.size, np.int64)
        for bits in sorted(set(length.tolist()) - {0}):
            chosen = length == bits
            rest = self._decode(Uniform(2**bits), int(chosen.sum()))
            distance[chosen] = rest.astype(np.int64) + 2**bits - 1
        return np.where(below, tables.low[rows] - 1 - distance, tables.last[rows] + distance)

    def _decode(self, model: Model, count: int | NDArray) -> NDArray[np.int32]:
        try:
            return np.asarray(self._coder.decode(model, count), np.int32)
        except (ValueError, AssertionError, KeyError) as error:
            raise FormatError("the entropy-coded stream is damaged.") from error

    def finish(self) -> None:
        """Raises FormatError unless every word of the stream has been used up."""
        if not self._coder.is_empty():
            raise FormatError("the entropy-coded stream is damaged: data is left over.")
