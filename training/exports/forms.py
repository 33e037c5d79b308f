"""The decoder's networks of floats in the form that runs fast on a CPU.

Channels are the last axis, so that a 1x1 convolution is one product of matrices and bytes lie as
the kernels for bytes want them. The insides of the blocks are written as quantise-dequantise
pairs around plain layers: onnxruntime makes integer layers of them on a CPU, and what cannot do
that computes the same in floats.

Weights keep the names that they have in training, with ``.integers`` and ``.scale`` in place of
``.weight`` where they are bytes; `parameter` turns them back.

References:
    ONNX operators QuantizeLinear and DequantizeLinear
    (https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html).
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.autoencoder import ContextMean, HyperMean, Synthesis
from ..models.inverted import (
    POINTWISE,
    SIGNED,
    UNSIGNED,
    WEIGHTS,
    ByteConv2d,
    InvertedResidual,
)
from ..models.layers import RungTable

__all__ = ["ContextMeanForm", "HyperMeanForm", "SynthesisForm", "in_halves", "parameter"]

# Layers in front of a pixel shuffle, and the shuffle's factor.
SHUFFLED = {"body.0.0": 2, "body.1.0": 2, "body.2.0": 2, "body.3.0": 2, "tail.0": 4}


class SynthesisForm(nn.Module):
    """`Synthesis` with calibrated blocks: gained ``y`` to uint8 pixels ``1 H W 3``."""

    def __init__(self, g_s: Synthesis) -> None:
        super().__init__()
        self.log_gain, self.film = g_s.log_gain, g_s.film
        self.body = _body(g_s.body)
        tail = _Matrix(_first(g_s.tail), SHUFFLED["tail.0"])
        tail.weight = nn.Parameter(tail.weight * 255)
        tail.bias = nn.Parameter((tail.bias + 0.5) * 255)
        self.tail = nn.Sequential(tail)
        self.level, self.black = _kept(torch.tensor(1.0)), _kept(_byte(0))

    def forward(self, y: Tensor, mix: Tensor) -> Tensor:
        mix = mix * (1 / 256)
        y = y * torch.exp(self.log_gain(mix)) + self.film(mix)
        x = _through(self.body, y.permute(0, 2, 3, 1))
        tail = self.tail[0]
        assert isinstance(tail, _Matrix)
        _, h, w, c = x.shape
        x, rows = x.reshape(h * w, c), []
        # One of a position's four rows at a time: rows are put together faster than pixels.
        for weight, bias in zip(tail.weight.chunk(4, 1), tail.bias.chunk(4), strict=True):
            row = torch.addmm(bias, x, weight)
            row = _quantised(row, self.level, self.black)  # rounds, and clips to a byte
            rows.append(row.reshape(h, 1, -1))
        return torch.cat(rows, 1).reshape(1, 4 * h, 4 * w, 3)


class HyperMeanForm(nn.Module):
    """`HyperMean` with calibrated blocks, its mean gained as residuals are, and of pass 1 alone.

    Features have the channels last.
    """

    def __init__(self, h_s: HyperMean, log_gain: RungTable) -> None:
        super().__init__()
        self.log_gain, self.log_scale, self.film = log_gain, h_s.log_scale, h_s.film
        self.stem, self.out = _Matrix(h_s.stem, 1), _Matrix(h_s.out, 1)
        self.body = _body(h_s.body)

    def forward(
        self, z: Tensor, mix: Tensor, even: Tensor, odd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        mix = mix * (1 / 256)
        z = (z * torch.exp(self.log_scale(mix))).permute(0, 2, 3, 1)
        features = _through(self.body, self.stem(z) + self.film(mix).permute(0, 2, 3, 1))
        gain = torch.exp(self.log_gain(mix))
        return *self.out.halves(features, even, odd, gain), features


class ContextMeanForm(nn.Module):
    """`ContextMean` with a calibrated block, from pass 1's gained ``y`` to pass 2's gained mean.

    Features have the channels last; ``place`` is as `codec.schemes.halves.Grid` has it.
    """

    def __init__(self, c_m: ContextMean, log_gain: RungTable, log_inverse: RungTable) -> None:
        super().__init__()
        self.log_gain, self.log_inverse = log_gain, log_inverse
        self.y_in, self.f_in = _ByteMatrix(c_m.y_in, 1), _ByteMatrix(c_m.f_in, 1)
        self.body, self.out = _Bytes(c_m.body), _Matrix(c_m.out, 1)

    def forward(
        self,
        y1_even: Tensor,
        y1_odd: Tensor,
        features: Tensor,
        mix: Tensor,
        even: Tensor,
        odd: Tensor,
        place: Tensor,
    ) -> tuple[Tensor, Tensor]:
        mix = mix * (1 / 256)
        inverse = torch.exp(self.log_inverse(mix))[0, :, :, 0]
        half = len(y1_even)
        first = self.y_in.product(y1_even * inverse[:half], slice(None, half))
        last = self.y_in.product(y1_odd * inverse[half:], slice(half, None))
        rows = torch.cat([first, last])
        x = nn.functional.embedding(place, rows)[None] + self.y_in.offset() + self.f_in(features)
        return self.out.halves(self.body(x), odd, even, torch.exp(self.log_gain(mix)))


def _body(body: nn.Sequential) -> nn.Sequential:
    """The form of blocks and enlargements in turn."""
    parts: list[nn.Module] = []
    for place, part in enumerate(body):
        if isinstance(part, InvertedResidual):
            parts.append(_Bytes(part))
            continue
        assert isinstance(part, nn.Sequential)
        blocks = [block for block in part if isinstance(block, InvertedResidual)]
        if len(blocks) == len(part):
            parts.append(nn.Sequential(*map(_Bytes, blocks)))
        else:
            layer, side = _first(part), SHUFFLED[f"body.{place}.0"]
            kind = _ByteMatrix if isinstance(layer, ByteConv2d) else _Matrix
            parts.append(nn.Sequential(kind(layer, side)))
    return nn.Sequential(*parts)


def _first(part: nn.Sequential) -> nn.Conv2d:
    layer = part[0]
    assert isinstance(layer, nn.Conv2d)
    return layer


def _through(body: nn.Sequential, x: Tensor) -> Tensor:
    for part in body:
        x = part(x)
        if isinstance(part, nn.Sequential) and isinstance(part[0], _Matrix | _ByteMatrix):
            x = _enlarged(x, 2)
    return x


def _enlarged(x: Tensor, side: int) -> Tensor:
    """``1 h w (side side c)`` to ``1 (h side) (w side) c``."""
    _, h, w, _ = x.shape
    x = x.reshape(h, w, side, -1).permute(0, 2, 1, 3)
    return x.reshape(1, h * side, w * side, -1)


def by_pixel(count: int, side: int) -> NDArray[np.intp]:
    """Channels in front of a `torch.nn.PixelShuffle` so ordered that each pixel's are together."""
    return np.arange(count).reshape(-1, side * side).T.reshape(-1)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


