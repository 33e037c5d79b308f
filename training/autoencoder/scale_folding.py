"""Writes a network's trunk in units of what its 8-bit blocks reach, without changing the result.

What makes a trunk's channels is multiplied, what sees them divided. The blocks then quantise
them all with one step, and nothing has to be scaled while a picture is worked on.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .int8_blocks import ByteConv2d, InvertedResidual
from .network import Autoencoder

__all__ = ["in_units_of_reach"]


@dataclass(frozen=True)
class _Trunk:
    """A stretch between changes of resolution: what writes its channels, and what reads them."""

    makers: list[nn.Module]
    blocks: list[nn.Module]
    readers: list[nn.Module]


def _trunks(model: Autoencoder) -> list[_Trunk]:
    h, c, g = model.h_s.body, model.c_m, model.g_s.body
    up = [h[0][0], h[2][0], g[1][0], g[3][0]]  # type: ignore[index]
    return [
        _Trunk([up[0]], [h[1]], [up[1]]),
        _Trunk([up[1]], [h[3]], [model.h_s.out, c.f_in]),
        _Trunk([c.y_in, c.f_in], [c.body], [c.out]),
        _Trunk([], [*g[0]], [up[2], c.y_in]),  # type: ignore[misc]
        _Trunk([up[2]], [*g[2]], [up[3]]),  # type: ignore[misc]
        _Trunk([up[3]], [*g[4]], [model.g_s.tail[0]]),  # type: ignore[misc]
    ]


@torch.no_grad()
def in_units_of_reach(model: Autoencoder) -> Autoencoder:
    """A copy of ``model``, calibrated, whose blocks see channels of reach 1."""
    model = copy.deepcopy(model)
    for trunk in _trunks(model):
        blocks = [block for block in trunk.blocks if isinstance(block, InvertedResidual)]
        reaches = [block.reaches()[0].flatten() for block in blocks]
        bytewise = [layer for layer in trunk.readers if isinstance(layer, ByteConv2d)]
        reaches += [layer.reach for layer in bytewise if layer.reach is not None]
        if not reaches:  # nothing there computes in bytes
            continue
        reach = torch.stack(reaches).amax(0)
        for layer in trunk.makers:
            weight, bias = _of(layer)
            each = reach.repeat_interleave(len(weight) // len(reach))
            weight.div_(each[:, None, None, None])
            bias.div_(each)
        if not trunk.makers:  # the latent itself
            model.g_s.log_gain.table.sub_(reach.log())
            model.g_s.film.table.div_(reach)
        for block in blocks:
            _rescale(block, reach)
        for layer in trunk.readers:
            _of(layer)[0].mul_(reach[:, None, None])
        for layer in bytewise:
            layer.reach = torch.ones_like(reach)
    return model


def _rescale(block: InvertedResidual, reach: Tensor) -> None:
    for name, value in block.plain(dict(block.named_parameters())).items():
        block.get_parameter(name).copy_(value)
    block.spread = None
    block.widen.weight.mul_(reach[:, None, None])
    block.narrow.weight.div_(reach[:, None, None, None])
    assert block.reach is not None
    block.reach[: len(reach)] = 1


def _of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    return layer.weight, layer.bias
