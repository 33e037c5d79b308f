"""Layers that change resolution, and rows of blocks, which several families build from."""

from torch import Tensor, nn

from .layers import Block, PreciseConv2d

__all__ = ["blocks", "down", "set_linear", "up"]


def down(cin: int, cout: int) -> nn.Sequential:
    return nn.Sequential(nn.PixelUnshuffle(2), PreciseConv2d(4 * cin, cout, 1))


def up(cin: int, cout: int, kind: type[nn.Conv2d] = PreciseConv2d) -> nn.Sequential:
    return nn.Sequential(kind(cin, 4 * cout, 1), nn.PixelShuffle(2))


def blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels, start=0.0) for _ in range(count)))


def set_linear(layer: nn.Module, matrix: Tensor) -> None:
    """Makes a convolution a pointwise linear map, on as many channels as ``matrix`` names."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    rows, columns = min(matrix.shape[0], weight.shape[0]), min(matrix.shape[1], weight.shape[1])
    middle = weight.shape[2] // 2
    weight[:rows] = 0
    bias[:rows] = 0
    weight[:rows, :columns, middle, middle] = matrix[:rows, :columns]