class _Matrix(nn.Module):
    """A 1x1 convolution of ``1 h w c``; in front of a shuffle by ``side``, ordered by pixel."""

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        super().__init__()
        order = by_pixel(layer.out_channels, side)
        self.weight = nn.Parameter(layer.weight[order, :, 0, 0].T.contiguous())
        self.bias = nn.Parameter(_bias(layer)[order])

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        return torch.addmm(self.bias, x.reshape(h * w, c), self.weight).reshape(1, h, w, -1)

    def halves(self, x: Tensor, first: Tensor, last: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """Half of the channels at the positions ``first``, the others at ``last``, gained.

        Each ``channels positions``.
        """
        rows, gain = x.flatten(0, 2), gain.flatten()
        weight, bias = (self.weight * gain).T, (self.bias * gain)[:, None]
        return in_halves(weight, bias, rows, first, last)


def in_halves(
    weight: Tensor, bias: Tensor, rows: Tensor, first: Tensor, last: Tensor
) -> tuple[Tensor, Tensor]:
    """A pointwise layer, half of its outputs at the rows ``first``, the others at ``last``.

    Arguments:
        weight: ``outputs inputs``; bias: ``outputs 1``.
        rows: ``positions inputs``.
    """
    half = len(weight) // 2
    return (
        weight[:half] @ rows.index_select(0, first).T + bias[:half],
        weight[half:] @ rows.index_select(0, last).T + bias[half:],
    )


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
        self.integers = _kept(whole[:, :, 0, 0].T.contiguous() if axis else whole)
        self.scale, self.zeros = _kept(scale), _kept(torch.zeros(len(scale), dtype=torch.int8))
        if bias is not None:
            unit = scale * step
            self.bias = _kept(torch.round(bias / unit).to(torch.int32))
            self.bias_scale = _kept(unit)

    def weight(self, rows: slice | None = None) -> Tensor:
        """All of it, or some rows of the stored integers."""
        whole = self.integers if rows is None else self.integers[rows]
        inputs = (whole, self.scale, self.zeros)
        return _onnx("DequantizeLinear", inputs, torch.float32, whole.shape, axis=self.axis)

    def offset(self) -> Tensor:
        inputs = (self.bias, self.bias_scale)
        return _onnx("DequantizeLinear", inputs, torch.float32, self.bias.shape, axis=0)


class _ByteMatrix(_Integers):
    """`_Matrix` of a calibrated `ByteConv2d`, in units of what it reaches."""

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        order = by_pixel(layer.out_channels, side)
        super().__init__(layer.weight[order], _bias(layer)[order], POINTWISE, 1 / SIGNED, 1)
        assert isinstance(layer, ByteConv2d) and layer.reach is not None
        assert bool((layer.reach == 1).all())
        self.signed, self.middle = _kept(torch.tensor(1 / SIGNED)), _kept(_byte(128))

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        x = _quantised(x.reshape(h * w, c), self.signed, self.middle)
        x = _dequantised(x, self.signed, self.middle)
        return torch.addmm(self.offset(), x, self.weight()).reshape(1, h, w, -1)

    def product(self, x: Tensor, inputs: slice) -> Tensor:
        """Of some inputs, ``inputs positions``, and without the bias: ``positions outputs``."""
        x = _quantised(x, self.signed, self.middle).T
        x = _dequantised(x, self.signed, self.middle)
        return torch.matmul(x, self.weight(inputs))


class _Bytes(nn.Module):
    """A calibrated `InvertedResidual` on ``1 h w c``, in units of what it reaches."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        first, second, third = (reach.flatten() for reach in block.reaches())
        assert block.spread is None and bool((first == 1).all())
        column = (slice(None), None, None, None)
        self.widen = _Integers(
            block.widen.weight / second[column],
            _bias(block.widen) / second,
            WEIGHTS["widen"],
            1 / SIGNED,
            0,
        )
        self.depthwise = _Integers(
            block.depthwise.weight * (second / third)[column],
            _bias(block.depthwise) / third,
            WEIGHTS["depthwise"],
            1 / SIGNED,
            0,
        )
        self.narrow = _Integers(
            block.narrow.weight * third[:, None, None], None, WEIGHTS["narrow"], 1 / UNSIGNED, 1
        )
        self.signed, self.middle = _kept(torch.tensor(1 / SIGNED)), _kept(_byte(128))
        self.unsigned, self.nothing = _kept(torch.tensor(1 / UNSIGNED)), _kept(_byte(0))
        self.hidden = block.depthwise.in_channels

    def forward(self, x: Tensor) -> Tensor:
        inside = _quantised(x, self.signed, self.middle)
        inside = _dequantised(inside.permute(0, 3, 1, 2), self.signed, self.middle)
        inside = nn.functional.conv2d(inside, self.widen.weight(), self.widen.offset())
        inside = _quantised(inside, self.signed, self.middle)
        inside = _dequantised(inside, self.signed, self.middle)
        inside = nn.functional.conv2d(
            inside,
            self.depthwise.weight(),
            self.depthwise.offset(),
            padding=1,
            groups=self.hidden,
        )
        inside = _quantised(inside, self.unsigned, self.nothing)  # clips at zero: the ReLU
        inside = _dequantised(inside.permute(0, 2, 3, 1), self.unsigned, self.nothing)
        return x + torch.matmul(inside, self.narrow.weight())


def _byte(value: int) -> Tensor:
    return torch.tensor(value, dtype=torch.uint8)


def _kept(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach(), requires_grad=False)


def _quantised(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return _onnx("QuantizeLinear", (x, step, zero), torch.uint8, x.shape)


def _dequantised(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return _onnx("DequantizeLinear", (x, step, zero), torch.float32, x.shape)


def _onnx(name: str, inputs: tuple, kind: torch.dtype, shape: torch.Size, **attrs: int) -> Tensor:
    return torch.onnx.ops.symbolic(name, inputs, {**attrs}, dtype=kind, shape=shape)


def parameter(name: str, read: Callable[[str], NDArray], has: Callable[[str], bool]) -> NDArray:
    """A parameter of a network by its name there, out of what its form stores.

    Arguments:
        read: a stored weight by its name in the form; ``has``: whether there is one.
    """
    layer, _, kind = name.rpartition(".")
    which = layer.rpartition(".")[2]
    if which in WEIGHTS and which != "narrow":
        if kind == "bias":
            return read(name) * read(f"{layer}.bias_scale")
        return read(f"{layer}.integers") * read(f"{layer}.scale")[:, None, None, None]
    if not has(f"{layer}.integers"):
        values = read(name).astype(np.float32)
    elif kind == "bias":
        values = read(name) * read(f"{layer}.bias_scale")
    else:
        values = read(f"{layer}.integers") * read(f"{layer}.scale")
    if kind != "table":
        values = values.T[:, :, None, None] if kind == "weight" else values
        values = values[np.argsort(by_pixel(len(values), SHUFFLED.get(layer, 1)))]
    if layer == "tail.0":
        values = values / 255 if kind == "weight" else values / 255 - 0.5
    return values
