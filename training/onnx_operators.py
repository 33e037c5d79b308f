"""ONNX operators that torch has no name for; they work in exports alone."""

import torch
from torch import Tensor, nn

__all__ = ["constant", "dequantize_linear", "operator", "quantize_linear", "uint8"]


def uint8(value: int) -> Tensor:
    return torch.tensor(value, dtype=torch.uint8)


def constant(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach(), requires_grad=False)


def quantize_linear(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return operator("QuantizeLinear", (x, step, zero), torch.uint8, x.shape)


def dequantize_linear(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return operator("DequantizeLinear", (x, step, zero), torch.float32, x.shape)


def operator(
    name: str, inputs: tuple, kind: torch.dtype, shape: torch.Size, **attrs: int
) -> Tensor:
    """The ONNX operator ``name``; for what torch has no name for, so it works in exports alone."""
    return torch.onnx.ops.symbolic(name, inputs, {**attrs}, dtype=kind, shape=shape)
