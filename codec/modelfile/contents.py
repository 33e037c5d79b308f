"""What may be in a model file: the parts of ONNX that gencodec's own exports consist of.

An ONNX file may name other files to read weights from, carry functions, subgraphs and operators of
extensions. onnxruntime would heed all of it, so that a file from a stranger could have it read any
file or run what nobody has looked at. Here everything that is not listed is refused; a new part is
a line in a table, and a decision.

References:
    ONNX's onnx.proto3 (field numbers).
"""

from .protobuf import fields

__all__ = ["OPERATORS", "check"]

# Arithmetic and layout on dense tensors, nothing that branches, loops, draws or reads.
# fmt: off
OPERATORS = frozenset({
    "Abs", "Add", "Cast", "Clip", "Concat", "Constant", "Conv", "DepthToSpace",
    "DequantizeLinear", "Div", "Equal", "Exp", "Expand", "Floor", "Gather", "Gemm",
    "GreaterOrEqual", "Identity", "LayerNormalization", "LeakyRelu", "Log", "MatMul", "Max",
    "Min", "Mul", "Neg", "Pad", "Pow", "QuantizeLinear", "ReduceMean", "Relu", "Reshape",
    "Resize", "Round", "Shape", "Sigmoid", "Slice", "SpaceToDepth", "Split", "Sqrt", "Squeeze",
    "Sub", "Tanh", "Transpose", "Unsqueeze", "Where",
})
# fmt: on

# Fields by message, with what they are called in errors; of those not named here none may occur.
MODEL = {1: "", 2: "", 3: "", 4: "", 5: "", 6: "", 7: "graph", 8: "opset", 14: "metadata"}
GRAPH = {1: "node", 2: "", 5: "tensor", 10: "", 11: "", 12: "", 13: ""}
NODE = {1: "", 2: "", 3: "", 4: "", 5: "attribute", 6: "", 7: ""}
ATTRIBUTE = {1: "", 2: "", 3: "", 4: "", 5: "tensor", 7: "", 8: "", 9: "", 10: "tensor", 13: ""}
ATTRIBUTE |= {20: ""}
TENSOR = {1: "", 2: "", 4: "", 5: "", 6: "", 7: "", 8: "", 9: "", 10: "", 11: "", 12: ""}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
NODE_OPERATOR, NODE_DOMAIN = 4, 7


def check(data: bytes, key: str) -> None:
    """Looks at all of an ONNX file.

    Arguments:
        key: the only one that metadata may have.

    Raises:
        ValueError: something is in it that is not listed here; the text says what.
    """
    for kind, value in _known(data, MODEL, "the model"):
        if kind == "graph":
            _check_graph(value)
        elif kind == "opset" and dict(_pairs(value)).get(1, b"") not in (b"", b"ai.onnx"):
            raise ValueError("it needs operators of an extension")
        elif kind == "metadata" and dict(_pairs(value)).get(1) != key.encode():
            raise ValueError("it has unknown metadata")


def _check_graph(data: bytes) -> None:
    for kind, value in _known(data, GRAPH, "the graph"):
        if kind == "tensor":
            _check_tensor(value)
        elif kind == "node":
            _check_node(value)


def _check_node(data: bytes) -> None:
    about = dict(_pairs(data))
    operator = about.get(NODE_OPERATOR, b"").decode("utf-8", "replace")
    if about.get(NODE_DOMAIN, b"") not in (b"", b"ai.onnx"):
        raise ValueError(f"it needs {operator!r}, an operator of an extension")
    if operator not in OPERATORS:
        raise ValueError(f"it needs the operator {operator!r}, which no model of gencodec has")
    for kind, attribute in _known(data, NODE, operator):
        if kind == "attribute":
            for part, tensor in _known(attribute, ATTRIBUTE, f"an attribute of {operator}"):
                if part == "tensor":
                    _check_tensor(tensor)


def _check_tensor(data: bytes) -> None:
    for number, value in _pairs(data):
        if number == EXTERNAL_DATA or (number == DATA_LOCATION and value):
            raise ValueError("it has external data, weights that lie in another file")
        if number not in TENSOR and number != DATA_LOCATION:
            raise ValueError(f"a weight has an unknown part (field {number})")


def _known(data: bytes, names: dict[int, str], where: str) -> list[tuple[str, bytes]]:
    """The fields of a message by name; those without one are let through and not looked at."""
    found = []
    for number, value in _pairs(data):
        if number not in names:
            raise ValueError(f"{where} has an unknown part (field {number})")
        if names[number]:
            if not isinstance(value, bytes):
                raise ValueError("it is not an ONNX file, or damaged")
            found.append((names[number], value))
    return found


def _pairs(data: bytes) -> list[tuple[int, bytes]]:
    return [(number, value) for number, value, _ in fields(data)]
