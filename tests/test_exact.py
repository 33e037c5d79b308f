"""The strongest test of the bit-exact rule that one machine allows.

Each integer network, run by onnxruntime in float32, must equal an evaluation of the same graph
in 64-bit integers, on random and on extreme inputs, under every configuration; and so must the
torch network it came from. That holds for every network that a shipped or golden model calls exact;
those of vqvae, which are no graphs but tables, are proven layer by layer here and as a whole in
`test_pixelcnn`.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gencodec.codec import library
from gencodec.codec.modelfile import MAX_EXACT_INT, ModelFile
from gencodec.codec.schemes.autoencoder.checkerboard import Checkerboard, checkerboard
from gencodec.codec.schemes.vqvae.prior import Layer, load_priors
from gencodec.codec.session import Runtime, Session

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

load = lru_cache(ModelFile.load)  # taking a file apart takes half a second
GOLDEN = Path(__file__).parent / "golden"
# Networks called exact: of the autoencoder 2, of flow 12 a kind of split, of vqvae one a level.
SHIPPED_NETWORKS = {"autoencoder": 2 * 2, "flow": 72, "vqvae": 5}
GOLDEN_NETWORKS = {"autoencoder": 2, "flow": 24, "vqvae": 3}
SHIPPED = sorted(library.PRETRAINED.glob("*.onnx"))
FILES = [*SHIPPED, *sorted(GOLDEN.glob("*/*.onnx"))]
EXACT = [(path, role) for path in FILES for role in load(path).about.get("exact", {})]
GRAPHS = [(path, role) for path, role in EXACT if role in load(path).about["roles"]]
TABLES = [case for case in EXACT if case not in GRAPHS]
AUTOENCODERS = sorted({path for path, _ in EXACT if path.name.startswith("autoencoder")})
CONFIGURATIONS = [Runtime("cpu", 1), Runtime("cpu", 2), Runtime("cpu", 1, optimise=False)]
RANDOM, EXTREME = 100, 10


class Fixed:
    """Exact numbers ``value * 2**exponent``: int64 arrays with one shared exponent."""

    def __init__(self, value: NDArray, exponent: int = 0) -> None:
        self.value, self.exponent = np.asarray(value).astype(np.int64), exponent

    @classmethod
    def of(cls, numbers: NDArray) -> "Fixed":
        """From float numbers that are multiples of a power of two."""
        if np.issubdtype(np.asarray(numbers).dtype, np.integer):
            return cls(numbers)
        numbers = np.asarray(numbers, np.float64)
        exponent = 0
        while np.any(numbers * 2.0**-exponent != np.floor(numbers * 2.0**-exponent)):
            exponent -= 1
            assert exponent > -40
        return cls(numbers * 2.0**-exponent, exponent)

    def to(self, exponent: int) -> NDArray:
        assert exponent <= self.exponent
        return self.value << (self.exponent - exponent)


def evaluator(model: bytes) -> Callable[[dict[str, NDArray]], list[NDArray]]:
    """What runs an integer graph in int64; an operation that is not known here is an error."""
    graph = onnx.load_from_string(model).graph
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
    fixed = {name: Fixed.of(array) for name, array in weights.items()}
    return lambda feeds: evaluate(graph, weights, fixed, feeds)


def evaluate(
    graph: Any,  # of onnx, which is optional here
    shapes: dict[str, NDArray],
    weights: dict[str, Fixed],
    feeds: dict[str, NDArray],
) -> list[NDArray]:
    values = weights | {name: Fixed.of(array) for name, array in feeds.items()}
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        inputs = [values[name] for name in node.input]
        kind = node.op_type
        if kind == "Cast":
            result = inputs[0]
        elif kind == "Floor":
            a = inputs[0]
            result = Fixed(a.value >> -a.exponent) if a.exponent < 0 else a
        elif kind == "Add":
            exponent = min(a.exponent for a in inputs)
            result = Fixed(inputs[0].to(exponent) + inputs[1].to(exponent), exponent)
        elif kind == "Mul":
            a, b = inputs
            result = Fixed(a.value * b.value, a.exponent + b.exponent)
        elif kind == "MatMul":
            a, b = inputs
            result = Fixed(a.value @ b.value, a.exponent + b.exponent)
        elif kind == "Clip":
            low, high = (part.to(0) for part in inputs[1:])
            result = Fixed(np.clip(inputs[0].to(0), low, high))
        elif kind == "QuantizeLinear":
            a, step, zero = inputs
            assert (step.to(0), zero.to(0)) == (1, 0) and a.exponent < 0
            half = 1 << (-a.exponent - 1)
            assert np.all(a.value % (2 * half) != half)  # there operators may round either way
            result = Fixed(np.clip((a.value + half) >> -a.exponent, 0, 255))
        elif kind == "Concat":
            exponent = min(a.exponent for a in inputs)
            parts = [a.to(exponent) for a in inputs]
            result = Fixed(np.concatenate(parts, attributes["axis"]), exponent)
        elif kind == "Shape":
            shape = inputs[0].value.shape[attributes.get("start", 0) : attributes.get("end")]
            result = Fixed(np.array(shape))
        elif kind == "Squeeze":
            result = Fixed(np.squeeze(inputs[0].to(0)))
        elif kind == "Unsqueeze":
            axes = tuple(shapes[node.input[1]].ravel().tolist())
            result = Fixed(np.expand_dims(inputs[0].value, axes), inputs[0].exponent)
        elif kind == "DepthToSpace":
            assert attributes["mode"] == b"CRD"
            result = Fixed(depth_to_space(inputs[0].to(0), attributes["blocksize"]))
        elif kind == "Transpose":
            result = Fixed(inputs[0].value.transpose(attributes["perm"]), inputs[0].exponent)
        elif kind == "Reshape":
            result = Fixed(inputs[0].value.reshape(inputs[1].to(0)), inputs[0].exponent)
        elif kind == "Gather":
            axis = attributes.get("axis", 0)
            result = Fixed(inputs[0].value.take(inputs[1].to(0), axis), inputs[0].exponent)
        elif kind == "Slice":
            (start,), (end,), (axis,), (step,) = (part.to(0) for part in inputs[1:])
            part = [slice(None)] * int(axis) + [slice(start, end, step)]
            result = Fixed(inputs[0].value[tuple(part)], inputs[0].exponent)
        elif kind == "Conv":
            assert attributes.get("group", 1) == 1
            a, b = inputs
            strides = attributes.get("strides", [1, 1])
            sums = convolve(a.value, b.value, attributes["pads"], strides)
            result = Fixed(sums, a.exponent + b.exponent)
        else:
            raise AssertionError(f"{kind} has no place in an exact network")
        values[node.output[0]] = result
    return [values[output.name].to(0) for output in graph.output]


def convolve(x: NDArray, weight: NDArray, pads: list[int], strides: list[int]) -> NDArray:
    cout, cin, kh, kw = weight.shape
    x = np.pad(x[0], ((0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    view = np.lib.stride_tricks.sliding_window_view(x, (cin, kh, kw))
    view = view[:, :: strides[0], :: strides[1]]
    windows = view[0].transpose(2, 0, 1, 3, 4)
    h, w = windows.shape[1:3]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(cin * kh * kw, h * w)
    return (weight.reshape(cout, -1) @ columns).reshape(1, cout, h, w)


def depth_to_space(x: NDArray, side: int) -> NDArray:
    b, c, h, w = x.shape
    x = x.reshape(b, c // side**2, side, side, h, w).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(b, c // side**2, h * side, w * side)


def ranges(file: ModelFile, role: str) -> dict[str, tuple[int, int, int]]:
    """Inputs of a role: channels, smallest and largest value."""
    settings = file.settings
    if file.scheme == "flow":
        width, most = settings["network"]["width"], settings["detail_max"]
        features = (width, 0, 255)
        if role[-1].isdigit():  # of a later pass
            return {"errors": (1, -most, most), "features": features}
        wanted = {"planes": (7, -510, 510)}
        if not role.endswith("_y"):
            wanted["known"] = (1 + role.endswith("_co"), -most, most)
            wanted["features"] = features
        return wanted
    if role == "hyper_index":
        return {"z": (settings["z"], -settings["z_max"], settings["z_max"])}
    features = file.weight(file.about["exact"]["hyper_index"][-1]["weight"]).shape[1]
    magnitude = (settings["y"], 0, settings["residual_max"])
    return {
        "magnitude_even": magnitude,
        "magnitude_odd": magnitude,
        "features": (features, 0, 127),
    }


def inputs(file: ModelFile, role: str, number: int) -> dict[str, NDArray]:
    """Random inputs within their ranges; the last `EXTREME` take only the ranges' ends."""
    random = np.random.default_rng(number)
    h, w = (1, 1 + number % 2) if role == "hyper_index" else (2, 2 + number % 3)
    levels = file.settings["gain_levels"]
    weights = np.zeros((1, levels), np.float32)
    level, share = random.integers(levels - 1), random.integers(257)
    weights[0, level], weights[0, level + 1] = 256 - share, share
    feeds = {"mix": weights}
    for name, (channels, low, high) in ranges(file, role).items():
        shape = (1, channels, h, w)
        if name.startswith("magnitude_"):
            board = checkerboard_of(file, role, h, w)
            shape = (board.group, getattr(board, name.removeprefix("magnitude_")).size)
        if number >= RANDOM:
            picked = random.choice([low, high], size=shape)
            if number == RANDOM:
                picked = np.full(shape, high)
            elif number == RANDOM + 1:
                picked = np.full(shape, low)
        else:
            spread = (high - low) * random.uniform(0.02, 1)
            picked = np.clip(np.round(random.normal(0, spread, shape)), low, high)
        feeds[name] = picked.astype(np.float32)
    if file.scheme == "flow":
        return feeds
    board = checkerboard_of(file, role, h, w)
    if role == "hyper_index":
        return feeds | {"even": board.hyper_even, "odd": board.hyper_odd}
    return feeds | {"even": board.even, "odd": board.odd, "place": board.place}


