"""The lifting of ``flow`` on tensors: the integers of ``codec/schemes/flow/lifting.py``.

What holds of both is told there; here values are integers in float32, ``b c h w``.
"""

import torch
from torch import Tensor

__all__ = [
    "Interval",
    "colours",
    "detail_interval",
    "half",
    "mean_interval",
    "merge",
    "rgb",
    "split",
]


def half(x: Tensor) -> Tensor:
    """Half of it, rounded down."""
    return torch.floor(x * 0.5)


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of ``b c h w`` (h even) to means and differences."""
    top, bottom = x[:, :, 0::2], x[:, :, 1::2]
    d = top - bottom
    return bottom + half(d), d


def merge(mean: Tensor, d: Tensor) -> Tensor:
    """The inverse of `split`."""
    bottom = mean - half(d)
    return torch.stack([bottom + d, bottom], 3).flatten(2, 3)


def colours(h: Tensor) -> Tensor:
    """R, G, B ``b 3 h w`` to Y, Cg, Co, without loss (YCoCg-R)."""
    r, g, b = h.unbind(1)
    co = r - b
    middle = b + half(co)
    cg = g - middle
    return torch.stack([middle + half(cg), cg, co], 1)


def rgb(c: Tensor) -> Tensor:
    """The inverse of `colours`."""
    y, cg, co = c.unbind(1)
    middle = y - half(cg)
    b = middle - half(co)
    return torch.stack([b + co, middle + cg, b], 1)


Interval = tuple[Tensor, Tensor]


def detail_interval(mean: Tensor, a: Interval, b: Interval) -> Interval:
    """Where a difference may lie, given the mean, if the pair lies in ``a`` and ``b``."""
    low = torch.maximum(2 * (mean - b[1]), 2 * (a[0] - mean) - 1)
    high = torch.minimum(2 * (mean - b[0]) + 1, 2 * (a[1] - mean))
    return low, high


def mean_interval(a: Interval, b: Interval) -> Interval:
    """Where the mean may lie."""
    return half(a[0] + b[0]), half(a[1] + b[1])
