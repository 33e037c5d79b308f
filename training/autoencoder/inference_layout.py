"""The networks of floats in the form that runs fast on a CPU, and alike on every machine.

A decoder's pixels do not depend on the order in which a machine adds, but for the last rounding:
layers in bytes (`int8_export`) sum exactly, and what is small is summed in float64, whose errors
are far below a float32's last digit. Channels are the last axis, so that a 1x1 convolution is one
product of matrices and bytes lie as the kernels for bytes want them.

Weights keep the names that they have in training, with ``.integers`` and ``.scale`` in place of
``.weight`` where they are bytes; `parameter` turns them back.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..layers import GainTable
from ..onnx_operators import constant, quantize_linear, uint8
from ..onnx_writer import fold_unshuffle
from .fake_quantization import INT8_STEPS, WEIGHT_STEPS
from .int8_blocks import Int8Conv2d, Int8DepthwiseBlock, Int16Conv2d, InvertedResidual
from .int8_export import (
    FIRST,
    LAST,
    DepthwiseInference,
    Int8Matrix,
    Int16Matrix,
    InvertedResidualInference,
    bias_of,
    pixel_major,
)
from .network import Analysis, ContextMean, HyperMean, Synthesis

__all__ = [
    "AnalysisInference",
    "ContextMeanInference",
    "HyperMeanInference",
    "SynthesisInference",
    "parameter",
]

# Layers in front of a pixel shuffle, and the shuffle's factor.
SHUFFLED = {"body.0.0": 2, "body.1.0": 2, "body.2.0": 2, "body.3.0": 2, "tail.0": 4}
# Of the first two, activation ranges that they see. Photos go to 3; white noise to 25 and 10.
REACH = {"body.1.0": 16.0, "body.3.0": 8.0}


class AnalysisInference(nn.Module):
    """`Analysis` with calibrated blocks: uint8 pixels ``1 H W 3`` to gained ``y``."""

    def __init__(self, g_a: Analysis) -> None:
        super().__init__()
        self.g_a = folded = fold_unshuffle(g_a)
        folded.body[2], folded.tail[0] = _channels_last(g_a.body[2]), _channels_last(g_a.tail[0])

    def forward(self, x: Tensor, level_weights: Tensor) -> Tensor:
        return self.g_a(x.permute(0, 3, 1, 2).float() * (1 / 255) - 0.5, level_weights)


def _channels_last(row: nn.Module) -> nn.Sequential:
    blocks = [DepthwiseInference(b) for b in row.children() if isinstance(b, Int8DepthwiseBlock)]
    return _ChannelsLast(*blocks) if blocks else nn.Sequential()


class _ChannelsLast(nn.Sequential):
    """A row of blocks between layers whose channels come first."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(*LAST)).permute(*FIRST)


class SynthesisInference(nn.Module):
    """`Synthesis` with calibrated blocks: gained ``y`` to uint8 pixels ``1 H W 3``."""

    def __init__(self, g_s: Synthesis) -> None:
        super().__init__()
        self.log_gain, self.film = g_s.log_gain, g_s.film
        self.body = _body(g_s.body)
        tail = _Matrix(_first(g_s.tail), SHUFFLED["tail.0"])
        tail.weight = nn.Parameter(tail.weight * 255)
        tail.bias = nn.Parameter((tail.bias + 0.5) * 255)
        self.tail = nn.Sequential(tail)
        self.level, self.black = constant(torch.tensor(1.0)), constant(uint8(0))

    def forward(self, y: Tensor, level_weights: Tensor) -> Tensor:
        y = (y * gain_of(self.log_gain, level_weights)).permute(0, 2, 3, 1)
        film = at_level(self.film, level_weights).permute(0, 2, 3, 1)
        coarse, up, *body = self.body
        assert isinstance(coarse, nn.Sequential) and isinstance(up, nn.Sequential)
        if len(coarse):
            y = coarse(y + film.float()) - film.float()
        first, enlarge = up
        x = enlarge(first(y, film.flatten(0, 2)))  # what is the same everywhere needs no bytes
        for part in body:
            x = part(x)
        tail = self.tail[0]
        assert isinstance(tail, _Matrix)
        _, h, w, c = x.shape
        x, rows = x.reshape(h * w, c), []
        # One of a position's four rows at a time: rows are put together faster than pixels.
        for weight, bias in zip(tail.weight.chunk(4, 1), tail.bias.chunk(4), strict=True):
            row = torch.addmm(bias, x, weight)
            row = quantize_linear(row, self.level, self.black)  # rounds, and clips to a byte
            rows.append(row.reshape(h, 1, -1))
        return torch.cat(rows, 1).reshape(1, 4 * h, 4 * w, 3)


