"""The integer networks that choose table rows, as they are exported."""

import torch
from torch import Tensor, nn

from ..integer_export import FrozenIntConv2d
from .network import ContextIndex, HyperIndex

__all__ = ["ContextIndexInference", "HyperIndexInference"]


class HyperIndexInference(nn.Module):
    """`HyperIndex` with its integers worked out, and rows of pass 1 alone."""

    def __init__(self, h_i: HyperIndex) -> None:
        super().__init__()
        self.a = FrozenIntConv2d(h_i.a)
        self.b = FrozenIntConv2d(h_i.b)
        self.c = FrozenIntConv2d(h_i.c)
        self.d = FrozenIntConv2d(h_i.d)
        self.e = FrozenIntConv2d(h_i.e)
        self.out = FrozenIntConv2d(h_i.out)

    def forward(
        self, z: Tensor, level_weights: Tensor, even: Tensor, odd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = self.b.enlarged(self.a(z, level_weights), level_weights)
        x = self.d.enlarged(self.c(x, level_weights), level_weights)
        x = self.e(x, level_weights)
        return *self.out.channel_groups(x, level_weights, even, odd), x


class ContextIndexInference(nn.Module):
    """`ContextIndex` with its integers worked out, from pass 1's magnitudes to pass 2's rows.

    ``place`` is as `codec.schemes.autoencoder.checkerboard.Checkerboard` has it.
    """

    def __init__(self, c_i: ContextIndex) -> None:
        super().__init__()
        self.a = FrozenIntConv2d(c_i.a)
        self.b = FrozenIntConv2d(c_i.b)
        self.out = FrozenIntConv2d(c_i.out)

    def forward(
        self,
        magnitude_even: Tensor,
        magnitude_odd: Tensor,
        features: Tensor,
        level_weights: Tensor,
        even: Tensor,
        odd: Tensor,
        place: Tensor,
    ) -> tuple[Tensor, Tensor]:
        weight, half = self.a.matrix().T, len(magnitude_even)
        parts = [magnitude_even.T @ weight[:half], magnitude_odd.T @ weight[half:]]
        x = nn.functional.embedding(place, torch.cat(parts)).permute(2, 0, 1)[None]
        x = self.b(self.a.ended(x, level_weights), level_weights)
        return self.out.channel_groups(torch.cat([x, features], 1), level_weights, odd, even)
