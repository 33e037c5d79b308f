"""Layers of the decoder in integers of 8 bits, in the form that runs fast on a CPU.

They are written as quantise-dequantise pairs around plain layers: onnxruntime makes integer
layers of them on a CPU, and what cannot do that computes the same in floats. Channels are the
last axis, as the kernels for bytes want them.

References:
    ONNX operators QuantizeLinear and DequantizeLinear
    (https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .int8_blocks import POINTWISE, SIGNED, UNSIGNED, WEIGHTS, ByteConv2d, InvertedResidual

__all__ = ["ByteMatrix", "Bytes", "bias_of", "by_pixel", "byte", "kept", "operator", "quantised"]

ALL = slice(None)


def by_pixel(count: int, side: int) -> NDArray[np.intp]:
    """Channels in front of a `torch.nn.PixelShuffle` so ordered that each pixel's are together."""
    return np.arange(count).reshape(-1, side * side).T.reshape(-1)


def bias_of(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


class _Integers(nn.Module):
    """A layer's weight as bytes and its bias as integers, with their scales by output.

    Arguments:
        weight: ``o i h w``, of what sees values in units of ``step``.
        axis: the output's in the stored weight; 1: stored as a matrix, inputs first.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, steps: int, step: float, axis: int
    ) -> None:
        super().__init__()
        scale = weight.abs().amax((1, 2, 3)) / steps + 1e-12
        whole = torch.round(weight / scale[:, None, None, None]).to(torch.int8)
        self.axis = axis
        self.integers = kept(whole[:, :, 0, 0].T.contiguous() if axis else whole)
        self.scale, self.zeros = kept(scale), kept(torch.zeros(len(scale), dtype=torch.int8))
        if bias is not None:
            unit = scale * step
            self.bias = kept(torch.round(bias / unit).to(torch.int32))
            self.bias_scale = kept(unit)

    def weight(self, rows: slice = ALL, columns: slice = ALL) -> Tensor:
        """All of it or, of a matrix, some inputs and some outputs."""
        whole, scale, zeros = self.integers, self.scale, self.zeros
        if rows != ALL:
            whole = whole[rows]
        if columns != ALL:
            whole, scale, zeros = whole[:, columns], scale[columns], zeros[columns]
        inputs = (whole, scale, zeros)
        return operator("DequantizeLinear", inputs, torch.float32, whole.shape, axis=self.axis)

    def offset(self) -> Tensor:
        inputs = (self.bias, self.bias_scale)
        return operator("DequantizeLinear", inputs, torch.float32, self.bias.shape, axis=0)


class ByteMatrix(_Integers):
    """A matrix of a calibrated `ByteConv2d`, in units of what it reaches."""

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        order = by_pixel(layer.out_channels, side)
        super().__init__(layer.weight[order], bias_of(layer)[order], POINTWISE, 1 / SIGNED, 1)
        assert isinstance(layer, ByteConv2d) and layer.reach is not None
        assert bool((layer.reach == 1).all())
        self.signed, self.middle = kept(torch.tensor(1 / SIGNED)), kept(byte(128))

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        x = quantised(x.reshape(h * w, c), self.signed, self.middle)
        x = _dequantised(x, self.signed, self.middle)
        return torch.addmm(self.offset(), x, self.weight()).reshape(1, h, w, -1)

    def product(self, x: Tensor, inputs: slice) -> Tensor:
        """Of some inputs, ``inputs positions``, and without the bias: ``positions outputs``."""
        x = quantised(x, self.signed, self.middle).T
        x = _dequantised(x, self.signed, self.middle)
        return torch.matmul(x, self.weight(inputs))

    def halves(self, x: Tensor, first: Tensor, last: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """Half of the channels at the positions ``first``, the others at ``last``, gained.

        Each ``channels positions``.
        """
        rows = quantised(x.flatten(0, 2), self.signed, self.middle)
        count, gain = gain.numel(), gain.flatten()[:, None]
        bias, parts = self.offset()[:, None] * gain, []
        for part, places in ((slice(None, count // 2), first), (slice(count // 2, None), last)):
            seen = _dequantised(rows.index_select(0, places), self.signed, self.middle)
            parts.append(torch.matmul(seen, self.weight(columns=part)).T * gain[part] + bias[part])
        return parts[0], parts[1]


class Bytes(nn.Module):
    """A calibrated `InvertedResidual` on ``1 h w c``, in units of what it reaches."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        first, second, third = (reach.flatten() for reach in block.reaches())
        assert block.spread is None and bool((first == 1).all())
        column = (slice(None), None, None, None)
        self.widen = _Integers(
            block.widen.weight / second[column],
            bias_of(block.widen) / second,
            WEIGHTS["widen"],
            1 / SIGNED,
            0,
        )
        self.depthwise = _Integers(
            block.depthwise.weight * (second / third)[column],
            bias_of(block.depthwise) / third,
            WEIGHTS["depthwise"],
            1 / SIGNED,
            0,
        )
        self.narrow = _Integers(
            block.narrow.weight * third[:, None, None], None, WEIGHTS["narrow"], 1 / UNSIGNED, 1
        )
        self.signed, self.middle = kept(torch.tensor(1 / SIGNED)), kept(byte(128))
        self.unsigned, self.nothing = kept(torch.tensor(1 / UNSIGNED)), kept(byte(0))
        self.hidden = block.depthwise.in_channels

    def forward(self, x: Tensor) -> Tensor:
        inside = quantised(x, self.signed, self.middle)
        inside = _dequantised(inside.permute(0, 3, 1, 2), self.signed, self.middle)
        inside = nn.functional.conv2d(inside, self.widen.weight(), self.widen.offset())
        inside = quantised(inside, self.signed, self.middle)
        inside = _dequantised(inside, self.signed, self.middle)
        inside = nn.functional.conv2d(
            inside,
            self.depthwise.weight(),
            self.depthwise.offset(),
            padding=1,
            groups=self.hidden,
        )
        inside = quantised(inside, self.unsigned, self.nothing)  # clips at zero: the ReLU
        inside = _dequantised(inside.permute(0, 2, 3, 1), self.unsigned, self.nothing)
        return x + torch.matmul(inside, self.narrow.weight())


def byte(value: int) -> Tensor:
    return torch.tensor(value, dtype=torch.uint8)


def kept(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach(), requires_grad=False)


def quantised(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return operator("QuantizeLinear", (x, step, zero), torch.uint8, x.shape)


def _dequantised(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return operator("DequantizeLinear", (x, step, zero), torch.float32, x.shape)


def operator(
    name: str, inputs: tuple, kind: torch.dtype, shape: torch.Size, **attrs: int
) -> Tensor:
    """The ONNX operator ``name``; for what torch has no name for, so it works in exports alone."""
    return torch.onnx.ops.symbolic(name, inputs, {**attrs}, dtype=kind, shape=shape)
