"""Writes model files: networks to ONNX roles, weights stored small, tables beside them."""

import copy
import json
import math
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import onnxscript.optimizer as optimizer
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

from ..codec.modelfile import KEY, ModelFile

__all__ = [
    "OPSET",
    "Role",
    "export_role",
    "export_roles",
    "fold_unshuffle",
    "write_decoder",
    "write_encoder",
    "write_model",
]

Network = TypeVar("Network", bound=torch.nn.Module)

OPSET, IR_VERSION = 18, 10  # what onnxruntime has read since 2024
FOLDED = 8  # numbers, at most, of constants that are worked out when a network is exported
SMALL = 1000  # weights up to this many numbers stay float32


@dataclass(frozen=True)
class Role:
    """One network of a model file, declared.

    Attributes:
        name: what the runtime runs it by.
        network: as the runtime computes it, which may differ in layout from what is trained.
        inputs: example inputs by name, in the order of the network's arguments.
        outputs: names of what it returns.
        dynamic: by input, the axes that may have any length, with a name for each length.
        integers: of an exact network, the layers as trained, whose bounds
            `integer_export.proven` states. Its weights are stored as the integers that they are,
            those of other networks as float16.
        int8: parts of names of weights to store as 8-bit integers with a scale instead of
            float16: right for what residual blocks add, not for the linear path, whose first
            coefficients are a hundred times as large as the last.
        like: the name of an earlier exact role whose network has the same form: its graph is
            taken, with other weights, since an export takes seconds.
    """

    name: str
    network: torch.nn.Module
    inputs: dict[str, torch.Tensor]
    outputs: tuple[str, ...]
    dynamic: dict[str, dict[int, str]]
    integers: torch.nn.Module | None = None
    int8: tuple[str, ...] = ()
    like: str = ""


def export_roles(roles: Iterable[Role]) -> dict[str, onnx.GraphProto]:
    """The graphs of roles by name, for `write_model` and `write_decoder`."""
    graphs: dict[str, onnx.GraphProto] = {}
    for role in roles:
        if role.like:
            graphs[role.name] = _with_weights_of(role, graphs[role.like], role.like)
        else:
            graphs[role.name] = export_role(role)
    return graphs