class HyperMeanInference(nn.Module):
    """`HyperMean` with calibrated blocks, its mean gained as residuals are, and of pass 1 alone.

    Features have the channels last.
    """

    def __init__(self, h_s: HyperMean, log_gain: GainTable) -> None:
        super().__init__()
        self.log_gain, self.log_scale, self.film = log_gain, h_s.log_scale, h_s.film
        self.stem, self.out = _Matrix(h_s.stem, 1), Int8Matrix(h_s.out, 1)
        self.body = _body(h_s.body)

    def forward(
        self, z: Tensor, level_weights: Tensor, even: Tensor, odd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        z = (z * gain_of(self.log_scale, level_weights)).permute(0, 2, 3, 1)
        film = at_level(self.film, level_weights).float().permute(0, 2, 3, 1)
        features = self.body(self.stem(z) + film)
        gain = gain_of(self.log_gain, level_weights)
        return *self.out.channel_groups(features, even, odd, gain), features


class ContextMeanInference(nn.Module):
    """`ContextMean` with a calibrated block, from pass 1's gained ``y`` to pass 2's gained mean.

    Features have the channels last; ``place`` is as the checkerboard has it.
    """

    def __init__(self, c_m: ContextMean, log_gain: GainTable, log_inverse: GainTable) -> None:
        super().__init__()
        self.log_gain, self.log_inverse = log_gain, log_inverse
        self.y_in, self.f_in = Int8Matrix(c_m.y_in, 1), Int8Matrix(c_m.f_in, 1)
        self.body, self.out = InvertedResidualInference(c_m.body), Int8Matrix(c_m.out, 1)

    def forward(
        self,
        y1_even: Tensor,
        y1_odd: Tensor,
        features: Tensor,
        level_weights: Tensor,
        even: Tensor,
        odd: Tensor,
        place: Tensor,
    ) -> tuple[Tensor, Tensor]:
        inverse = gain_of(self.log_inverse, level_weights)[0, :, :, 0]
        half = len(y1_even)
        first = self.y_in.product(y1_even * inverse[:half], slice(None, half))
        last = self.y_in.product(y1_odd * inverse[half:], slice(half, None))
        rows = torch.cat([first, last])
        x = nn.functional.embedding(place, rows)[None] + self.y_in.offset() + self.f_in(features)
        gain = gain_of(self.log_gain, level_weights)
        return self.out.channel_groups(self.body(x), odd, even, gain)


def _body(body: nn.Sequential) -> nn.Sequential:
    """The form of blocks and enlargements in turn."""
    parts: list[nn.Module] = []
    for place, part in enumerate(body):
        if isinstance(part, InvertedResidual):
            parts.append(InvertedResidualInference(part))
            continue
        assert isinstance(part, nn.Sequential)
        blocks = [block for block in part if isinstance(block, InvertedResidual)]
        if len(blocks) == len(part):
            parts.append(nn.Sequential(*map(InvertedResidualInference, blocks)))
        else:
            name = f"body.{place}.0"
            parts.append(nn.Sequential(_matrix(_first(part), name), _Enlarge()))
    return nn.Sequential(*parts)


def _matrix(layer: nn.Conv2d, name: str) -> nn.Module:
    if isinstance(layer, Int16Conv2d):
        return Int16Matrix(layer, SHUFFLED[name], REACH[name])
    return (Int8Matrix if isinstance(layer, Int8Conv2d) else _Matrix)(layer, SHUFFLED[name])


def _first(part: nn.Sequential) -> nn.Conv2d:
    layer = part[0]
    assert isinstance(layer, nn.Conv2d)
    return layer


class _Enlarge(nn.Module):
    """``1 h w (2 2 c)`` to ``1 (2 h) (2 w) c``."""

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        x = x.reshape(h, w, 2, c // 2).permute(0, 2, 1, 3)
        return x.reshape(1, 2 * h, 2 * w, c // 4)


class _Matrix(nn.Module):
    """A 1x1 convolution of ``1 h w c``; in front of a shuffle by ``side``, ordered by pixel."""

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        super().__init__()
        order = pixel_major(layer.out_channels, side)
        self.weight = nn.Parameter(layer.weight[order, :, 0, 0].T.contiguous())
        self.bias = nn.Parameter(bias_of(layer)[order])

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        x = torch.addmm(self.bias.double(), x.reshape(h * w, c).double(), self.weight.double())
        return x.float().reshape(1, h, w, -1)


def at_level(values: GainTable, level_weights: Tensor) -> Tensor:
    """``values`` interpolated, ``1 c 1 1``, in float64; weights sum to 256."""
    weights = level_weights.double() * (1 / 256)
    return (weights @ values.table.double())[:, :, None, None]


def gain_of(log_gain: GainTable, level_weights: Tensor) -> Tensor:
    return torch.exp(at_level(log_gain, level_weights)).float()


def parameter(name: str, read: Callable[[str], NDArray], has: Callable[[str], bool]) -> NDArray:
    """A parameter of a network by its name there, out of what its form stores.

    Arguments:
        read: a stored weight by its name in the form; ``has``: whether there is one.
    """
    layer, _, kind = name.rpartition(".")
    which = layer.rpartition(".")[2]
    if which in WEIGHT_STEPS and which not in ("narrow", "post"):  # which are matrices
        if kind == "bias":
            return read(name) * read(f"{layer}.bias_scale")
        return read(f"{layer}.integers") * read(f"{layer}.scale")[:, None, None, None]
    if has(f"{layer}.upper") and kind == "weight":
        values = (read(f"{layer}.upper") + read(f"{layer}.lower") / INT8_STEPS) * read(
            f"{layer}.scale"
        )
    elif not has(f"{layer}.integers"):
        values = read(name).astype(np.float32)
    elif kind == "bias":
        values = read(name) * read(f"{layer}.bias_scale")
    else:
        values = read(f"{layer}.integers") * read(f"{layer}.scale")
    if kind != "table":
        values = values.T[:, :, None, None] if kind == "weight" else values
        values = values[np.argsort(pixel_major(len(values), SHUFFLED.get(layer, 1)))]
    if layer == "tail.0":
        values = values / 255 if kind == "weight" else values / 255 - 0.5
    return values
