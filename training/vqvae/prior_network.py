"""The priors of vqvae's codes: gated PixelCNNs that work on integers.

One prior a level. It sees the level's own codes above and to the left, and all codes of the levels
before::

        earlier codes --(tables)--> 3x3 --> 3x3 --> condition, seen by every layer below
        own codes --(table)--> masked 5x5 --> gate --> [masked 3x3 --> gate --> 1x1 --> (+)] x depth
                                                             --> 1x1 --> 1x1 --> logits

Every value is an integer held in float32, as in `layers.IntConv2d`; the gate's tanh and sigmoid
are look-up tables in the runtime (`codec.schemes.vqvae.prior`). The masks let a position see
offsets with ``dx + 2 dy < 0`` (and, after the first layer, itself), so that all positions of
equal ``x + 2 y`` can be decoded together.

References:
    van den Oord et al. 2016 (arXiv 1606.05328): gated PixelCNN.
    Salimans et al. 2017 (arXiv 1701.05517): PixelCNN++, for the residual form.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...codec.schemes.vqvae.contract import GATE_MAX, LOGIT_MAX, LOGIT_UNIT, STATE_MAX, UNIT, taps
from ..layers import round_ste
from .network import VqvaeConfig

__all__ = ["IntLayer", "LevelPrior", "Priors", "gate_tables"]


class IntLayer(nn.Module):
    """Integer convolution of ``x`` plus a pointwise one of the condition ``c``.

    ``clip(floor((w * x + v * c + bias) * 2**-shift + 1/2), lo, hi)``; all partial sums stay below
    `bound`, which an export proves to be less than 2**24.

    Arguments:
        kernel: a list of offsets ``(dy, dx)`` that are seen; None for a pointwise layer.
        limits: largest absolute values of ``x`` and ``c``.
        condition: channels of ``c``; 0 for a layer without.
    """

    bias_unit = 32.0
    mask: Tensor

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: list[tuple[int, int]] | None = None,
        *,
        condition: int = 0,
        limits: tuple[int, int] = (GATE_MAX, GATE_MAX),
        clip: tuple[int, int] = (0, GATE_MAX),
        shift: int = 8,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.kernel = kernel or [(0, 0)]
        self.radius = max(max(abs(dy), abs(dx)) for dy, dx in self.kernel)
        size, fan_in = 2 * self.radius + 1, cin * len(self.kernel) + condition
        self.weight = nn.Parameter(torch.randn(cout, cin, size, size) * gain * fan_in**-0.5)
        self.bias = nn.Parameter(torch.zeros(cout))
        self.seen = nn.Parameter(torch.randn(cout, condition, 1, 1) * gain * fan_in**-0.5)
        self.limits, self.clip, self.shift = limits, clip, shift
        mask = torch.zeros(size, size)
        for dy, dx in self.kernel:
            mask[self.radius + dy, self.radius + dx] = 1
        self.register_buffer("mask", mask, persistent=False)

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of ``x`` and of ``c`` (int8 range) and bias, rounded straight through."""
        scale = 2.0**self.shift
        weight = round_ste(torch.clamp(self.weight * scale, -127, 127)) * self.mask
        seen = round_ste(torch.clamp(self.seen * scale, -127, 127))
        return weight, seen, round_ste(self.bias * (scale * self.bias_unit))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        weight, seen, bias = self.integers()
        total = F.conv2d(x, weight, bias, padding=self.radius)
        if condition is not None and seen.shape[1]:
            total = total + F.conv2d(condition, seen)
        return torch.clamp(round_ste(total * 2.0**-self.shift), *self.clip)


def gate_tables() -> tuple[Tensor, Tensor]:
    """tanh and sigmoid of the integers ``-GATE_MAX .. GATE_MAX``, as integers."""
    x = torch.arange(-GATE_MAX, GATE_MAX + 1, dtype=torch.float64) / UNIT
    tanh, sigmoid = torch.tanh(x), torch.sigmoid(x)
    return torch.floor(GATE_MAX * tanh + 0.5), torch.floor(GATE_MAX * sigmoid + 0.5)


