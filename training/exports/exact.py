"""Integer networks for export: their integers worked out, and their bounds proven."""

import copy

import onnx
import torch
from torch import Tensor, nn

from ...codec.errors import InputError
from ...codec.modelfile import EXACT
from ..models.layers import IntConv2d

__all__ = ["exact", "layers"]


class _Frozen(nn.Module):
    """An `IntConv2d` with its integers worked out, and without what only gradients need."""

    def __init__(self, layer: IntConv2d) -> None:
        super().__init__()
        weight, bias = layer.integers()
        self.weight, self.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        self.padding, self.clip, self.shift = layer.kernel // 2, layer.clip, layer.shift

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        offset = torch.floor(mix @ self.bias * 2.0**-IntConv2d.mix_bits + 0.5)[:, :, None, None]
        total = nn.functional.conv2d(x, self.weight, padding=self.padding) + offset
        return torch.clamp(torch.floor(total * 2.0**-self.shift + 0.5), *self.clip)


def exact(network: nn.Module) -> nn.Module:
    """A copy of a network of integer layers with its integers worked out; same forward."""
    frozen = copy.deepcopy(network)
    for name, layer in network.named_children():
        assert isinstance(layer, IntConv2d)
        setattr(frozen, name, _Frozen(layer))
    return frozen


def layers(role: str, graph: onnx.GraphProto, network: nn.Module) -> list[dict]:
    """Names and proven bounds of a role's integer convolutions."""
    stored = {weight.name for weight in graph.initializer}
    described = []
    for name, layer in network.named_children():
        assert isinstance(layer, IntConv2d)
        bound = layer.bound()
        if bound >= EXACT:
            raise InputError(
                f"The integer layer {name} could reach {bound}, which float32 does not hold "
                "exactly; train on, or make the network narrower."
            )
        names = {
            part: next(n for n in stored if n.startswith(f"{role}/{name}.{part}"))
            for part in ("weight", "bias")
        }
        described.append(
            {**names, "input_max": layer.input_max, "shift": layer.shift, "bound": bound}
        )
    return described
