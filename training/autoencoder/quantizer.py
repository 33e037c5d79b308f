"""The default codec's quantizer under training: what becomes of residuals, and their bits.

While the encoder trains, pixels see residuals rounded, and rates see them with uniform noise in
place of rounding, whose slopes say which way to move. Once it stands still, what reads its files
learns from the symbols that it writes: what is skipped is left out, and where a smaller symbol
saves more bits than it costs in error it is chosen, as `codec.schemes.autoencoder.segment` does.

References:
    Ballé et al. 2017 (arXiv 1611.01704): uniform noise for rounding.
    Guo et al. 2021, "Soft then hard: rethinking the quantization in neural image compression"
    (arXiv 2104.05168): learning from rounded values once the encoder stands still.
"""

import math

import numpy as np
import torch
from compressai.entropy_models import GaussianConditional
from torch import Tensor, nn

from ...codec.schemes.autoencoder.contract import RDOQ_MAX, rdoq_thresholds
from ..layers import round_ste

__all__ = ["LOG_STEP", "ROWS", "SIGMA_MIN", "SKIPPED_ROWS", "Quantizer"]

SIGMA_MIN, SIGMA_MAX, ROWS = 0.10, 100.0, 64
LOG_STEP = math.log(SIGMA_MAX / SIGMA_MIN) / (ROWS - 1)
# Rows up to this one, a width of 0.24, are not coded: what is left out is worth less than the
# bits and the time that it would take. (At a segment's edge all are coded, which is too little
# to be reckoned with here.)
SKIPPED_ROWS = 8


class Quantizer(nn.Module):
    """What becomes of residuals under table rows, and the bits they take.

    Attributes:
        thresholds: ``(ROWS, RDOQ_MAX + 2)``, below which a size becomes the next smaller one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gaussian = GaussianConditional(None)
        self.register_buffer("thresholds", torch.from_numpy(gaussian_thresholds()), False)
        self.thresholds: Tensor

    def forward(
        self, residual: Tensor, index: Tensor, encoder_trains: bool
    ) -> tuple[Tensor, Tensor]:
        """Residuals as pixels see them, and the bits of each.

        Arguments:
            residual: residuals before rounding, of any shape; ``index``: their rows, of the same.
            encoder_trains: the encoder does, so slopes are wanted for all that goes in.
        """
        noise = torch.rand_like(residual) - 0.5 if torch.is_grad_enabled() else None
        if encoder_trains:
            assert noise is not None
            return round_ste(residual), self.noisy_bits(residual + noise, index)
        size = self.sizes(residual.detach(), index.detach())
        coded = index.detach() > SKIPPED_ROWS
        bits = self.bits(size, index)
        if noise is None:
            bits = bits * coded
        else:  # a mean learns from what noise costs, the choice of a row from what is written
            noisy = self.noisy_bits(residual + noise, index.detach())
            bits = bits + (noisy - noisy.detach())
        # What is coded makes up for the mean; where nothing is, pixels see the mean itself.
        values = residual + (torch.sign(residual) * size - residual).detach()
        return torch.where(coded, values, 0.0), bits

    def sizes(self, residual: Tensor, index: Tensor) -> Tensor:
        """Absolute values of ``residual`` as the encoder rounds them, skipped or not."""
        distance = residual.abs()
        size = torch.floor(distance + 0.5)
        return size - (distance < self._threshold(size, index)).float()

    def bits(self, size: Tensor, index: Tensor) -> Tensor:
        """Bits of rounded residuals under a Gaussian of the row's width, cut at `thresholds`."""
        sigma = width(index)
        lower = torch.maximum(size - 0.5, self._threshold(size, index))
        upper = torch.maximum(size + 0.5, self._threshold(size + 1, index))
        mass = torch.special.ndtr(-lower / sigma) - torch.special.ndtr(-upper / sigma)
        middle = 1 - 2 * torch.special.ndtr(-upper / sigma)
        mass = torch.where(size == 0, middle, mass)
        return -torch.log2(self.gaussian.likelihood_lower_bound(mass))

    def noisy_bits(self, residual: Tensor, index: Tensor) -> Tensor:
        """Bits of residuals with noise under a zero-mean Gaussian of the row's width."""
        like = self.gaussian._likelihood(residual, width(index))
        return -torch.log2(self.gaussian.likelihood_lower_bound(like))

    def _threshold(self, size: Tensor, index: Tensor) -> Tensor:
        column = torch.clamp(size, max=RDOQ_MAX + 1).long()
        return self.thresholds.view(-1)[index.detach().long() * (RDOQ_MAX + 2) + column]


def width(index: Tensor) -> Tensor:
    """Of a row; they are log-spaced."""
    return SIGMA_MIN * torch.exp(index * LOG_STEP)


def gaussian_thresholds() -> np.ndarray:
    """The encoder's thresholds if residuals had Gaussian laws, `Quantizer.thresholds`.

    What falls below a threshold changes the bits that set it, so they are found in turns.
    """
    rows = width(torch.arange(ROWS, dtype=torch.float64)[:, None])
    size = torch.arange(RDOQ_MAX + 2, dtype=torch.float64)
    at = np.zeros((ROWS, RDOQ_MAX + 2), np.float32)
    for _ in range(20):
        edges = torch.maximum(size - 0.5, torch.from_numpy(at).double())
        beyond = torch.special.ndtr(-edges / rows)
        mass = beyond[:, :-1] - beyond[:, 1:]
        mass[:, 0] = 1 - 2 * beyond[:, 1]
        at = rdoq_thresholds(-np.log2(np.maximum(mass.numpy(), 2e-5)).astype(np.float32))
    return at
