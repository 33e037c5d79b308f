"""What eyes see of an error, as a loss: SSIMULACRA2's weighted sum, colour, a little squared error.

SSIMULACRA2 is computed as `codec.metrics.perceptual` does, in float32 and without its last
polynomial, which is flat at both ends. It hardly sees a tint and forgives dirt on flat ground, so a
term for colour stands beside it: differences in XYB of pixels and of means over 8x8 and 16x16,
which weigh most where the reference is flat, and more still on bare ground. The squared error keeps
the encoder from inventing what the metric cannot see; at low qualities, where the rest of the loss
is flat, it weighs more.

Reference:
    Sneyers 2022, "SSIMULACRA 2" (libjxl, ``tools/ssimulacra2.cc``): definition and weights.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...codec.metrics.perceptual import ABSORBANCE, BIAS, C2, KERNEL, SCALES, WEIGHTS

__all__ = ["VISUAL_MIN_SIDE", "VisualLoss"]

VISUAL_MIN_SIDE = 256  # pixels a side: all six scales are there
LEVELS = (5800.0, 300.0, 380.0)  # of X, Y and B - Y: a level of 255 at mid-grey is about 1
FLAT = 4.0  # levels of standard deviation at which an area is half flat
TEXTURED = 0.06  # what the colour of an area weighs that is not flat at all
KNEE = 0.25  # levels below which an error of colour counts by its square
WORST = 0.1  # of a squared error of colour where it is flat, so that few large ones cost most
BARE = 0.5  # levels of standard deviation at which an area is half bare: nothing is drawn there
BARE_COLOUR, BARE_WORST = 4.0, 1.6  # what an error of colour, and its square, weigh there besides
COLOUR_SCALES = ((1, 0.5), (8, 1.0), (16, 1.0))  # side of a mean, weight
COLOUR = 0.8  # of a level's error of colour, in units of the weighted sum
SQUARED = 0.005  # of a squared error in levels
SQUARED_AT_ZERO = 0.015  # beside it at quality 0, falling to nothing at 50


class _Blur(torch.autograd.Function):
    """Separable, zeros outside; as the kernel is symmetric it is its own transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.kernels = _kernels(x)
        return _blurred(x, *ctx.kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _blurred(gradients[0], *ctx.kernels)


def _kernels(x: Tensor) -> tuple[Tensor, Tensor]:
    return _band(x.shape[-2], x.device), _band(x.shape[-1], x.device)


_bands: dict[tuple[int, torch.device], Tensor] = {}


def _band(side: int, device: torch.device) -> Tensor:
    """The blur of a row as a matrix: on a CPU products of matrices are the fastest."""
    key = side, device
    if key not in _bands:
        matrix = torch.zeros(side, side)
        reach = len(KERNEL) // 2
        for offset, value in zip(range(-reach, reach + 1), KERNEL, strict=True):
            if side > abs(offset):
                ones = torch.full((side - abs(offset),), float(value))
                matrix += torch.diag(ones, offset)
        _bands[key] = matrix.to(device)
    return _bands[key]


def _blurred(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    return torch.matmul(down, torch.matmul(x, across))


def _blur(x: Tensor) -> Tensor:
    return _Blur.apply(x)


def _linear(x: Tensor) -> Tensor:
    """sRGB 0..1 to light."""
    x = x.clamp(0, 1)
    return torch.where(x <= 0.04045, x * (1 / 12.92), ((x.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)


def _xyb(light: Tensor, absorbance: Tensor) -> Tensor:
    """X, Y and B - Y, moved to about 0..1, planes ``b 3 h w``."""
    b, _, h, w = light.shape
    mixed = torch.matmul(absorbance, light.reshape(b, 3, -1)) + BIAS
    root = mixed ** (1 / 3) - BIAS ** (1 / 3)
    first, second, third = root.unbind(1)
    x, y = (first - second) * 0.5, (first + second) * 0.5
    return torch.stack([x * 14 + 0.42, y + 0.01, third - y + 0.55], 1).reshape(b, 3, h, w)


def _norms(values: Tensor) -> Tensor:
    """1-norm and 4-norm of maps: ``b 3 2``."""
    flat = values.flatten(2)
    square = flat * flat
    fourth = (square * square).mean(2)
    # 1e-16: the slope of a fourth root at zero is infinite.
    return torch.stack([flat.mean(2), (fourth + 1e-16).sqrt().sqrt()], 2)


class VisualLoss:
    """The loss of a batch of pictures at their qualities, and what it consists of.

    Example:
        >>> x = torch.rand(1, 3, 256, 256)
        >>> float(VisualLoss(x.device)(x, x, torch.tensor([0.5]))["squared"])
        0.0
    """

    def __init__(self, device: torch.device) -> None:
        self.absorbance = torch.tensor(ABSORBANCE, dtype=torch.float32, device=device)
        self.weights = torch.tensor(WEIGHTS, dtype=torch.float32, device=device)
        levels = torch.tensor(LEVELS, device=device) / torch.tensor([14.0, 1, 1], device=device)
        self.levels = levels[None, :, None, None]  # X is at 14 times its size in `_xyb`

    def __call__(self, decoded: Tensor, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """Of each decoded picture ``b 3 h w`` in 0..1 against ``x``: ``ssimulacra2`` (the
        weighted sum), ``colour``, ``squared`` (levels of 255), and ``error``, which has all of
        them in it; ``t`` (``b``, 0..1) are their qualities, by which it weighs them."""
        with torch.autocast(x.device.type, enabled=False):
            decoded, x = decoded.float().contiguous(), x.float().contiguous()
            squared = (decoded - x).square().mean((1, 2, 3)) * 255**2
            light, reference = _linear(decoded), _linear(x)
            total = torch.zeros(len(x), device=x.device)
            colour = torch.zeros(len(x), device=x.device)
            for scale in range(SCALES):
                if scale:
                    light = F.avg_pool2d(light, 2)
                    reference = F.avg_pool2d(reference, 2)
                a, b = _xyb(reference, self.absorbance), _xyb(light, self.absorbance)
                mean_a, mean_b = _blur(a), _blur(b)
                square_a = _blur(a * a)
                maps = self._maps(a, b, mean_a, mean_b, square_a)
                for number, values in enumerate(maps):
                    total = total + (_norms(values) * self.weights[:, scale, :, number]).sum((1, 2))
                if scale == 0:
                    colour = self._colour(a, b, square_a - mean_a * mean_a)
        weight = SQUARED + SQUARED_AT_ZERO * (1 - 2 * t).clamp(min=0)
        error = total + COLOUR * colour + weight * squared
        return {"error": error, "ssimulacra2": total, "colour": colour, "squared": squared}

    def _maps(
        self, a: Tensor, b: Tensor, mean_a: Tensor, mean_b: Tensor, square_a: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        square_b, product = _blur(b * b), _blur(a * b)
        difference = mean_a - mean_b
        luminance = 1 - difference * difference
        contrast = 2 * (product - mean_a * mean_b) + C2
        variances = (square_a - mean_a * mean_a) + (square_b - mean_b * mean_b) + C2
        similar = F.relu(1 - luminance * contrast / variances)
        edge = (1 + (b - mean_b).abs()) / (1 + (a - mean_a).abs()) - 1
        return similar, F.relu(edge), F.relu(-edge)

    def _colour(self, a: Tensor, b: Tensor, variance: Tensor) -> Tensor:
        with torch.no_grad():
            rough = (variance * self.levels.square()).sum(1, keepdim=True).clamp(min=0)
            rough = F.avg_pool2d(F.pad(rough, (4, 4, 4, 4), mode="replicate"), 9, 1)
        difference = (b - a) * self.levels  # about levels of 255
        total = torch.zeros(len(a), device=a.device)
        for side, weight in COLOUR_SCALES:
            mean = F.avg_pool2d(difference, side) if side > 1 else difference
            around = F.avg_pool2d(rough, side) if side > 1 else rough
            even = 1 / (1 + around / FLAT**2)
            flat = TEXTURED + (1 - TEXTURED) * even
            bare = 1 / (1 + around / BARE**2)
            size = (flat + BARE_COLOUR * bare) * ((mean * mean + KNEE**2).sqrt() - KNEE)
            size = size + (WORST * even * even + BARE_WORST * bare) * mean.square()
            total = total + weight * size.sum(1).mean((1, 2))
        return total / sum(weight for _, weight in COLOUR_SCALES)