def checkerboard_of(file: ModelFile, role: str, h: int, w: int) -> Checkerboard:
    """That of y where a role's first input is ``h`` by ``w``; not all that z could cover."""
    if role == "hyper_index":
        return checkerboard(file.settings["y"], 4 * h - 1, 4 * w - 2)
    return checkerboard(file.settings["y"], h, w)


def test_every_exact_network_is_proven() -> None:
    """Who adds a model or a network states its number here."""
    for files, wanted in ((SHIPPED, SHIPPED_NETWORKS), (FILES[len(SHIPPED) :], GOLDEN_NETWORKS)):
        counted = dict.fromkeys(wanted, 0)
        for path, _ in EXACT:
            if path in files:
                counted[load(path).scheme] += 1
        assert counted == wanted
    assert len(GRAPHS) + len(TABLES) == len(EXACT) == 110


def name_of(value: Path | str) -> str:
    return value if isinstance(value, str) else value.stem


@pytest.mark.parametrize(("path", "role"), GRAPHS, ids=name_of)
def test_onnxruntime_equals_int64(path: Path, role: str) -> None:
    file = load(path)
    model = file.role(role)
    sessions = [Session(model, runtime, exact=True) for runtime in CONFIGURATIONS]
    in_int64 = evaluator(model)
    for number in range(RANDOM + EXTREME):
        feeds = inputs(file, role, number)
        wanted = in_int64({f"{role}/{name}": value for name, value in feeds.items()})
        for session in sessions:
            for got, want in zip(session.run(**feeds), wanted, strict=True):
                assert np.array_equal(got, want)


