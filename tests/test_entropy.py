"""The entropy coder: what goes in comes out, at the price that the tables say, or with an error."""

import numpy as np
import pytest

from gencodec.codec.entropy import TOTAL, Decoder, Encoder, Tables
from gencodec.codec.errors import FormatError


def make_tables(random: np.random.Generator, rows: int, blocks: bool = False) -> Tables:
    """Rows of 1 to 40 values about zero, with random frequencies; half of them mostly zero."""
    low, sizes, frequencies = [], [], []
    for _ in range(rows):
        size = int(random.integers(2, 42))
        weights = random.gamma(0.5, size=size) + 1e-3
        share = np.floor(weights / weights.sum() * (TOTAL - size)).astype(np.int64) + 1
        share[size // 2 if random.random() < 0.5 else 0] += TOTAL - share.sum()
        low.append(-(size // 2))
        sizes.append(size)
        frequencies.append(share)
    return Tables(np.array(low), np.array(sizes), np.concatenate(frequencies), blocks=blocks)


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 1000, 50_000])
def test_round_trip_of_values_inside_and_outside_the_tables(count: int, blocks: bool) -> None:
    random = np.random.default_rng(count)
    tables = make_tables(random, 70, blocks)
    rows = random.integers(0, 70, count)
    values = np.round(random.laplace(0, 8, count)).astype(np.int32)
    values[::97] *= 500  # far outside: escapes of every length
    coder = Encoder()
    coder.put(values, rows, tables)
    data = coder.finish()
    reader = Decoder(data)
    assert np.array_equal(reader.take(rows, tables), values)
    reader.finish()


def test_the_stream_is_as_long_as_the_tables_say() -> None:
    random = np.random.default_rng(3)
    tables = make_tables(random, 20)
    rows = random.integers(0, 20, 40_000)
    values = np.round(random.laplace(0, 6, rows.size)).astype(np.int32)
    coder = Encoder()
    coder.put(values, rows, tables)
    bits = 8 * len(coder.finish())
    assert abs(bits - coder.bits) < 0.001 * bits + 64


def mostly_zero_tables(blocks: bool) -> Tables:
    """One row that says zero nine times in ten."""
    return Tables(np.array([-1]), np.array([4]), np.array([3000, 59_000, 3500, 36]), blocks=blocks)


def test_blocks_cost_as_much_as_values_one_by_one_in_fewer_symbols() -> None:
    random = np.random.default_rng(6)
    values = random.choice([-1, 0, 1, 2], 40_000, p=[0.046, 0.9, 0.053, 0.001])
    rows = np.zeros(values.size, np.uint8)
    sizes = []
    for blocks in (False, True):
        coder = Encoder()
        coder.put(values, rows, mostly_zero_tables(blocks))
        sizes.append(len(coder.finish()))
    assert abs(sizes[1] - sizes[0]) < 0.001 * sizes[0] + 8
    assert sum(part.size for part, _ in coder._parts) < 0.25 * values.size


def test_rows_in_blocks_among_others_and_where_values_are_not_zero() -> None:
    """Escaped values of all of them follow one another, row by row."""
    random = np.random.default_rng(8)
    zeros, plain = [200, 65000, 300, 36], [20_000, 25_000, 20_500, 36]
    rows_of = np.array([plain, zeros, plain, zeros])
    tables = Tables(np.full(4, -1), np.full(4, 4), rows_of.ravel(), blocks=True)
    rows = random.integers(0, 4, 4003).astype(np.uint8)
    values = random.choice([-1, 0, 1, 9, -40], rows.size, p=[0.02, 0.95, 0.02, 0.005, 0.005])
    coder = Encoder()
    coder.put(values, rows, tables)
    reader = Decoder(coder.finish())
    got, indices, symbols = reader.take_nonzero(rows, tables)
    reader.finish()
    assert np.array_equal(got, values)
    assert indices.size == np.unique(indices).size < rows.size
    assert np.isin(np.flatnonzero(values), indices).all()
    assert np.array_equal(symbols, values[indices])


def test_a_block_that_reaches_beyond_the_last_value_is_damage() -> None:
    tables, rows = mostly_zero_tables(True), np.zeros(65, np.uint8)
    coder = Encoder()
    masks, rest = tables.block_models(0)
    coder._parts = [(np.array([0] * 8 + [1], np.int32), masks), (np.zeros(1, np.int32), rest)]
    with pytest.raises(FormatError, match="damaged"):
        Decoder(coder.finish()).take(rows, tables)


def test_several_calls_are_read_in_the_order_they_were_written() -> None:
    random = np.random.default_rng(4)
    tables = make_tables(random, 5)
    parts = [(random.integers(-9, 9, n), random.integers(0, 5, n)) for n in (10, 0, 1, 300)]
    coder = Encoder()
    for values, rows in parts:
        coder.put(values, rows, tables)
    reader = Decoder(coder.finish())
    for values, rows in parts:
        assert np.array_equal(reader.take(rows, tables), values)
    reader.finish()


def test_more_than_256_rows() -> None:
    random = np.random.default_rng(5)
    tables = make_tables(random, 1000)
    rows = random.integers(0, 1000, 5000)
    values = random.integers(-20, 20, 5000)
    coder = Encoder()
    coder.put(values, rows, tables)
    assert np.array_equal(Decoder(coder.finish()).take(rows, tables), values)


def test_a_value_beyond_the_escape_code_is_refused() -> None:
    tables = Tables(np.array([0]), np.array([2]), np.array([TOTAL - 1, 1]))
    with pytest.raises(ValueError, match="too far"):
        Encoder().put(np.array([2**16 + 5]), np.array([0]), tables)


@pytest.mark.parametrize(
    "frequencies",
    [[TOTAL], [TOTAL - 1, 0, 1], [TOTAL, -1, 1], [TOTAL, 1], [5, 5]],
    ids=["no escape", "zero", "negative", "sum too large", "sum too small"],
)
def test_bad_tables_are_refused(frequencies: list[int]) -> None:
    with pytest.raises(ValueError, match="frequency"):
        Tables(np.array([0]), np.array([len(frequencies)]), np.array(frequencies))


def test_damaged_streams_never_pass_for_right() -> None:
    """Left-over data raises; a stream cut short raises or gives other values, never the right
    ones (the check of a segment's symbols, one layer up, catches those)."""
    random = np.random.default_rng(6)
    tables = make_tables(random, 10)
    rows = random.integers(0, 10, 400)
    values = random.integers(-5, 5, 400)
    coder = Encoder()
    coder.put(values, rows, tables)
    data = coder.finish()
    for length in range(len(data)):
        try:
            reader = Decoder(data[:length])
            got = reader.take(rows, tables)
            reader.finish()
        except FormatError:
            continue
        assert not np.array_equal(got, values)
    for extra in (b"\1\0\0\0", b"\xff" * 40):
        with pytest.raises(FormatError):
            reader = Decoder(data + extra)
            reader.take(rows, tables)
            reader.finish()
    for _ in range(200):
        noise = random.bytes(4 * int(random.integers(1, 200)))
        try:
            reader = Decoder(noise)
            reader.take(rows, tables)
            reader.finish()
        except FormatError:
            pass
