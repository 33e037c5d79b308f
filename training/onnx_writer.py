"""Writes model files: networks to ONNX roles, weights stored small, tables beside them."""

import copy
import json
import math
import tempfile
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxscript.optimizer as optimizer
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

from ..codec.modelfile import KEY

__all__ = ["OPSET", "export_role", "fold_unshuffle", "with_weights", "write_model"]

OPSET, IR_VERSION = 18, 10  # what onnxruntime has read since 2024
FOLDED = 8  # numbers, at most, of what is worked out when a network is exported
SMALL = 1000  # weights up to this many numbers stay float32


def export_role(
    role: str,
    network: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    store: Literal["exact", "half"],
    coarse: tuple[str, ...] = (),
) -> onnx.GraphProto:
    """One network as a graph whose every name begins with ``role/``.

    Arguments:
        inputs: example inputs by name; ``dynamic``: their axes that may have any length.
        store: how weights are stored. "exact": an integer network, as the integers that they
            are; "half": float16.
        coarse: parts of names of weights to store as 8-bit integers with a scale instead of
            float16: right for what residual blocks add, not for the linear path, whose first
            coefficients are a hundred times as large as the last.
    """
    shapes = {
        name: {axis: torch.export.Dim(title) for axis, title in dynamic.get(name, {}).items()}
        for name in inputs
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "role.onnx"
        with warnings.catch_warnings():  # the exporter's advice to its own developers
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.eval(),
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes=tuple(shapes.values()),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                optimize=False,
                verbose=False,
            )
        model = onnx.load(str(path))
        # Of what is constant only shapes are worked out: weights are to keep their names.
        model = optimizer.optimize(model, input_size_limit=FOLDED)
    graph = model.graph
    del graph.value_info[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    _shrink(graph, store, coarse)
    return onnx.compose.add_prefix_graph(graph, f"{role}/")


def with_weights(
    graph: onnx.GraphProto, role: str, new_role: str, weights: dict[str, NDArray]
) -> onnx.GraphProto:
    """A graph of `export_role` for an integer network of the same form.

    Arguments:
        role, new_role: what the names of ``graph`` begin with, and those of the result.
        weights: the other network's integers, by name; all of ``graph`` have to be there.
    """

    def renamed(name: str) -> str:
        return f"{new_role}{name.removeprefix(role)}" if name.startswith(f"{role}/") else name

    made = onnx.GraphProto()
    made.CopyFrom(graph)
    for number, weight in enumerate(made.initializer):
        name = weight.name.removeprefix(f"{role}/").removesuffix(".stored")
        if weight.name.endswith(".stored"):
            values = weights[name].reshape(tuple(weight.dims))
            fresh = numpy_helper.from_array(values.astype(_smallest(values)), weight.name)
            made.initializer[number].CopyFrom(fresh)
    for named in (*made.initializer, *made.input, *made.output, *made.node):
        named.name = renamed(named.name)
    for node in made.node:
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
    return made


def fold_unshuffle(network: torch.nn.Module) -> torch.nn.Module:
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


def _shrink(graph: onnx.GraphProto, store: str, coarse: tuple[str, ...]) -> None:
    """Stores weights small, with what makes them float32 again in front of their use."""
    kept, made = [], []
    for weight in graph.initializer:
        values, name = numpy_helper.to_array(weight), weight.name
        scales: dict[str, NDArray[np.float32]] = {}
        if values.dtype != np.float32:
            stored = None
        elif store == "exact":
            whole = values.size > 1 and np.array_equal(values, np.floor(values))
            stored = values.astype(_smallest(values)) if whole else None
        elif values.size <= SMALL:
            stored = None
        elif values.ndim == 4 and any(part in name for part in coarse):
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


def write_model(
    path: Path, about: dict, graphs: list[onnx.GraphProto], tables: dict[str, NDArray]
) -> None:
    """One ONNX file of several roles and tables; see ``codec.modelfile`` for the form."""
    merged = onnx.GraphProto(name="gencodec")
    for graph in graphs:
        merged.node.extend(graph.node)
        merged.initializer.extend(graph.initializer)
        merged.input.extend(graph.input)
        merged.output.extend(graph.output)
    for name, values in tables.items():
        merged.initializer.append(numpy_helper.from_array(values, f"tables/{name}"))
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(merged, opset_imports=[opset], producer_name="gencodec")
    model.ir_version = IR_VERSION
    text = json.dumps({"format": 1, **about}, sort_keys=True, separators=(",", ":"))
    helper.set_model_props(model, {KEY: text})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
