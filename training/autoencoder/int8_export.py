"""Layers in integers of 8 bits, in the form that runs fast on a CPU.

They are written as quantise-dequantise pairs around plain layers: onnxruntime makes integer
layers of them on a CPU, and what cannot do that computes the same in floats: to the last digit,
since floats hold all sums of a layer exactly. Channels are the last axis, as the kernels for bytes
want them.

References:
    ONNX operators QuantizeLinear and DequantizeLinear
    (https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html).
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..onnx_operators import constant, dequantize_linear, operator, quantize_linear, uint8
from .fake_quantization import (
    INT8_STEPS,
    MANTISSA,
    POINTWISE_STEPS,
    UINT8_STEPS,
    WEIGHT_STEPS,
    weight_scale,
)
from .int8_blocks import Int8Conv2d, Int8DepthwiseBlock, InvertedResidual

__all__ = [
    "DepthwiseInference",
    "Int8Matrix",
    "Int16Matrix",
    "InvertedResidualInference",
    "bias_of",
    "pixel_major",
]

ALL = slice(None)


def pixel_major(count: int, side: int) -> NDArray[np.intp]:
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
        rows = weight[:, :, 0, 0] if axis else weight.flatten(1)

        def sums(scale: Tensor) -> Tensor:
            found = _whole(rows, scale, steps).abs().sum(1) / step
            return found if bias is None else found + torch.round(bias / (scale * step)).abs()

        scale = _exact_scale(weight, steps, sums)
        whole = _whole(rows, scale, steps).reshape(weight.shape).to(torch.int8)
        self.axis = axis
        self.integers = constant(whole[:, :, 0, 0].T.contiguous() if axis else whole)
        self.scale, self.zeros = (
            constant(scale),
            constant(torch.zeros(len(scale), dtype=torch.int8)),
        )
        if bias is not None:
            unit = scale * step
            self.bias = constant(torch.round(bias / unit).to(torch.int32))
            self.bias_scale = constant(unit)

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


def _exact_scale(weight: Tensor, steps: int, sums: Callable[[Tensor], Tensor]) -> Tensor:
    """Scales by row of ``o i h w`` with which floats hold a row's sums exactly, in any order.

    A row whose sums are too large for a scale of `MANTISSA` bits gets a coarser one.

    Arguments:
        sums: the largest sum of each row with some scales, in units of the last digit.
    """
    scale = torch.zeros(len(weight))
    for mantissa in range(MANTISSA, 0, -1):
        wanted = weight_scale(weight, steps, mantissa).flatten()
        part, exponent = np.frexp(wanted.detach().numpy())
        digits = np.round(part * 2**mantissa)  # `weight_scale` may be off by its last digit
        found = torch.from_numpy(np.ldexp(digits, exponent - mantissa).astype(np.float32))
        scale = torch.where(scale == 0, found, scale)
        digits = torch.from_numpy(np.ldexp(np.frexp(scale.numpy())[0], MANTISSA))
        scale = torch.where(sums(scale) * digits < 2**24, scale, 0.0)
    assert bool((scale > 0).all())
    return scale


def _whole(weight: Tensor, scale: Tensor, steps: int) -> Tensor:
    return torch.round(weight / scale[:, None]).clamp(-steps, steps)


class Int8Matrix(_Integers):
    """A matrix of a calibrated `Int8Conv2d`, in units of its activation range."""

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        order = pixel_major(layer.out_channels, side)
        super().__init__(
            layer.weight[order], bias_of(layer)[order], POINTWISE_STEPS, 1 / INT8_STEPS, 1
        )
        assert isinstance(layer, Int8Conv2d) and layer.activation_range is not None
        assert bool((layer.activation_range == 1).all())
        self.signed, self.middle = constant(torch.tensor(1 / INT8_STEPS)), constant(uint8(128))

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        x = quantize_linear(x.reshape(h * w, c), self.signed, self.middle)
        x = dequantize_linear(x, self.signed, self.middle)
        return torch.addmm(self.offset(), x, self.weight()).reshape(1, h, w, -1)

    def product(self, x: Tensor, inputs: slice) -> Tensor:
        """Of some inputs, ``inputs positions``, and without the bias: ``positions outputs``."""
        x = quantize_linear(x, self.signed, self.middle).T
        x = dequantize_linear(x, self.signed, self.middle)
        return torch.matmul(x, self.weight(inputs))

    def channel_groups(
        self, x: Tensor, first: Tensor, last: Tensor, gain: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Half of the channels at the positions ``first``, the others at ``last``, gained.

        Each ``channels positions``.
        """
        rows = quantize_linear(x.flatten(0, 2), self.signed, self.middle)
        count, gain = gain.numel(), gain.flatten()[:, None]
        bias, parts = self.offset()[:, None] * gain, []
        for part, places in ((slice(None, count // 2), first), (slice(count // 2, None), last)):
            seen = dequantize_linear(rows.index_select(0, places), self.signed, self.middle)
            parts.append(torch.matmul(seen, self.weight(columns=part)).T * gain[part] + bias[part])
        return parts[0], parts[1]


def _bytes(weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The upper byte of a weight, in units of its rows' scales, and the lower one."""
    upper = _whole(weight, scale, POINTWISE_STEPS)
    return upper, _whole(weight - upper * scale[:, None], scale / INT8_STEPS, INT8_STEPS // 2)


class Int16Matrix(nn.Module):
    """A matrix between rows of blocks, in two bytes of what it sees and two of its weight.

    One byte would be an error of the whole signal, and sums of floats depend on their order.

    Arguments:
        layer: a 1x1 convolution; ``side``: of the shuffle behind it.
        reach: activation ranges that it sees, a power of two; what lies beyond is clipped.
    """

    def __init__(self, layer: nn.Conv2d, side: int, reach: float) -> None:
        super().__init__()
        order = pixel_major(layer.out_channels, side)
        weight = layer.weight.detach()[order]
        rows = weight[:, :, 0, 0]

        def sums(scale: Tensor) -> Tensor:
            upper, lower = _bytes(rows, scale)
            return (lower.abs() * INT8_STEPS + upper.abs() * (INT8_STEPS // 2)).sum(1)

        scale = _exact_scale(weight, POINTWISE_STEPS, sums)
        upper, lower = (part.T.to(torch.int8).contiguous() for part in _bytes(rows, scale))
        self.upper, self.lower = constant(upper), constant(lower)
        self.scale, self.bias = constant(scale), constant(bias_of(layer)[order])
        self.zeros = constant(torch.zeros(len(scale), dtype=torch.int8))
        self.coarse = constant(torch.tensor(reach / INT8_STEPS))
        self.fine = constant(torch.tensor(reach / INT8_STEPS**2))
        self.middle = constant(uint8(128))

    def forward(self, x: Tensor, offset: Tensor | None = None) -> Tensor:
        """``offset``, by input channel and in float64, is added to all positions of ``x``."""
        _, h, w, c = x.shape
        x = x.reshape(h * w, c)
        upper = quantize_linear(x, self.coarse, self.middle)
        seen = dequantize_linear(upper, self.coarse, self.middle)
        lower = quantize_linear(x - seen, self.fine, self.middle)
        rest = dequantize_linear(lower, self.fine, self.middle)
        # What the lower byte of one and the upper one of the other make is of one unit.
        both = dequantize_linear(torch.cat([upper, lower], 1), self.fine, self.middle)
        product = torch.matmul(seen, self._weight(self.upper)) + (
            torch.matmul(both, self._weight(torch.cat([self.lower, self.upper])))
            + torch.matmul(rest, self._weight(self.lower)) * (1 / INT8_STEPS)
        )
        bias = self.bias
        if offset is not None:
            upper_weight, lower_weight = map(self._weight, (self.upper, self.lower))
            weight = upper_weight.double() + lower_weight.double() * (1 / INT8_STEPS)
            bias = (bias.double() + torch.matmul(offset, weight)).float()
        return (product + bias).reshape(1, h, w, -1)

    def _weight(self, whole: Tensor) -> Tensor:
        inputs = (whole, self.scale, self.zeros)
        return operator("DequantizeLinear", inputs, torch.float32, whole.shape, axis=1)


class _Quantizers(nn.Module):
    """The steps of what layers see: signed values, and those of a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.middle = constant(torch.tensor(1 / INT8_STEPS)), constant(uint8(128))
        self.fine, self.nothing = constant(torch.tensor(1 / UINT8_STEPS)), constant(uint8(0))

    def signed(self, x: Tensor, *axes: int) -> Tensor:
        """``x`` in -1..1 in bytes and back; ``axes``: a permutation, of the bytes."""
        x = quantize_linear(x, self.step, self.middle)
        return dequantize_linear(x.permute(*axes) if axes else x, self.step, self.middle)

    def unsigned(self, x: Tensor, *axes: int) -> Tensor:
        """The same of 0..1, the rest clipped: this is the ReLU."""
        x = quantize_linear(x, self.fine, self.nothing)
        return dequantize_linear(x.permute(*axes) if axes else x, self.fine, self.nothing)


FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # permutations that put channels there


def _pointwise(
    layer: nn.Conv2d, name: str, out: Tensor | None, inputs: Tensor, step: float
) -> _Integers:
    """A pointwise layer that sees values in units of ``inputs``, and gives them in ``out``'s.

    With ``out`` it is stored as a convolution, without as a matrix.
    """
    weight, bias = layer.weight * inputs[:, None, None], layer.bias
    if out is not None:
        weight, bias = weight / out[:, None, None, None], None if bias is None else bias / out
    return _Integers(weight, bias, WEIGHT_STEPS[name], step, int(out is None))


def _depthwise(layer: nn.Conv2d, out: Tensor, inputs: Tensor, step: float) -> _Integers:
    weight, bias = layer.weight * (inputs / out)[:, None, None, None], bias_of(layer) / out
    return _Integers(weight, bias, WEIGHT_STEPS["depthwise"], step, 0)


def _wide(x: Tensor, layer: _Integers) -> Tensor:
    return nn.functional.conv2d(x, layer.weight(), layer.offset())


def _conv3x3(x: Tensor, layer: _Integers) -> Tensor:
    """What a depthwise layer of 3x3 makes of ``x``."""
    weight = layer.weight()
    return nn.functional.conv2d(x, weight, layer.offset(), padding=1, groups=len(weight))


class InvertedResidualInference(nn.Module):
    """A calibrated `InvertedResidual` on ``1 h w c``, in units of its activation range."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        first, second, third = (values.flatten() for values in block.activation_ranges())
        assert block.spread is None and bool((first == 1).all())
        self.widen = _pointwise(block.widen, "widen", second, first, 1 / INT8_STEPS)
        self.depthwise = _depthwise(block.depthwise, third, second, 1 / INT8_STEPS)
        self.narrow = _pointwise(block.narrow, "narrow", None, third, 1 / UINT8_STEPS)
        self.bytes = _Quantizers()

    def forward(self, x: Tensor) -> Tensor:
        inside = self.bytes.signed(_wide(self.bytes.signed(x, *FIRST), self.widen))
        inside = _conv3x3(inside, self.depthwise)
        return x + torch.matmul(self.bytes.unsigned(inside, *LAST), self.narrow.weight())


class DepthwiseInference(nn.Module):
    """A calibrated `Int8DepthwiseBlock` on ``1 h w c``, in units of its activation range."""

    def __init__(self, block: Int8DepthwiseBlock) -> None:
        super().__init__()
        first, second, third, fourth, fifth = (v.flatten() for v in block.activation_ranges())
        assert block.spread is None and bool((first == 1).all()) and bool((fourth == 1).all())
        self.pre = _pointwise(block.pre, "pre", second, first, 1 / INT8_STEPS)
        self.depthwise = _depthwise(block.depthwise, third, second, 1 / UINT8_STEPS)
        self.post = _pointwise(block.post, "post", None, third, 1 / INT8_STEPS)
        self.widen = _pointwise(block.widen, "widen", fifth, fourth, 1 / INT8_STEPS)
        self.narrow = _pointwise(block.narrow, "narrow", None, fifth, 1 / UINT8_STEPS)
        self.bytes = _Quantizers()

    def forward(self, x: Tensor) -> Tensor:
        inside = self.bytes.unsigned(_wide(self.bytes.signed(x, *FIRST), self.pre))
        inside = _conv3x3(inside, self.depthwise)
        inside = self.bytes.signed(inside, *LAST)
        x = x + torch.matmul(inside, self.post.weight()) + self.post.offset()
        inside = self.bytes.unsigned(_wide(self.bytes.signed(x, *FIRST), self.widen), *LAST)
        return x + torch.matmul(inside, self.narrow.weight()) + self.narrow.offset()