def gate(x: Tensor) -> Tensor:
    """Half of the channels through tanh times the other half through a sigmoid, all integers."""
    a, b = (x * (1 / UNIT)).chunk(2, 1)
    product = round_ste(GATE_MAX * torch.tanh(a)) * round_ste(GATE_MAX * torch.sigmoid(b))
    return round_ste(product * (1 / (GATE_MAX + 1)))


class LevelPrior(nn.Module):
    """The prior of one level; ``earlier`` counts the levels before it."""

    def __init__(self, c: VqvaeConfig, earlier: int) -> None:
        super().__init__()
        width, both = c.width, (-GATE_MAX, GATE_MAX)
        self.codes, self.earlier = c.codes, earlier
        self.own = nn.Parameter(torch.randn(c.codes, c.embed))
        seen = width if earlier else 0
        if earlier:
            self.others = nn.Parameter(torch.randn(earlier, c.codes, c.embed))
            around = taps(1, None)
            self.near = IntLayer(earlier * c.embed, width, around, gain=1.4)
            self.far = IntLayer(width, width, around, gain=1.4)
        self.first = IntLayer(c.embed, 2 * width, taps(2, 0), condition=seen, clip=both)
        wide = (STATE_MAX, GATE_MAX)
        self.gated = nn.ModuleList(
            IntLayer(width, 2 * width, taps(1, 1), condition=seen, limits=wide, clip=both)
            for _ in range(c.depth)
        )
        self.added = nn.ModuleList(
            IntLayer(width, width, clip=both, gain=0.5) for _ in range(c.depth)
        )
        self.hidden = IntLayer(width, width, condition=seen, limits=wide, gain=1.4)
        ends = (-LOGIT_MAX, LOGIT_MAX)
        self.logits = IntLayer(width, c.codes, clip=ends, shift=7, gain=0.1)

    def embedded(self, codes: Tensor, table: Tensor) -> Tensor:
        """Codes ``b h w`` as integers ``b embed h w``."""
        whole = torch.clamp(round_ste(table * UNIT), -GATE_MAX, GATE_MAX)
        return F.embedding(codes, whole).permute(0, 3, 1, 2)

    def forward(self, codes: Tensor) -> Tensor:
        """Integer logits ``b codes h w``, in `LOGIT_UNIT` a nat, for codes ``b levels h w``."""
        condition = None
        if self.earlier:
            parts = [self.embedded(codes[:, i], self.others[i]) for i in range(self.earlier)]
            condition = self.far(self.near(torch.cat(parts, 1)))
        state = gate(self.first(self.embedded(codes[:, self.earlier], self.own), condition))
        for gated, added in zip(self.gated, self.added, strict=True):
            step = added(gate(gated(state, condition)))
            state = torch.clamp(state + step, -STATE_MAX, STATE_MAX)
        return self.logits(self.hidden(state, condition))


class Priors(nn.Module):
    """All levels' priors."""

    def __init__(self, c: VqvaeConfig) -> None:
        super().__init__()
        self.levels = nn.ModuleList(LevelPrior(c, level) for level in range(c.levels))

    def forward(self, codes: Tensor) -> Tensor:
        """Bits of codes ``b levels h w``: ``b levels``, summed over positions."""
        bits = []
        for level, prior in enumerate(self.levels):
            logits = prior(codes) * (1 / LOGIT_UNIT)
            nats = F.cross_entropy(logits, codes[:, level], reduction="none")
            bits.append(nats.sum((1, 2)) / math.log(2))
        return torch.stack(bits, 1)

    @torch.no_grad()
    def begin(self, codevectors: Tensor) -> None:
        """Lets the tables start as the codevectors, each dimension at one size."""
        size = codevectors.square().mean(1, keepdim=True).sqrt() + 1e-6
        whitened = codevectors / size
        for prior in self.levels:
            assert isinstance(prior, LevelPrior)
            count = min(prior.own.shape[1], whitened.shape[2])
            prior.own[:, :count] = whitened[prior.earlier, :, :count]
            if prior.earlier:
                prior.others[:, :, :count] = whitened[: prior.earlier, :, :count]