def export_role(role: Role) -> onnx.GraphProto:
    """One network as a graph whose every name begins with the role's name and a slash."""
    shapes = {
        name: {axis: torch.export.Dim(title) for axis, title in role.dynamic.get(name, {}).items()}
        for name in role.inputs
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "role.onnx"
        with warnings.catch_warnings():  # the exporter's advice to its own developers
            warnings.simplefilter("ignore")
            torch.onnx.export(
                role.network.eval(),
                tuple(role.inputs.values()),
                str(path),
                input_names=list(role.inputs),
                output_names=list(role.outputs),
                dynamic_shapes=tuple(shapes.values()),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                optimize=False,
                verbose=False,
            )
        model = onnx.load(str(path))
    graph = _fold_shapes(model, role).graph
    del graph.value_info[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    _shrink(graph, role.integers is not None, role.int8)
    if role.integers is not None:
        _shorten_names(graph)
    return onnx.compose.add_prefix_graph(graph, f"{role.name}/")


def _shorten_names(graph: onnx.GraphProto) -> None:
    """Numbers for nodes and what they pass on: in small networks names are most of the bytes."""
    kept = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    made = [name for node in graph.node for name in node.output if name not in kept]
    short = {name: f"{number:x}" for number, name in enumerate(made)}
    for number, node in enumerate(graph.node):
        node.name = f"{number:x}"
        for names in (node.input, node.output):
            names[:] = [short.get(name, name) for name in names]


def _fold_shapes(model: onnx.ModelProto, role: Role) -> onnx.ModelProto:
    """Works out what is constant of shapes, and of nothing else: weights keep their names.

    Those of an integer network may have as few numbers as a shape, or be equal to one another, and
    are given to the graph from outside meanwhile.
    """
    exact = {name for name, _ in role.network.named_parameters()} if role.integers else set()
    weights = [weight for weight in model.graph.initializer if weight.name in exact]
    others = [weight for weight in model.graph.initializer if weight.name not in exact]
    del model.graph.initializer[:]
    model.graph.initializer.extend(others)
    for weight in weights:
        given = helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        model.graph.input.append(given)
    model = optimizer.optimize(model, input_size_limit=FOLDED)
    del model.graph.input[len(role.inputs) :]
    others = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend([*weights, *others])
    return model


def _with_weights_of(role: Role, graph: onnx.GraphProto, like: str) -> onnx.GraphProto:
    """The graph of ``role`` from that of another, ``like``, whose network has the same form."""
    weights = {name: value.detach().numpy() for name, value in role.network.named_parameters()}

    def renamed(name: str) -> str:
        return f"{role.name}{name.removeprefix(like)}" if name.startswith(f"{like}/") else name

    made = onnx.GraphProto()
    made.CopyFrom(graph)
    for number, weight in enumerate(made.initializer):
        if weight.name.endswith(".stored"):
            values = weights[weight.name.removeprefix(f"{like}/").removesuffix(".stored")]
            values = values.reshape(tuple(weight.dims))
            fresh = numpy_helper.from_array(values.astype(_smallest(values)), weight.name)
            made.initializer[number].CopyFrom(fresh)
    for named in (*made.initializer, *made.input, *made.output, *made.node):
        named.name = renamed(named.name)
    for node in made.node:
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
    return made


def fold_unshuffle(network: Network) -> Network:
    """A copy in which a convolution behind a `torch.nn.PixelUnshuffle` is one with a stride.

    The sums are the same; the shuffle would be exported as a transposition of six axes, each of
    which costs onnxruntime as much time as several convolutions. Weights keep their names, and
    `torch.nn.functional.pixel_unshuffle` gives them their old shape.
    """
    network = copy.deepcopy(network)
    for part in [part for part in network.modules() if isinstance(part, torch.nn.Sequential)]:
        for place in range(len(part) - 1):
            shuffle, old = part[place], part[place + 1]
            if not isinstance(shuffle, torch.nn.PixelUnshuffle):
                continue
            assert isinstance(old, torch.nn.Conv2d) and old.stride == (1, 1) and old.groups == 1
            assert isinstance(old.padding, tuple)
            side, (height, width) = shuffle.downscale_factor, old.kernel_size
            new = torch.nn.Conv2d(
                old.in_channels // side**2,
                old.out_channels,
                (side * height, side * width),
                stride=side,
                padding=(side * old.padding[0], side * old.padding[1]),
            )
            new.weight = torch.nn.Parameter(F.pixel_shuffle(old.weight.detach(), side))
            new.bias = old.bias
            part[place], part[place + 1] = torch.nn.Identity(), new
    return network


def _shrink(graph: onnx.GraphProto, exact: bool, int8: tuple[str, ...]) -> None:
    """Stores weights small, with what makes them float32 again in front of their use."""
    kept, made = [], []
    for weight in graph.initializer:
        values, name = numpy_helper.to_array(weight), weight.name
        scales: dict[str, NDArray[np.float32]] = {}
        if values.dtype != np.float32:
            stored = None
        elif exact:
            whole = values.size > 1 and np.array_equal(values, np.floor(values))
            stored = values.astype(_smallest(values)) if whole else None
        elif values.size <= SMALL:
            stored = None
        elif values.ndim == 4 and any(part in name for part in int8):
            scales = _scales(values)
            stored = np.round(values / math.prod(scales.values())).astype(np.int8)
        else:
            stored = values.astype(np.float16)
        if stored is None:
            kept.append(weight)
            continue
        kept.append(numpy_helper.from_array(stored, f"{name}.stored"))
        made_of = [f"{name}.cast", *(f"{name}.times_{suffix}" for suffix in scales)]
        made_of[-1] = name
        made.append(
            helper.make_node(
                "Cast",
                [f"{name}.stored"],
                [made_of[0]],
                name=f"{name}.to_float",
                to=TensorProto.FLOAT,
            )
        )
        for number, (suffix, scale) in enumerate(scales.items()):
            kept.append(numpy_helper.from_array(scale, f"{name}.{suffix}"))
            inputs = [made_of[number], f"{name}.{suffix}"]
            title = f"{name}.times_{suffix}"
            made.append(helper.make_node("Mul", inputs, [made_of[number + 1]], name=title))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*made, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _scales(weight: NDArray) -> dict[str, NDArray[np.float32]]:
    """The factors, by suffix, whose product a convolution's weights are at most 127 times.

    Channels differ in size, so each pair of them has a step of its own; where a pair has a single
    weight, that is the product of one of the output's and one of the input's.
    """
    largest = np.abs(weight).max((2, 3), keepdims=True) + np.float32(1e-12)
    if weight[0, 0].size > 1:
        return {"scale": (largest / 127).astype(np.float32)}
    column = np.sqrt(np.square(largest).mean(0, keepdims=True))
    row = (largest / column).max(1, keepdims=True) / 127
    return {"scale": row.astype(np.float32), "columns": column.astype(np.float32)}


def _smallest(values: NDArray) -> type:
    for kind in (np.int8, np.int16, np.int32):
        if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
            return kind
    raise ValueError("an integer weight does not fit 32 bits")


def write_decoder(
    out: Path, about: dict, graphs: dict[str, onnx.GraphProto], tables: dict[str, NDArray]
) -> tuple[Path, str]:
    """A file of `write_model` in ``out``, named after its scheme, digest and part.

    Returns: its path, and the whole digest in hexadecimal.
    """
    scheme, part = about["scheme"], about["part"]
    draft = out / f"{scheme}-{part}.part"  # the digest is known once it is written
    write_model(draft, about, graphs, tables)
    digest = ModelFile.load(draft).digest.hex()
    ending = "" if part == scheme else f"-{part}"
    path = out / f"{scheme}-{digest[:8]}{ending}.onnx"
    draft.replace(path)
    return path, digest


def write_encoder(
    out: Path,
    about: dict,
    graphs: dict[str, onnx.GraphProto],
    tables: dict[str, NDArray],
    decoder: str,
) -> Path:
    """A file of `write_model` in ``out``, named after the decoder's digest, which it carries."""
    path = out / f"{about['scheme']}-{decoder[:8]}-{about['part']}.onnx"
    settings = {**about["settings"], "decoder": decoder}
    write_model(path, {**about, "settings": settings}, graphs, tables)
    return path


def write_model(
    path: Path, about: dict, graphs: dict[str, onnx.GraphProto], tables: dict[str, NDArray]
) -> None:
    """One ONNX file of several roles and tables; see ``codec.modelfile`` for the form.

    Arguments:
        about: scheme, part and settings; the names of the roles are added.
        graphs: of `export_roles`.
    """
    merged = onnx.GraphProto(name="gencodec")
    for graph in graphs.values():
        merged.node.extend(graph.node)
        merged.initializer.extend(graph.initializer)
        merged.input.extend(graph.input)
        merged.output.extend(graph.output)
    for name, values in tables.items():
        merged.initializer.append(numpy_helper.from_array(values, f"tables/{name}"))
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(merged, opset_imports=[opset], producer_name="gencodec")
    model.ir_version = IR_VERSION
    described = {"format": 1, "roles": list(graphs), **about}
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    helper.set_model_props(model, {KEY: text})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
