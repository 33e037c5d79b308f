"""Building blocks that several families share: depthwise blocks and exact integer layers.

The integer layers keep the bit-exact rule of the codec: weights and activations are integers
held in float32 whose partial sums stay below 2**24, so every order of summation, on every
backend, gives the same number. Training sees the same integers through straight-through
estimates, so that what is exported is what was trained.

References:
    Ballé et al. 2019, "Integer networks for data compression with latent-variable models".
    Jia et al. 2025, "Towards practical real-time neural video compression" (arXiv 2502.20762),
    for the low-cost depthwise block.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "Block",
    "IntConv2d",
    "RungTable",
    "cosine_basis",
    "cosine_split",
    "round_ste",
]

EXACT = 2**24  # float32 holds every integer up to here


def round_ste(x: Tensor) -> Tensor:
    """Round half up in the forward pass, identity in the backward pass."""
    return x + (torch.floor(x + 0.5) - x).detach()


class Block(nn.Module):
    """Depthwise block and pointwise feed-forward, both residual; shape ``b c h w`` is kept.

    x -> 1x1 -> LeakyReLU -> depthwise 3x3 -> 1x1 -> (+ x) -> 1x1 -> LeakyReLU -> 1x1 -> (+)
    """

    def __init__(self, channels: int, expand: int = 2, start: float = 0.3) -> None:
        super().__init__()
        self.pre = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.post = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, expand * channels, 1)
        self.narrow = nn.Conv2d(expand * channels, channels, 1)
        with torch.no_grad():  # start near the identity, or (0) at it: depth then does no harm
            for layer in (self.post, self.narrow):
                layer.weight.mul_(start)
                assert layer.bias is not None
                layer.bias.mul_(start)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.post(self.depthwise(F.leaky_relu(self.pre(x), 0.1)))
        return x + self.narrow(F.leaky_relu(self.widen(x), 0.1))


class RungTable(nn.Module):
    """One vector of ``channels`` numbers a quality rung, interpolated linearly between rungs.

    The mixing weights, shape ``b r``, come with the input; the result is ``b c 1 1``.
    """

    def __init__(self, rungs: int, channels: int, fill: float | Tensor = 0.0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(rungs, channels) + fill)

    def forward(self, mix: Tensor) -> Tensor:
        return (mix @ self.table)[:, :, None, None]


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


def cosine_split(small: int, few: int, large: int, many: int) -> tuple[Tensor, Tensor]:
    """How coefficients of blocks of side ``small`` make up those of the blocks of twice the side.

    All coefficients are divided by their `cosine_basis` spread, so that every channel has about
    the same size, at the start and for the optimizer. ``few`` and ``many`` count the patterns.

    Returns: ``many (few * 4)``, small to large, and ``(few * 4) many``, back, both for channels
        as `torch.nn.PixelUnshuffle` orders them.
    """
    inner, narrow = cosine_basis(small, few)
    outer, wide = cosine_basis(large, many)
    parts = F.pixel_unshuffle(F.pixel_shuffle(outer[:, :, None, None], large), small)
    shared = torch.einsum("kp,npyx->nkyx", inner, parts).flatten(1)
    narrow = narrow.repeat_interleave((large // small) ** 2)
    return shared * narrow / wide[:, None], (shared * wide[:, None] / narrow).T


class IntConv2d(nn.Module):
    """Convolution on integers: ``clip(floor((w * x + b(quality)) * 2**-shift + 1/2), lo, hi)``.

    ``x`` holds integers of at most ``input_max`` in absolute value. The bias is a table of
    integers with a row per quality rung, mixed by integer weights that sum to ``2**mix_bits``.

    Arguments:
        shift: the result is divided by ``2**shift``; the weights are stored times ``2**shift``.
        clip: the range that the result is clipped to.
        input_max: the largest absolute value of an input, which the bound rests on.
    """

    mix_bits = 8
    bias_unit = 32.0  # a step of the optimizer moves a bias as far as it moves 32 weights

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int,
        *,
        rungs: int,
        input_max: int,
        clip: tuple[int, int] = (0, 127),
        shift: int = 8,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        fan_in = cin * kernel * kernel
        self.weight = nn.Parameter(torch.randn(cout, cin, kernel, kernel) * gain * fan_in**-0.5)
        self.bias = nn.Parameter(torch.zeros(rungs, cout))
        self.kernel, self.input_max, self.clip, self.shift = kernel, input_max, clip, shift

    def integers(self) -> tuple[Tensor, Tensor]:
        """Integer weights (int8 range) and bias rows, both through straight-through rounding."""
        scale = 2.0**self.shift
        weight = round_ste(torch.clamp(self.weight * scale, -127, 127))
        return weight, round_ste(self.bias * (scale * self.bias_unit))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """``x``: ``b cin h w`` integers; ``mix``: ``b rungs`` integers that sum to 256."""
        weight, bias = self.integers()
        offset = round_ste(mix @ bias * 2.0**-self.mix_bits)[:, :, None, None]
        total = F.conv2d(x, weight, padding=self.kernel // 2) + offset
        return torch.clamp(round_ste(total * 2.0**-self.shift), *self.clip)

    @torch.no_grad()
    def bound(self) -> int:
        """The largest absolute value that any partial sum can take, which must be < 2**24."""
        weight, bias = self.integers()
        sums = weight.abs().sum((1, 2, 3)) * self.input_max + bias.abs().amax(0)
        mixing = int(bias.abs().max().item()) * 2**self.mix_bits + 2 ** (self.mix_bits - 1)
        return max(int(sums.max().item()) + 2 ** (self.shift - 1), mixing)
