"""The denoiser: a small U-Net of dense 3x3 blocks, and a network that estimates the noise level.

::

        x, level --1/2--> stem -> block --------------------------(+)-> block -> tail --> noise
                             \\--1/4--> block -------------(+)-> block --/
                                    \\--1/8--> block --(+)-> block --/
                                          \\--1/16--> block --/              x - noise = result

The first layer goes to 1/2 resolution, where the widest maps are; the result is the input less the
noise found, which is zero before training. Dense 3x3 convolutions run ten times as fast as
depthwise ones on a CPU, so there is nothing else. There is no global operation: a tile with
`Denoiser.halo` pixels around it gives what the whole picture gives.

The noise level comes as an offset to the first features, or as "not known" (blind). The
estimator's own network sees the same pixels and gives the local level and how far to trust it, at
1/8 resolution; `pool` makes one number of a picture.

References:
    Zhang et al. 2018, "FFDNet" (arXiv 1710.04026): unshuffled pixels and a noise-level map.
    Zhang et al. 2021, "Plug-and-play image restoration" (arXiv 2008.13751): DRUNet, the same kind
    of U-Net at a hundred times the cost.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "BLIND",
    "BY_PIXEL",
    "SIGMA_MAX",
    "STEP",
    "Denoiser",
    "DenoiserConfig",
    "Estimator",
    "pool",
]

SIGMA_MAX = 75.0  # the largest noise level trained for, in levels of 0..255
BLIND = -1.0  # the level that means: not known
STEP = 16  # the coarsest grid, in pixels
# The last layer's channels by row, column, colour; `torch.nn.PixelShuffle` wants colours first.
BY_PIXEL = (0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11)
EDGE = 2  # places of the estimator's grid that see beyond the picture


@dataclass(frozen=True)
class DenoiserConfig:
    """Widths and depths; the defaults are the shipped model's."""

    widths: tuple[int, ...] = (48, 96, 128, 128)  # at 1/2, 1/4, 1/8, 1/16
    blocks: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 1)  # going down, at the bottom, going up
    estimator: tuple[int, ...] = (24, 32, 64)  # at 1/2, 1/4, 1/8


class Residual(nn.Module):
    """Two dense 3x3 convolutions beside the identity; shape ``b c h w`` is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(channels, channels, 3, padding=1)
        self.b = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():  # start near the identity, so that depth does not hurt early on
            self.b.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(F.relu(self.a(x)))


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(count)))


def level_forms(level: Tensor) -> Tensor:
    """``b 4``: whether the noise level (``b``, 0..75, or `BLIND`) is known, and three forms of it.

    The square root tells low levels apart, which the level itself hardly does.
    """
    known = (level >= 0).float()
    part = level.clamp(min=0) * (1 / SIGMA_MAX)
    logarithm = torch.log1p(level.clamp(min=0)) * (1 / 4.33)
    return torch.stack([known, part, torch.sqrt(part), logarithm], 1)


class Denoiser(nn.Module):
    """Pixels ``b 3 h w`` (0..1, or outside) and levels ``b`` to pixels; 16 divides the sides."""

    def __init__(self, config: DenoiserConfig | None = None) -> None:
        super().__init__()
        c = self.config = config or DenoiserConfig()
        a, b, d, e = c.widths
        # 3x3 on unshuffled pixels, in one layer: a shuffle costs as much as three convolutions.
        self.stem = nn.Conv2d(3, a, 6, stride=2, padding=2)
        self.level = nn.Conv2d(4, a, 1)
        self.down_a = _blocks(a, c.blocks[0])
        self.to_b = nn.Conv2d(a, b, 2, stride=2)
        self.down_b = _blocks(b, c.blocks[1])
        self.to_d = nn.Conv2d(b, d, 2, stride=2)
        self.down_d = _blocks(d, c.blocks[2])
        self.to_e = nn.Conv2d(d, e, 2, stride=2)
        self.bottom = _blocks(e, c.blocks[3])
        self.from_e = nn.Conv2d(e, d, 1)
        self.up_d = _blocks(d, c.blocks[4])
        self.from_d = nn.Conv2d(d, b, 1)
        self.up_b = _blocks(b, c.blocks[5])
        self.from_b = nn.Conv2d(b, a, 1)
        self.up_a = _blocks(a, c.blocks[6])
        self.tail = nn.Conv2d(a, 12, 3, padding=1)
        # A 1x1 before the enlarging: a transposed convolution costs four times as much.
        self.larger, self.shuffle = nn.Upsample(scale_factor=2, mode="nearest"), nn.PixelShuffle(2)
        with torch.no_grad():
            self.tail.weight.zero_()
            assert self.tail.bias is not None
            self.tail.bias.zero_()
        self.estimator = Estimator(c)

    @property
    def halo(self) -> int:
        """Pixels around a tile that its result can depend on, for tiles that start at a 16th."""
        n = self.config.blocks
        reach = 4 * (n[0] + n[6]) + 8 * (n[1] + n[5]) + 16 * (n[2] + n[4]) + 32 * n[3]
        return (2 * 2 + reach + (STEP - 1) + (STEP - 1)) // STEP * STEP

    def features(self, x: Tensor, level: Tensor) -> Tensor:
        """What the last layer makes noise of, ``b c h/2 w/2``."""
        a = self.stem(x - 0.5) + self.level(level_forms(level)[:, :, None, None])
        a = self.down_a(a)
        b = self.down_b(self.to_b(a))
        d = self.down_d(self.to_d(b))
        e = self.bottom(self.to_e(d))
        d = self.up_d(d + self.larger(self.from_e(e)))
        b = self.up_b(b + self.larger(self.from_d(d)))
        return self.up_a(a + self.larger(self.from_b(b)))

    def noise(self, x: Tensor, level: Tensor) -> Tensor:
        """The noise that is found in ``x``."""
        return self.shuffle(self.tail(self.features(x, level)))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        amp = torch.autocast(x.device.type, torch.bfloat16, enabled=self.training)
        with amp:
            noise = self.noise(x, level)
        return x - noise.float()


class Estimator(nn.Module):
    """Pixels ``b 3 h w`` to ``b 2 h/8 w/8``: ``log(1 + level)`` there, and how far to trust it."""

    def __init__(self, c: DenoiserConfig) -> None:
        super().__init__()
        a, b, d = c.estimator
        self.net = nn.Sequential(
            nn.Conv2d(3, a, 6, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, b, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, d, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(d, 2, 1),
        )
        with torch.no_grad():  # starts at a level of e**2.5 - 1 = 11, trusted alike everywhere
            last = self.net[-1]
            assert isinstance(last, nn.Conv2d) and last.bias is not None
            last.bias.copy_(torch.tensor([2.5, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        amp = torch.autocast(x.device.type, torch.bfloat16, enabled=self.training)
        with amp:
            found = self.net(x - 0.5)
        value, trust = found.float().chunk(2, 1)
        return torch.cat([value, 4 * torch.tanh(trust * 0.25)], 1)


def pool(found: Tensor) -> Tensor:
    """One ``log(1 + level)`` per picture, ``b``, of an estimator's result ``b 2 h w``.

    What is within `EDGE` of the border, where the network sees its own padding, is left out if
    anything remains: else the estimate would depend on the size of the picture.
    """
    if min(found.shape[2:]) > 2 * EDGE:
        found = found[:, :, EDGE:-EDGE, EDGE:-EDGE]
    value, trust = found.flatten(2).unbind(1)
    return (value * torch.softmax(trust, 1)).sum(1)
