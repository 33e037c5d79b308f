"""The networks of ``flow``: integers of the decoded picture to mean and row of differences.

`network` tells how they work together.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...codec.schemes.flow.contract import MEAN_UNITS, PASSES
from ..layers import IntConv2d

__all__ = ["DETAIL_MAX", "FINE", "PLANES", "FlowConfig", "LiftingNets"]

FINE = 4  # the networks tell a row in quarters: a bias holds 2**16 / 256
PLANES = 7
PLANE_MAX, ACTIVATION_MAX, DETAIL_MAX = 510, 255, 255


@dataclass(frozen=True)
class FlowConfig:
    """Widths; the defaults are the shipped model's."""

    width: int = 48
    kernel: int = 5  # of the first layer
    chroma: int = 32
    gain_levels: int = 6  # rows of the scale of steps
    kinds: int = 6  # networks: columns and rows at levels 0, 1, and 2 and up
    residual: int = 1  # 3x3 layers that are added to what luma's layers made
    chroma_residual: int = 1  # the same for chroma


def _linear(cin: int, kernel: int, gain_levels: int) -> IntConv2d:
    return IntConv2d(
        cin,
        1,
        kernel,
        gain_levels=gain_levels,
        input_max=PLANE_MAX,
        shift=4,
        clip=(-16384, 16384),
        gain=0.0,
    )


class Head(nn.Module):
    """Not a layer of its own: two pointwise outputs, mean (16ths of a level) and row (quarters)."""

    def __init__(self, cin: int, gain_levels: int, row: float) -> None:
        super().__init__()

        def output(clip: tuple[int, int], gain: float) -> IntConv2d:
            most = ACTIVATION_MAX
            return IntConv2d(
                cin, 1, 1, gain_levels=gain_levels, input_max=most, clip=clip, gain=gain
            )

        self.mean, self.row = output((-8192, 8192), 0.0), output((0, 1023), 0.2)
        with torch.no_grad():
            self.row.bias.fill_(row * FINE / self.row.bias_unit)


def _residual(width: int, gain_levels: int) -> IntConv2d:
    """A layer to be added: it starts as zero."""
    ends, most = (-ACTIVATION_MAX, ACTIVATION_MAX), ACTIVATION_MAX
    return IntConv2d(width, width, 3, gain_levels=gain_levels, input_max=most, clip=ends, gain=0.0)


def _with_residuals(network: nn.Module, count: int, x: Tensor, level_weights: Tensor) -> Tensor:
    for number in range(count):
        added = network.get_submodule(f"residual{number}")(x, level_weights)
        x = torch.clamp(x + added, 0, ACTIVATION_MAX)
    return x


class Luma(nn.Module):
    """The mean image's planes to features, and to mean and row of the luma difference."""

    def __init__(self, c: FlowConfig) -> None:
        super().__init__()
        n, r = c.width, c.gain_levels
        inner = {"gain_levels": r, "clip": (0, ACTIVATION_MAX)}
        self.a = IntConv2d(PLANES, n, c.kernel, input_max=PLANE_MAX, shift=5, gain=8.0, **inner)
        self.b = IntConv2d(n, n, 3, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.c = IntConv2d(n, n, 3, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.residuals = c.residual
        for number in range(c.residual):
            self.add_module(f"residual{number}", _residual(n, r))
        self.linear = _linear(PLANES, 5, r)
        head = Head(n, r, 30.0)
        self.mean, self.row = head.mean, head.row
        with torch.no_grad():  # the slope through the neighbouring means
            self.linear.weight[0, 0, 1:3, 2] = MEAN_UNITS / 4

    def forward(self, planes: Tensor, level_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.c(self.b(self.a(planes, level_weights), level_weights), level_weights)
        x = _with_residuals(self, self.residuals, x, level_weights)
        return (
            self.linear(planes, level_weights) + self.mean(x, level_weights),
            self.row(x, level_weights),
            x,
        )


class Chroma(nn.Module):
    """The same for a chroma difference, which sees the ``known`` ones of its pair as well."""

    def __init__(self, c: FlowConfig, known: int) -> None:
        super().__init__()
        n, r = c.width, c.gain_levels
        inner = {"gain_levels": r, "clip": (0, ACTIVATION_MAX)}
        self.a = IntConv2d(known, 16, 3, input_max=DETAIL_MAX, shift=5, gain=4.0, **inner)
        self.b = IntConv2d(n + 16, c.chroma, 1, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.residuals = c.chroma_residual
        for number in range(c.chroma_residual):
            self.add_module(f"residual{number}", _residual(c.chroma, r))
        self.linear = _linear(PLANES + known, 5, r)
        head = Head(c.chroma, r, 24.0)
        self.mean, self.row = head.mean, head.row
        with torch.no_grad():
            self.linear.weight[0, known, 1:3, 2] = MEAN_UNITS / 4

    def forward(
        self, planes: Tensor, known: Tensor, features: Tensor, level_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        x = self.b(torch.cat([self.a(known, level_weights), features], 1), level_weights)
        x = _with_residuals(self, self.residuals, x, level_weights)
        linear = self.linear(torch.cat([planes, known], 1), level_weights)
        return linear + self.mean(x, level_weights), self.row(x, level_weights)


class LaterPass(nn.Module):
    """What the passes before change in mean and row of a later pass's differences.

    It sees ``errors``: how far off the first network was where a value is known, else zero. Its
    outputs are those of its pass's positions alone (`PASSES`).
    """

    def __init__(self, c: FlowConfig, kernel: int, phase: tuple[int, int]) -> None:
        super().__init__()
        n, r = c.width, c.gain_levels
        inner = {"gain_levels": r, "clip": (0, ACTIVATION_MAX)}
        big = {"gain_levels": r, "input_max": ACTIVATION_MAX, "gain": 0.0}
        # Other passes' positions are left out before the first layer that allows it.
        early, late = (phase, None) if kernel == 1 else (None, phase)
        self.phase = early
        self.a = IntConv2d(1, 24, 5, input_max=DETAIL_MAX, shift=5, gain=4.0, phase=early, **inner)
        self.b = IntConv2d(
            n + 24, c.chroma, kernel, input_max=ACTIVATION_MAX, gain=1.4, phase=late, **inner
        )
        self.linear = IntConv2d(
            1,
            1,
            5,
            gain_levels=r,
            input_max=DETAIL_MAX,
            shift=4,
            clip=(-16384, 16384),
            gain=0.0,
            phase=phase,
        )
        self.mean = IntConv2d(c.chroma, 1, 1, clip=(-8192, 8192), **big)
        self.row = IntConv2d(c.chroma, 1, 1, clip=(-512, 511), **big)

    def forward(
        self, errors: Tensor, features: Tensor, level_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.phase is not None:
            features = features[:, :, self.phase[0] :: 2, self.phase[1] :: 2]
        x = self.b(torch.cat([self.a(errors, level_weights), features], 1), level_weights)
        mean = self.linear(errors, level_weights) + self.mean(x, level_weights)
        return mean, self.row(x, level_weights)


class LiftingNets(nn.Module):
    """The networks of one kind of halving, in coding order."""

    def __init__(self, c: FlowConfig) -> None:
        super().__init__()
        self.y, self.cg, self.co = Luma(c), Chroma(c, 1), Chroma(c, 2)
        for turn, phase in enumerate(PASSES[1:], 1):
            for colour, kernel in (("y", 3), ("cg", 1), ("co", 1)):
                self.add_module(f"{colour}{turn}", LaterPass(c, kernel, phase))
