"""Sizes of the autoencoder's networks, and where a quality lies between its gain levels."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["AutoencoderConfig", "level_weights_at"]


@dataclass(frozen=True)
class AutoencoderConfig:
    """Widths and depths; the defaults are the shipped model's."""

    y: int = 320  # channels of the latent, 1/16
    z: int = 32  # channels of the hyper-latent, 1/64
    z_priors: int = 8  # factorised priors of z, one signalled per position
    gain_levels: int = 8  # rows of the quality scale
    ea: tuple[int, int, int] = (64, 192, 320)  # encoder widths at 1/4, 1/8, 1/16
    na: tuple[int, int, int] = (2, 3, 2)  # encoder blocks there
    es: tuple[int, int] = (48, 128)  # decoder widths at 1/4 and 1/8; at 1/16 it has y's
    h4: tuple[int, ...] = (64, 160)  # hidden widths of its blocks at 1/4
    h8: tuple[int, ...] = (288, 288)
    h16: tuple[int, ...] = ()  # none: nothing is done to the latent there
    mean: int = 192  # width of the mean networks
    context: int = 256
    context_hidden: int = 288  # of its block
    # widths of the integer networks: pass 1's wide and narrow layers, and pass 2's
    index: tuple[int, int, int] = (96, 32, 80)
    tune: str = "psnr"  # or "visual": what is lost is the squared error (0..255), or `VisualLoss`
    lambda_min: float = 0.0005  # bits per pixel that a unit of it is worth
    lambda_max: float = 0.25


def level_weights_at(t: Tensor, gain_levels: int) -> Tensor:
    """Weights of the levels ``b gain_levels``, integers that sum to 256, of ``t`` in 0..1."""
    position = torch.round(t * (gain_levels - 1) * 256) / 256
    grid = torch.arange(gain_levels, device=t.device, dtype=torch.float32)
    return torch.round(torch.clamp(1 - (position[:, None] - grid).abs(), min=0) * 256)
