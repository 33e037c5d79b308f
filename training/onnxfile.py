"""Writes model files: networks to ONNX roles, weights stored small, tables beside them."""

import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..codec.modelfile import KEY

__all__ = ["OPSET", "export_role", "write_model"]

OPSET, IR_VERSION = 18, 10  # what onnxruntime has read since 2024
SMALL = 4096  # weights up to this many numbers stay float32


def export_role(
    role: str,
    network: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    exact: bool,
) -> onnx.GraphProto:
    """One network as a graph whose every name begins with ``role/``.

    Arguments:
        inputs: example inputs by name; ``dynamic``: their axes that may have any length.
        exact: an integer network, whose weights are stored as the integers that they are;
            other weights are stored as float16.
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
                verbose=False,
            )
        model = onnx.load(str(path))
    graph = model.graph
    del graph.value_info[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    _shrink(graph, exact)
    return onnx.compose.add_prefix_graph(graph, f"{role}/")


def _shrink(graph: onnx.GraphProto, exact: bool) -> None:
    """Stores weights as float16 or small integers, with a Cast to float32 in front of their use."""
    kept, casts = [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        stored = None
        if values.dtype == np.float32:
            if exact and values.size > 1 and np.array_equal(values, np.floor(values)):
                stored = values.astype(_smallest(values))
            elif not exact and values.size > SMALL:
                stored = values.astype(np.float16)
        if stored is None:
            kept.append(weight)
            continue
        kept.append(numpy_helper.from_array(stored, f"{weight.name}.stored"))
        casts.append(
            helper.make_node(
                "Cast",
                [f"{weight.name}.stored"],
                [weight.name],
                name=f"{weight.name}.cast",
                to=TensorProto.FLOAT,
            )
        )
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


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
