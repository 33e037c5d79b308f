"""The priors of vqvae: exact, causal, and the same wave by wave as position by position."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gencodec.codec import library
from gencodec.codec.entropy import Decoder, Encoder
from gencodec.codec.errors import ModelError
from gencodec.codec.modelfile import MAX_EXACT_INT, ModelFile
from gencodec.codec.schemes.vqvae import prior as prior_module
from gencodec.codec.schemes.vqvae.contract import TOTAL, taps
from gencodec.codec.schemes.vqvae.prior import PriorState, load_priors

GOLDEN = Path(__file__).parent / "golden"
DECODERS = sorted(
    [
        *GOLDEN.glob("vqvae-*/*-decoder.onnx"),
        *library.PRETRAINED.glob("vqvae-*-decoder.onnx"),
    ]
)
SHAPES = [(5, 7), (3, 4)]
each_decoder = pytest.mark.parametrize("path", DECODERS, ids=lambda path: path.stem)


def test_there_is_a_tiny_model() -> None:
    assert DECODERS


# ---- the priors once more, plainly, in 64-bit integers ---------------------------------------


def moved(x: NDArray, dy: int, dx: int) -> NDArray:
    """``x`` (channels, h, w) as each position sees it at an offset, zeros outside."""
    h, w = x.shape[1:]
    wide = np.pad(x, ((0, 0), (abs(dy), abs(dy)), (abs(dx), abs(dx))))
    top, left = abs(dy) + dy, abs(dx) + dx
    return wide[:, top : top + h, left : left + w]


def plain_layer(file: ModelFile, title: str, parts: list[NDArray]) -> NDArray:
    name, _, _ = title.partition(".")
    (about,) = [a for a in file.about["exact"][name] if a["weight"] == f"tables/{title}.weight"]
    weight = file.weight(about["weight"])[:, :, 0, 0].astype(np.int64)
    bias = file.weight(about["bias"])[0].astype(np.int64)
    x = np.concatenate(parts)
    assert np.abs(x).max() <= about["input_max"]
    total = np.einsum("oi,ihw->ohw", weight, x) + bias[:, None, None]
    assert np.abs(total).max() <= about["bound"] < MAX_EXACT_INT
    shift = about["shift"]
    return (total + (1 << (shift - 1))) >> shift


def plain_gate(file: ModelFile, x: NDArray) -> NDArray:
    a, b = np.split(np.clip(x, -127, 127) + 127, 2)
    tanh, sigmoid = (file.table(name).astype(np.int64) for name in ("tanh", "sigmoid"))
    return (tanh[a] * sigmoid[b] + 64) >> 7


def plain_frequencies(file: ModelFile, codes: NDArray, level: int) -> NDArray:
    """Frequencies ``(h, w, codes)`` of one level, for codes ``(levels, h, w)``."""
    name = f"prior{level}"

    def table(values: NDArray, which: NDArray) -> NDArray:
        return values.astype(np.int64)[which].transpose(2, 0, 1)

    def around(x: NDArray, offsets: list[tuple[int, int]]) -> list[NDArray]:
        return [moved(x, dy, dx) for dy, dx in offsets]

    condition = []
    if level:
        others = file.table(f"{name}.others")
        seen = np.concatenate([table(others[i], codes[i]) for i in range(level)])
        near = plain_layer(file, f"{name}.near", around(seen, taps(1, None)))
        far = plain_layer(file, f"{name}.far", around(np.clip(near, 0, 127), taps(1, None)))
        condition = [np.clip(far, 0, 127)]
    own = table(file.table(f"{name}.own"), codes[level])
    first = plain_layer(file, f"{name}.first", around(own, taps(2, 0)) + condition)
    state = plain_gate(file, first)
    for i in range(file.settings["depth"]):
        x = plain_layer(file, f"{name}.gated{i}", around(state, taps(1, 1)) + condition)
        added = plain_layer(file, f"{name}.added{i}", [plain_gate(file, x)])
        state = np.clip(state + np.clip(added, -127, 127), -255, 255)
    hidden = np.clip(plain_layer(file, f"{name}.hidden", [state, *condition]), 0, 127)
    logits = np.clip(plain_layer(file, f"{name}.logits", [hidden]), -1023, 1023)
    exp = file.table("exp").astype(np.int64)
    result = np.empty((*logits.shape[1:], len(logits)), np.int64)
    for y, x in np.ndindex(*logits.shape[1:]):
        here = logits[:, y, x]
        mass = [int(exp[min(int(here.max() - value), exp.size - 1)]) for value in here]
        row = [1 + part * (TOTAL - len(mass)) // sum(mass) for part in mass]
        row[int(here.argmax())] += TOTAL - sum(row)
        result[y, x] = row
    return result


# ---- tests -----------------------------------------------------------------------------------


def filled(path: Path, kind: int) -> PriorState:
    """The state of two segments with random codes, or (1, 2) all of one end of their range."""
    prior = load_priors(ModelFile.load(path))
    state = PriorState(prior, SHAPES)
    most = state.none - 1
    random = np.random.default_rng(kind)
    for inside in state.segment_positions:
        drawn = random.integers(0, most + 1, (len(prior), inside.size))
        state.codes[:, inside] = [drawn, 0, most][kind]
    return state


@each_decoder
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_float32_equals_int64(path: Path, kind: int) -> None:
    file = ModelFile.load(path)
    state = filled(path, kind)
    for level in range(len(state.priors)):
        state.begin(level)
        for number, inside in enumerate(state.segment_positions):
            codes = state.segment(number, len(state.priors))
            wanted = plain_frequencies(file, codes, level)
            got = state.frequencies(inside)
            assert np.array_equal(got.reshape(wanted.shape), wanted)
            assert got.min() >= 1
            assert np.all(got.sum(1) == TOTAL)


@each_decoder
def test_waves_give_what_all_at_once_gives(path: Path) -> None:
    state = filled(path, 0)
    for level in range(len(state.priors)):
        state.begin(level)
        wanted = state.frequencies(state.everywhere)
        row = {int(position): i for i, position in enumerate(state.everywhere)}
        state.begin(level)
        seen = []
        for positions, owners in state.waves():
            rows = [row[int(position)] for position in positions]
            assert np.array_equal(state.frequencies(positions), wanted[rows])
            assert np.all(np.diff(owners) >= 0)
            seen += rows
        assert sorted(seen) == list(range(state.everywhere.size))


@each_decoder
def test_a_code_is_seen_by_later_waves_alone(path: Path) -> None:
    """Of its own level by positions of larger x + 2 y; of other segments by none."""
    state = filled(path, 0)
    level, (h, w) = len(state.priors) - 1, SHAPES[0]
    state.begin(level)
    before = state.frequencies(state.everywhere)
    y, x = 2, 3
    state.codes[level, state.segment_positions[0][y * w + x]] ^= 1
    state.begin(level)
    after = state.frequencies(state.everywhere)
    changed = np.any(before != after, 1)
    assert not changed[h * w :].any()
    wave = np.add.outer(2 * np.arange(h), np.arange(w)).ravel()
    assert changed[: h * w].any()
    assert wave[changed[: h * w]].min() > 2 * y + x


@each_decoder
def test_wavefront_equals_the_plain_decoder(path: Path) -> None:
    """The plain decoder recomputes the whole network for every single position, in int64."""
    file = ModelFile.load(path)
    made = load_priors(ModelFile.load(path))
    h, w = 3, 4
    random = np.random.default_rng(3)
    wanted = random.integers(0, len(made[0].own) - 1, (len(made), h, w))
    coder = Encoder()
    state = PriorState(made, [(h, w)])
    for level in range(len(made)):
        state.begin(level)
        for positions, _ in state.waves():
            frequencies = state.frequencies(positions)
            state.codes[level, positions] = wanted[level].ravel()[
                np.searchsorted(state.segment_positions[0], positions)
            ]
            coder.put_each(state.codes[level, positions], frequencies)
    data = coder.finish()

    reader = Decoder(data)
    codes = np.zeros((len(made), h, w), np.int64)
    for level in range(len(made)):
        order = sorted(np.ndindex(h, w), key=lambda place: (place[1] + 2 * place[0], place[0]))
        for y, x in order:
            frequencies = plain_frequencies(file, codes, level)[y, x]
            codes[level, y, x] = reader.take_each(frequencies[None])[0]
    reader.finish()
    assert np.array_equal(codes, wanted)

    reader = Decoder(data)
    state = PriorState(made, [(h, w)])
    for level in range(len(made)):
        state.begin(level)
        for positions, _ in state.waves():
            state.codes[level, positions] = reader.take_each(state.frequencies(positions))
    reader.finish()
    assert np.array_equal(state.segment(0, len(made)), wanted)


def test_a_changed_weight_of_a_prior_is_refused() -> None:
    """Loading works the bounds out again from the weights."""
    file = ModelFile.load(DECODERS[0])
    layer = file.about["exact"]["prior0"][0]
    values = file.weight(layer["weight"])
    bias = file.weight(layer["bias"]).astype(int)
    sums = np.abs(values.astype(int)).sum((1, 2, 3)) * layer["input_max"]
    channel = int((sums + np.abs(bias).max(0)).argmax())
    changed = values.copy()
    place = int(np.abs(values[channel, :, 0, 0].astype(int)).argmin())
    changed[channel, place] += 1 if values[channel, place] >= 0 else -1
    with pytest.raises(ModelError, match="bound"):
        ModelFile(file.data.replace(values.tobytes(), changed.tobytes()), "x.onnx")


def test_offsets_that_are_seen() -> None:
    assert len(taps(1, None)) == 9
    assert (0, 0) in taps(1, 1)
    assert (0, 0) not in taps(2, 0)
    for dy, dx in taps(2, 0):
        assert dx + 2 * dy < 0
        assert max(abs(dy), abs(dx)) <= prior_module.MARGIN
