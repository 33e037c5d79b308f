"""Training of the denoiser: noise of all kinds, the level known, estimated or not told."""

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .. import noise
from ..task import WeightsMixin, parse_network
from .network import BLIND, STEP, Denoiser, DenoiserConfig, pool
from .restore import read_tensors

__all__ = ["DenoiserTask"]

LEVELS = (15, 25, 50)  # white noise to validate on
ESTIMATED = (10, 25, 50)  # levels that the estimator is asked for
FLOOR = 4e-6  # squared error, 54 dB: what is better need not be better still
CLEAN_ENOUGH = 42.0  # dB of a clean picture's result to itself; nothing is gained above
WAYS = (0.05, 0.15, 0.8)  # how often the level is not told, told, and as estimated
WHITE_UNTIL = 0.6  # of a run that starts from nothing; then, as in any other, all kinds of noise
REAL = {"light": 1.0, "sensor": 2.0, "jpeg": 2.0}  # kinds that stand for photos


class DenoiserTask(WeightsMixin):
    """The mean of the pictures' root mean square errors."""

    family = "denoiser"

    def __init__(self, texts: dict[str, str], device: torch.device) -> None:
        config = DenoiserConfig(**parse_network(DenoiserConfig, texts))
        self.network = asdict(config)
        self.model = Denoiser(config).to(device)
        self.model.to(memory_format=torch.channels_last)
        self.device = device
        self.from_scratch = True
        # Of its own, so that two processes see other noise.
        seed = 1000 + int(os.environ.get("RANK", 0))
        self.random = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)

    def restore(self, path: Path) -> dict[str, Tensor]:
        return read_tensors(path, self.model)

    def lr_scale(self, name: str) -> float:
        """Learning rate of a parameter against that of the run."""
        return 1.0

    def loss(self, batch: Tensor, part: float) -> Tensor:
        kinds = noise.MOSTLY_WHITE if self.from_scratch and part < WHITE_UNTIL else noise.KINDS
        noisy, level, clean = noise.mixture(batch, self.random, self.generator, kinds)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        found = pool(self.model.estimator(noisy))
        # The estimate is what the network is fed with when used, so it learns with it too.
        guess = torch.expm1(found.detach().clamp(0, 5))
        if self.from_scratch and part < 0.05:
            guess = level
        way = torch.from_numpy(self.random.choice(3, len(level), p=WAYS)).to(level.device)
        told = torch.where(way == 0, BLIND, torch.where(way == 1, level, guess))
        error = (self.model(noisy, told) - clean).square().mean((1, 2, 3))
        # The root, not the mean square nor its logarithm: every picture then has a gradient of
        # one size. Under the logarithm the nearly clean ones take most of it (docs/training.md).
        return 50 * torch.sqrt(error + FLOOR).mean() + F.l1_loss(found, torch.log1p(level))

    def validate(self, tiles: list[np.ndarray]) -> Tensor:
        """Sums over tiles; see `figures` for what they are."""
        sums = torch.zeros(2, 8, dtype=torch.float64)
        for tile in tiles:
            h, w = (side // STEP * STEP for side in tile.shape[:2])
            x = torch.from_numpy(tile[:h, :w].copy()).to(self.device).permute(2, 0, 1)[None]
            x = x.float() / 255
            # The same noise on the same tile in every validation, whichever process has it.
            seed = int(tile[:h, :w].sum())
            generator = torch.Generator().manual_seed(seed)
            cases = [(noise.add(x, float(level), generator), x) for level in LEVELS]
            cases.append((x, x))
            real, _, target = noise.mixture(x, np.random.default_rng(seed), generator, REAL)
            cases.append((real, target))
            for case, (noisy, clean) in enumerate(cases):
                guess = torch.expm1(pool(self.model.estimator(noisy)).clamp(min=0))
                for row, told in enumerate((torch.full_like(guess, BLIND), guess)):
                    sums[row, case] += _psnr(self.model(noisy, told), clean)
                if case == len(LEVELS) + 1:
                    sums[:, 5] += _psnr(noisy, clean)
            for level in ESTIMATED:
                noisy = noise.add(x, float(level), generator)
                found = torch.expm1(pool(self.model.estimator(noisy)))
                sums[0, 6] += abs(float(found) / level - 1) / len(ESTIMATED)
            sums[1, 6] += float(torch.expm1(pool(self.model.estimator(x))))
        return sums

    def figures(self, sums: Tensor, tiles: list[np.ndarray]) -> dict[str, float]:
        """PSNR per level, of clean tiles and of noise like a camera's (with the gain there).

        Blind, and (``_e``) with the estimated level. ``sigma_error``: mean relative error of the
        estimate; ``sigma_clean``: the estimate on clean tiles.
        """
        mean = sums / len(tiles)
        row: dict[str, float] = {}
        names = [*(f"psnr{level}" for level in LEVELS), "clean", "real"]
        scores = []
        for values, end in zip(mean.tolist(), ("", "_e"), strict=True):
            for name, value in zip(names, values[:5], strict=True):
                row[f"{name}{end}"] = value
            row[f"gain{end}"] = values[4] - values[5]
            scores.append(score(values[:3], values[3], values[4]))
        row["sigma_error"], row["sigma_clean"] = float(mean[0, 6]), float(mean[1, 6])
        row["score_blind"], row["score_estimate"] = scores
        row["score"] = min(scores)
        return row

    def state(self) -> dict:
        return {}

    def load_state(self, state: dict) -> None:
        self.from_scratch = False


def score(white: list[float], clean: float, real: float) -> float:
    """One number to compare runs by, less is better: mean log2 of the squared error.

    The levels of white noise weigh 1 each and the cameras' noise 1; a clean tile counts as far
    as it falls below `CLEAN_ENOUGH`. A drop of 0.033 is 0.1 dB.
    """
    total = -(sum(white) + real) / (len(white) + 1) + 0.5 * max(0.0, CLEAN_ENOUGH - clean)
    return total / (10 * float(np.log10(2)))


def _psnr(denoised: Tensor, clean: Tensor) -> float:
    denoised = torch.floor(denoised.clamp(0, 1) * 255 + 0.5) / 255
    return float(-10 * torch.log10((denoised - clean).square().mean().clamp(min=1e-7)))