@pytest.mark.parametrize(("path", "role"), TABLES, ids=name_of)
def test_layers_of_priors_equal_int64(path: Path, role: str) -> None:
    """On random inputs, and on those of the largest sum that a channel can have."""
    file = load(path)
    prior = load_priors(file)[int(role.removeprefix("prior"))]
    random = np.random.default_rng(0)
    for described in file.about["exact"][role]:
        layer = layer_of(prior, described["weight"].split(".")[1])
        weight = file.weight(described["weight"])[:, :, 0, 0].astype(np.int64)
        bias = file.weight(described["bias"])[0].astype(np.int64)
        most, shift = described["input_max"], described["shift"]
        x = random.integers(-most, most + 1, (RANDOM, weight.shape[1]))
        ends = np.where(weight > 0, most, -most)  # a row a channel
        x = np.concatenate([x, ends, -ends, np.full_like(x[:1], most)])
        sums = x @ weight.T + bias
        assert np.abs(sums).max() + 2 ** (shift - 1) <= described["bound"] < MAX_EXACT_INT
        wanted = np.clip((sums + 2 ** (shift - 1)) >> shift, layer.low, layer.high)
        assert np.array_equal(layer(x.astype(np.float32)), wanted)


def layer_of(prior: object, part: str) -> Layer:
    """A layer of a prior by its name in the file, as ``hidden`` or ``gated0``."""
    name = part.rstrip("0123456789")
    found = getattr(prior, name)
    return found[int(part.removeprefix(name))] if isinstance(found, list) else found


