"""Rounding to integers of 8 bits as training sees it.

Steps are such that floats hold every sum of a layer exactly: the units of what layers see are
powers of two, those of weights have `MANTISSA` bits. So a layer gives the same to the last digit
whether it is computed in integers or in floats, and in whatever order.

Reference:
    Jacob et al. 2018, "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference" (arXiv 1712.05877): training that sees the rounding.
"""

import torch
from torch import Tensor

from ..layers import round_ste

__all__ = [
    "INT8_STEPS",
    "MANTISSA",
    "POINTWISE_STEPS",
    "UINT8_STEPS",
    "WEIGHT_STEPS",
    "activation_range_of",
    "fake_quantize_weight",
    "fake_quantize_weight16",
    "signed_bytes",
    "unsigned_bytes",
    "weight_scale",
]

INT8_STEPS, UINT8_STEPS = 128, 256  # steps a unit of what layers see; values stay below one
# Of weights, half as many: where a processor lacks instructions for bytes, pairs of products are
# added in 16 bits, and two of 255 * 127 would not fit.
WEIGHT_STEPS = {"pre": 63, "post": 63, "widen": 63, "depthwise": 127, "narrow": 63}
POINTWISE_STEPS = 63  # those of an `Int8Conv2d`
MANTISSA = 3  # bits of a weight's scale
RANGE_QUANTILE = 0.9999  # of a channel's values are not clipped


def activation_range_of(x: Tensor) -> Tensor:
    """By channel, what all absolute values but a few are below."""
    flat = x.abs().float().transpose(0, 1).flatten(1)
    return flat.kthvalue(max(1, round(RANGE_QUANTILE * flat.shape[1])), dim=1).values


def signed_bytes(x: Tensor) -> Tensor:
    """``x`` as signed bytes give it, which go from -1 to just below 1."""
    steps = torch.clamp(x.float() * INT8_STEPS, -INT8_STEPS, INT8_STEPS - 1)
    return round_ste(steps) * (1 / INT8_STEPS)


def unsigned_bytes(x: Tensor) -> Tensor:
    """``x`` as unsigned bytes give it, which go from 0 to just below 1: a ReLU."""
    return round_ste(torch.clamp(x.float() * UINT8_STEPS, 0, UINT8_STEPS - 1)) * (1 / UINT8_STEPS)


def fake_quantize_weight(weight: Tensor, steps: int) -> Tensor:
    """A weight as integers of at most ``steps``, times a scale of each row's own."""
    scale = weight_scale(weight.detach(), steps)
    whole = round_ste(weight / scale)
    beyond = (whole - whole.clamp(-steps, steps)).detach()  # by one at most: its slope stays
    return (whole - beyond) * scale


def fake_quantize_weight16(weight: Tensor) -> Tensor:
    """A weight of which an upper byte in `POINTWISE_STEPS` is divided by `INT8_STEPS` once more."""
    scale = weight_scale(weight.detach(), POINTWISE_STEPS) / INT8_STEPS
    return round_ste(weight / scale) * scale


def weight_scale(weight: Tensor, steps: int, mantissa: int = MANTISSA) -> Tensor:
    """The smallest number of ``mantissa`` bits, for each row of ``o i h w``, of which the largest
    weight is at most about ``steps`` times: ``o 1 1 1``. Of rounded weights it is the same."""
    largest = weight.abs().amax((1, 2, 3), keepdim=True) + 1e-9
    scale = largest
    for _ in range(2):  # rounded, the largest may be just below what asks for this scale
        scale = largest / steps
        unit = torch.exp2(torch.floor(torch.log2(scale)) - (mantissa - 1))
        scale = torch.ceil(scale / unit - 1e-3) * unit
        largest = torch.round(largest / scale) * scale
    return scale
