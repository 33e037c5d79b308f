"""Layers that change resolution, rows of blocks, and the cosine transforms they start from."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Block, PreciseConv2d

__all__ = [
    "blocks",
    "cosine_basis",
    "cosine_scaled",
    "cosine_split",
    "down",
    "down_overlapping",
    "set_blocks",
    "set_linear",
    "up",
]


def down(cin: int, cout: int) -> nn.Sequential:
    return nn.Sequential(nn.PixelUnshuffle(2), PreciseConv2d(4 * cin, cout, 1))


def up(cin: int, cout: int, kind: type[nn.Conv2d] = PreciseConv2d) -> nn.Sequential:
    return nn.Sequential(kind(cin, 4 * cout, 1), nn.PixelShuffle(2))


def blocks(channels: int, count: int, kind: type[Block] = Block) -> nn.Sequential:
    return nn.Sequential(*(kind(channels, start=0.0) for _ in range(count)))


def set_linear(layer: nn.Module, matrix: Tensor) -> None:
    """Makes a convolution a pointwise linear map, on as many channels as ``matrix`` names."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    rows, columns = min(matrix.shape[0], weight.shape[0]), min(matrix.shape[1], weight.shape[1])
    middle = weight.shape[2] // 2
    weight[:rows] = 0
    bias[:rows] = 0
    weight[:rows, :columns, middle, middle] = matrix[:rows, :columns]


def down_overlapping(cin: int, cout: int) -> PreciseConv2d:
    return PreciseConv2d(cin, cout, 4, stride=2, padding=1)


def set_blocks(layer: nn.Conv2d, matrix: Tensor) -> None:
    """Makes a 4x4 convolution of stride 2 see its middle 2x2 alone, as ``matrix`` does."""
    assert layer.bias is not None
    rows, columns = min(matrix.shape[0], layer.out_channels), matrix.shape[1] // 4
    layer.weight[:rows] = 0
    layer.bias[:rows] = 0
    middle = matrix[:rows].unflatten(1, (columns, 2, 2))
    layer.weight[:rows, :columns, 1:3, 1:3] = middle


def cosine_basis(side: int, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smoothest orthonormal cosine patterns of ``side`` x ``side`` RGB blocks.

    Luma comes before chroma of the same frequency. Shape ``count (3 * side * side)``, laid out
    as `torch.nn.PixelUnshuffle` lays out a block's pixels. Where training starts from.
    Beside it the mean absolute coefficient of each in photographs with values in -0.5..0.5,
    fitted once to training tiles.
    """
    k = torch.arange(side, dtype=torch.float64)
    one = torch.cos(math.pi * (k[None, :] + 0.5) * k[:, None] / side) * (2 / side) ** 0.5
    one[0] *= 0.5**0.5
    colour = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
    colour = colour / colour.norm(dim=1, keepdim=True)
    basis = torch.einsum("kc,uy,vx->kuvcyx", colour, one, one).reshape(3 * side * side, -1)
    square = k[:, None] ** 2 + k[None, :] ** 2
    penalty = torch.stack([square + 1, 9 * square + 9, 9 * square + 9]).flatten()
    order = torch.argsort(penalty, stable=True)[:count]
    cycles = square * (16 / side) ** 2 + 1  # of frequency per 16 pixels, squared
    spread = torch.stack([1.48 * cycles**-0.75, 0.49 * cycles**-0.90, 0.20 * cycles**-0.81])
    spread[:, 0, 0] = side * torch.tensor([0.37, 0.12, 0.048])
    return basis[order].float(), spread.flatten()[order].float()


def cosine_scaled(side: int, count: int) -> tuple[Tensor, Tensor]:
    """`cosine_basis` with sizes evened out: matrices of the transform and of its inverse.

    Each coefficient is divided by the root of its spread: as they are, coefficients differ a
    thousandfold and what sees them all sees the mean colour only; all of one size, the smallest
    drown in the errors of the largest.
    """
    basis, spread = cosine_basis(side, count)
    scale = spread.sqrt()[:, None]
    return basis / scale, (basis * scale).T


def cosine_split(side: int, few: int, many: int) -> tuple[Tensor, Tensor]:
    """How coefficients of blocks of ``side`` make up those of blocks of twice the side.

    Scaled as by `cosine_scaled`; ``few`` and ``many`` count the patterns of the two sizes.

    Returns: ``many (few * 4)``, small to large, and ``(few * 4) many``, back, both for channels
        as `torch.nn.PixelUnshuffle` orders them.
    """
    to_small, from_small = cosine_scaled(side, few)
    to_large, from_large = cosine_scaled(2 * side, many)

    def parts(patterns: Tensor) -> Tensor:
        pictures = F.pixel_shuffle(patterns[:, :, None, None], 2 * side)
        return F.pixel_unshuffle(pictures, side)

    join = torch.einsum("pk,npyx->nkyx", from_small, parts(to_large)).flatten(1)
    split = torch.einsum("kp,npyx->nkyx", to_small, parts(from_large.T)).flatten(1)
    return join, split.T