@pytest.mark.parametrize("path", AUTOENCODERS, ids=name_of)
def test_the_torch_network_equals_int64(path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("compressai", reason="compressai is not installed")
    from gencodec.codec.library import default_pair
    from gencodec.training.autoencoder import network as autoencoder
    from gencodec.training.autoencoder.restore import read_tensors

    file = load(path)
    settings = default_pair("autoencoder", path)[0].file.settings["network"]
    sizes = {name: settings[name] for name in ("y", "z", "gain_levels")}
    config = autoencoder.AutoencoderConfig(**sizes, index=tuple(settings["index"]))
    parts = {"h_i": autoencoder.HyperIndex(config), "c_i": autoencoder.ContextIndex(config)}
    network = torch.nn.ModuleDict(parts)
    network.load_state_dict(read_tensors(path, network))
    for role, part in (("hyper_index", parts["h_i"]), ("context_index", parts["c_i"])):
        in_int64 = evaluator(file.role(role))
        for number in range(0, RANDOM + EXTREME, 5):
            feeds = inputs(file, role, number)
            wanted = in_int64({f"{role}/{name}": value for name, value in feeds.items()})
            feeds, wanted = whole(file, role, feeds, wanted)
            mix = torch.from_numpy(feeds.pop("mix"))
            with torch.no_grad():
                got = part(*(torch.from_numpy(value) for value in feeds.values()), mix)
            got = [one.numpy() for one in (got if isinstance(got, tuple) else (got,))]
            second = role == "context_index"
            board = checkerboard_of(file, role, *feeds["features" if second else "z"].shape[2:])
            rows = got[0][0, :, : board.h, : board.w]
            got[0] = board.non_anchors(rows) if second else board.anchors(rows)
            for one, want in zip(got, wanted, strict=True):
                assert np.array_equal(one, want)


def whole(
    file: ModelFile, role: str, feeds: dict[str, NDArray], outputs: list[NDArray]
) -> tuple[dict[str, NDArray], list[NDArray]]:
    """A role's inputs as the network in training takes them; its rows as one array."""
    first, last, *features = outputs
    feeds = dict(feeds)
    if role == "context_index":
        board = checkerboard_of(file, role, *feeds["features"].shape[2:])
        anchors = np.concatenate([feeds[f"magnitude_{c}"].ravel() for c in ("even", "odd")])
        magnitude = board.join(anchors, np.zeros_like(anchors))[None]
        feeds = {"magnitude": magnitude, "features": feeds["features"], "mix": feeds["mix"]}
    for name in ("even", "odd", "place"):
        feeds.pop(name, None)
    return feeds, [np.concatenate([first.ravel(), last.ravel()]), *features]


def test_exact_networks_never_run_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where a GPU is asked for by name, integer networks stay on the CPU."""
    from gencodec.codec import session

    monkeypatch.setattr(session, "_open_cuda", lambda *_: pytest.fail("opened on the GPU"))
    monkeypatch.setattr(session, "driver_present", lambda: True)
    path, role = GRAPHS[0]
    Session(load(path).role(role), Runtime("cuda", 1), exact=True)
