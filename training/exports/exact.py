"""Integer networks for export: their integers worked out, and their bounds proven."""

import copy

import onnx
import torch
from torch import Tensor, nn

from ...codec.errors import InputError
from ...codec.modelfile import EXACT
from ..models.autoencoder import ContextIndex, HyperIndex
from ..models.layers import IntConv2d
from .forms import in_halves

__all__ = ["ContextIndexForm", "HyperIndexForm", "exact", "layers"]


class _Frozen(nn.Module):
    """An `IntConv2d` with its integers worked out, and without what only gradients need."""

    def __init__(self, layer: IntConv2d) -> None:
        super().__init__()
        weight, bias = layer.integers()
        self.weight, self.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        self.padding, self.clip, self.shift = layer.kernel // 2, layer.clip, layer.shift

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        total = nn.functional.conv2d(x, self.weight, padding=self.padding) + self.offset(mix)
        return self.ended(total)

    def offset(self, mix: Tensor) -> Tensor:
        return torch.floor(mix @ self.bias * 2.0**-IntConv2d.mix_bits + 0.5)[:, :, None, None]

    def ended(self, total: Tensor) -> Tensor:
        """The layer's output from its sums."""
        return torch.clamp(torch.floor(total * 2.0**-self.shift + 0.5), *self.clip)

    def halves(self, x: Tensor, mix: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Half of the channels at positions ``first``, the others at ``last``, as bytes.

        Of a pointwise layer; each ``channels positions``.
        """
        rows, offset = x.flatten(2)[0].T, self.offset(mix)[0, :, :, 0]
        sums = in_halves(self.weight[:, :, 0, 0], offset, rows, first, last)
        return self.ended(sums[0]).to(torch.uint8), self.ended(sums[1]).to(torch.uint8)


def exact(network: nn.Module) -> nn.Module:
    """A copy of a network of integer layers with its integers worked out; same forward."""
    frozen = copy.deepcopy(network)
    for name, layer in network.named_children():
        assert isinstance(layer, IntConv2d)
        setattr(frozen, name, _Frozen(layer))
    return frozen


class HyperIndexForm(nn.Module):
    """`HyperIndex` with its integers worked out, and rows of pass 1 alone."""

    def __init__(self, h_i: HyperIndex) -> None:
        super().__init__()
        self.a, self.b, self.c = _Frozen(h_i.a), _Frozen(h_i.b), _Frozen(h_i.c)
        self.d, self.e, self.out = _Frozen(h_i.d), _Frozen(h_i.e), _Frozen(h_i.out)

    def forward(
        self, z: Tensor, mix: Tensor, even: Tensor, odd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = nn.functional.pixel_shuffle(self.b(self.a(z, mix), mix), 2)
        x = nn.functional.pixel_shuffle(self.d(self.c(x, mix), mix), 2)
        x = self.e(x, mix)
        return *self.out.halves(x, mix, even, odd), x


class ContextIndexForm(nn.Module):
    """`ContextIndex` with its integers worked out, from pass 1's magnitudes to pass 2's rows.

    ``place`` is as `codec.schemes.halves.Grid` has it.
    """

    def __init__(self, c_i: ContextIndex) -> None:
        super().__init__()
        self.a, self.b, self.out = _Frozen(c_i.a), _Frozen(c_i.b), _Frozen(c_i.out)

    def forward(
        self,
        magnitude_even: Tensor,
        magnitude_odd: Tensor,
        features: Tensor,
        mix: Tensor,
        even: Tensor,
        odd: Tensor,
        place: Tensor,
    ) -> tuple[Tensor, Tensor]:
        weight, half = self.a.weight[:, :, 0, 0], len(magnitude_even)
        parts = [weight[:, :half] @ magnitude_even, weight[:, half:] @ magnitude_odd]
        x = nn.functional.embedding(place, torch.cat(parts, 1).T).permute(2, 0, 1)[None]
        x = self.b(self.a.ended(x + self.a.offset(mix)), mix)
        return self.out.halves(torch.cat([x, features], 1), mix, odd, even)


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
