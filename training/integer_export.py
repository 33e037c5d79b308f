"""Integer networks for export: their integers worked out, and their bounds proven."""

import copy

import onnx
import torch
from torch import Tensor, nn

from ..codec.errors import InputError
from ..codec.modelfile import MAX_EXACT_INT
from .layers import IntConv2d
from .onnx_operators import operator, quantize_linear, uint8
from .onnx_writer import Role

__all__ = ["FrozenIntConv2d", "exact", "proven"]


class FrozenIntConv2d(nn.Module):
    """An `IntConv2d` with its integers worked out, and without what only gradients need.

    Weights and offsets are divided by ``2**shift`` in front of the sum and not behind it, which
    is as exact: a power of two moves no digit.
    """

    def __init__(self, layer: IntConv2d) -> None:
        super().__init__()
        weight, bias = layer.integers()
        self.weight, self.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        self.padding, self.clip = layer.kernel // 2, layer.clip
        self.unit, self.largest = 2.0**-layer.shift, layer.bound()

    def forward(self, x: Tensor, level_weights: Tensor) -> Tensor:
        weight = self.weight * self.unit
        return self.ended(nn.functional.conv2d(x, weight, padding=self.padding), level_weights)

    def matrix(self) -> Tensor:
        """The weight of a pointwise layer, ``outputs inputs``."""
        return self.weight[:, :, 0, 0] * self.unit

    def offset(self, level_weights: Tensor) -> Tensor:
        """``1 outputs``."""
        return torch.floor(level_weights @ self.bias * 2.0**-IntConv2d.mix_bits + 0.5) * self.unit

    def ended(self, sums: Tensor, level_weights: Tensor) -> Tensor:
        """The layer's output from its sums, without its offset, ``1 outputs h w``."""
        offset = (self.offset(level_weights) + 0.5)[:, :, None, None]
        return torch.clamp(torch.floor(sums + offset), *self.clip)

    def enlarged(self, x: Tensor, level_weights: Tensor) -> Tensor:
        """The output of a pointwise layer behind a pixel shuffle by 2: runs of channels move."""
        (_, c, h, w), count = x.shape, len(self.bias[0]) // 4
        pixel_major = self.matrix().reshape(count, 4, c).transpose(0, 1).reshape(4 * count, c)
        offset = (self.offset(level_weights) + 0.5).reshape(count, 4).T.reshape(1, 4 * count)
        rows = x.reshape(c, h * w).T @ pixel_major.T + offset
        rows = torch.clamp(torch.floor(rows), *self.clip)
        rows = rows.reshape(h, w, 2, 2 * count).transpose(1, 2).reshape(4 * h * w, count)
        return rows.T.reshape(1, count, 2 * h, 2 * w)

    def channel_groups(
        self, x: Tensor, level_weights: Tensor, first: Tensor, last: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Half of the channels at positions ``first``, the others at ``last``, as bytes.

        Of a pointwise layer; each ``channels positions``.
        """
        lowest, highest = self.clip
        assert lowest == 0
        if 2 * self.largest >= MAX_EXACT_INT:  # a digit more than elsewhere
            raise InputError("The last integer layer's sums are too large; make it narrower.")
        # Half a unit more, and no sum is halfway between two integers: however an operator rounds
        # such, the result is the integer that it is elsewhere, where halves round up.
        offset = (self.offset(level_weights) + self.unit / 2).T
        weight, rows = self.matrix(), x.flatten(2)[0].T
        half = len(weight) // 2
        sums = (
            weight[:half] @ rows.index_select(0, first).T + offset[:half],
            weight[half:] @ rows.index_select(0, last).T + offset[half:],
        )
        one, nothing, most = torch.tensor(1.0), uint8(0), uint8(highest)
        whole = [quantize_linear(part, one, nothing) for part in sums]
        first, last = (operator("Clip", (q, nothing, most), q.dtype, q.shape) for q in whole)
        return first, last


def exact(network: nn.Module) -> nn.Module:
    """A copy of a network of integer layers with its integers worked out; same forward."""
    frozen = copy.deepcopy(network)
    for name, layer in network.named_children():
        assert isinstance(layer, IntConv2d)
        setattr(frozen, name, FrozenIntConv2d(layer))
    return frozen


def proven(roles: list[Role], graphs: dict[str, onnx.GraphProto]) -> dict[str, list[dict]]:
    """Names and proven bounds of the integer convolutions of exact roles, for a file's ``exact``.

    Raises:
        InputError: a sum could be larger than float32 holds exactly.
    """
    return {
        role.name: _layers(role.name, graphs[role.name], role.integers)
        for role in roles
        if role.integers is not None
    }


def _layers(role: str, graph: onnx.GraphProto, network: nn.Module) -> list[dict]:
    stored = {weight.name for weight in graph.initializer}
    described = []
    for name, layer in network.named_children():
        assert isinstance(layer, IntConv2d)
        bound = layer.bound()
        if bound >= MAX_EXACT_INT:
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
