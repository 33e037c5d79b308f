"""Writes a network's trunk in units of its blocks' activation ranges; the result stays.

What makes a trunk's channels is multiplied, what sees them divided. The blocks then quantise
them all with one step, and nothing has to be scaled while a picture is worked on.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..layers import GainTable
from .int8_blocks import Int8Conv2d, Int8DepthwiseBlock, Int16Conv2d, InvertedResidual
from .network import Autoencoder

__all__ = ["fold_activation_ranges", "set_int16_ranges"]


@dataclass(frozen=True)
class _Trunk:
    """A stretch between changes of resolution: what writes its channels, and what reads them."""

    makers: list[nn.Module]
    blocks: list[nn.Module]
    readers: list[nn.Module]
    films: list[GainTable] = field(default_factory=list)  # what is added to its channels

    def activation_range(self) -> Tensor | None:
        """By channel, the largest of what its blocks and readers have; None: none is in bytes."""
        found = [values for block in self.int8_blocks() for values in block.trunk_ranges()]
        layers = [layer for layer in self.readers if isinstance(layer, Int8Conv2d)]
        found += [x.activation_range for x in layers if x.activation_range is not None]
        return torch.stack(found).amax(0) if found else None

    def int8_blocks(self) -> list[InvertedResidual | Int8DepthwiseBlock]:
        return [b for b in self.blocks if isinstance(b, InvertedResidual | Int8DepthwiseBlock)]


def _trunks(model: Autoencoder) -> list[_Trunk]:
    h, c, g = model.h_s.body, model.c_m, model.g_s.body
    a, tail = _rows(model.g_a.body), _rows(model.g_a.tail)
    up = [_rows(h[0])[0], _rows(h[2])[0], _rows(g[1])[0], _rows(g[3])[0]]
    return [
        _Trunk([a[1]], _rows(a[2]), [a[3]]),
        _Trunk([a[3]], _rows(tail[0]), [tail[1]], [model.g_a.film]),
        _Trunk([up[0]], [h[1]], [up[1]]),
        _Trunk([up[1]], [h[3]], [model.h_s.out, c.f_in]),
        _Trunk([c.y_in, c.f_in], [c.body], [c.out]),
        _Trunk([], _rows(g[0]), [up[2], c.y_in], [model.g_s.film]),
        _Trunk([up[2]], _rows(g[2]), [up[3]]),
        _Trunk([up[3]], _rows(g[4]), [model.g_s.tail[0]]),
    ]


def _rows(module: nn.Module) -> list[nn.Module]:
    return list(module.children())


@torch.no_grad()
def fold_activation_ranges(model: Autoencoder) -> Autoencoder:
    """A copy of ``model``, calibrated, whose blocks see channels of activation_range 1."""
    model = copy.deepcopy(model)
    for trunk in _trunks(model):
        activation_range = trunk.activation_range()
        if activation_range is None:  # nothing there computes in bytes
            continue
        for layer in trunk.makers:
            weight, bias = _of(layer)
            each = _each_output(weight, activation_range)
            weight.div_(each[:, None, None, None])
            bias.div_(each)
        if not trunk.makers:  # the latent itself
            model.g_s.log_gain.table.sub_(activation_range.log())
        for film in trunk.films:
            film.table.div_(activation_range)
        for block in trunk.int8_blocks():
            _rescale(block, activation_range)
        for layer in trunk.readers:
            _of(layer)[0].mul_(activation_range[:, None, None])
            if isinstance(layer, Int8Conv2d):
                layer.activation_range = torch.ones_like(activation_range)
    set_int16_ranges(model)
    return model


@torch.no_grad()
def set_int16_ranges(model: Autoencoder) -> None:
    """Gives layers between rows of calibrated blocks the ranges of these."""
    for trunk in _trunks(model):
        activation_range = trunk.activation_range()
        for layer in trunk.readers:
            if isinstance(layer, Int16Conv2d):
                layer.activation_range = activation_range
        for layer in trunk.makers:
            if isinstance(layer, Int16Conv2d) and activation_range is not None:
                layer.output_range = _each_output(layer.weight, activation_range)


def _each_output(weight: Tensor, activation_range: Tensor) -> Tensor:
    """The range of each row of a weight in front of a trunk, or of a shuffle there."""
    return activation_range.repeat_interleave(len(weight) // len(activation_range))


def _rescale(block: InvertedResidual | Int8DepthwiseBlock, activation_range: Tensor) -> None:
    for name, value in block.plain(dict(block.named_parameters())).items():
        block.get_parameter(name).copy_(value)
    block.spread = None
    for front, behind in block.pairs:
        block.get_parameter(f"{front}.weight").mul_(activation_range[:, None, None])
        block.get_parameter(f"{behind}.weight").div_(activation_range[:, None, None, None])
        bias = getattr(block, behind).bias
        if bias is not None:
            bias.div_(activation_range)
    for values in block.trunk_ranges():
        values.fill_(1)


def _of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    return layer.weight, layer.bias
