"""The first stage of vqvae under training: encoder, codebooks, decoder."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..task import WeightsMixin, parse_network
from .network import Vqvae, VqvaeConfig
from .restore import read_tensors

__all__ = ["VqvaeTask"]

COMMITMENT = 0.25  # what the latent's distance to its codevectors weighs against pixels
GATHERED = 24  # vectors a code that k-means starts from


class VqvaeTask(WeightsMixin):
    """Squared error over all numbers of levels sent, every number weighing the same."""

    family = "vqvae"

    def __init__(self, texts: dict[str, str], device: torch.device) -> None:
        config = VqvaeConfig(**parse_network(VqvaeConfig, texts))
        self.network = asdict(config)
        self.model = Vqvae(config).to(device)
        self.model.to(memory_format=torch.channels_last)
        self.device = device
        self.from_scratch = True
        self.waiting: list[Tensor] = []  # latents for k-means, before the codebooks begin
        # Running mean of the loss per number of levels sent: few levels must not take all.
        self.scale = torch.zeros(config.levels, device=device)

    def lr_scale(self, name: str) -> float:
        return 1.0

    def restore(self, path: Path) -> dict[str, Tensor]:
        return read_tensors(path, self.model)

    def loss(self, batch: Tensor, part: float) -> Tensor:
        model, levels, count = self.model, self.model.config.levels, batch.shape[0]
        z = model.latent(batch)
        if not model.codebooks.begun:
            self._gather(z)
            all_levels = torch.full((count,), levels, device=batch.device)
            return (model.pixels(z, all_levels) - batch).square().mean() * 100
        share = min(1.0, part / 0.1) if self.from_scratch else 1.0
        _, sums = model.codebooks(z, share, learn=True)
        # Stratified: each batch covers the numbers of levels evenly.
        shift = int(torch.randint(levels, (1,)))
        sent = (torch.arange(count, device=batch.device) + shift) % levels + 1
        z_hat = sums[sent - 1, torch.arange(count, device=batch.device)]
        apart = (z - z_hat).square().sum(1).mean((1, 2)) / (3 * 16 * 16)
        x_hat = model.pixels(z + (z_hat - z).detach(), sent)
        each = (x_hat - batch).square().mean((1, 2, 3)) + COMMITMENT * apart
        with torch.no_grad():
            for level, value in zip((sent - 1).tolist(), each.tolist(), strict=True):
                old = float(self.scale[level])
                self.scale[level] = value if old == 0 else old + 0.02 * (value - old)
        return (each / self.scale[sent - 1]).mean()

    def _gather(self, z: Tensor) -> None:
        vectors = z.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
        self.waiting.append(vectors)
        together = sum(len(part) for part in self.waiting)
        if together >= GATHERED * self.model.config.codes:
            self.model.codebooks.begin(torch.cat(self.waiting), len(vectors))
            self.waiting.clear()

    def validate(self, tiles: list[np.ndarray]) -> Tensor:
        """Per level: the summed PSNR of files that end there, and how often each code was taken."""
        c = self.model.config
        sums = torch.zeros(c.levels, 1 + c.codes, dtype=torch.float64)
        for tile in tiles:
            h, w = (side // 16 * 16 for side in tile.shape[:2])
            x = torch.from_numpy(tile[:h, :w].copy()).to(self.device).permute(2, 0, 1)[None]
            x = x.float() / 255
            with torch.no_grad():
                codes, latents = self.model.codebooks(self.model.latent(x))
                for level in range(c.levels):
                    sent = torch.tensor([level + 1], device=self.device)
                    got = self.model.pixels(latents[level], sent)
                    got = torch.floor(got * 255 + 0.5).clamp(0, 255) / 255
                    mse = (got - x).double().square().mean()
                    sums[level, 0] += float(-10 * torch.log10(mse + 1e-9))
                    used = torch.bincount(codes[:, level].flatten(), minlength=c.codes)
                    sums[level, 1:] += used.double().cpu()
        return sums

    def figures(self, sums: Tensor, tiles: list[np.ndarray]) -> dict[str, float]:
        row: dict[str, float] = {}
        bpp = 0.0
        for level in range(self.model.config.levels):
            share = sums[level, 1:] / sums[level, 1:].sum().clamp(min=1)
            # Order-0 entropy; the second stage's priors need about a third less.
            bpp += float(-(share * torch.log2(share.clamp(min=1e-12))).sum()) / 256
            row[f"psnr{level + 1}"] = float(sums[level, 0]) / len(tiles)
            row[f"bpp{level + 1}"] = bpp
        row["used"] = float((sums[:, 1:] > 0).double().mean())
        return row

    def save(self, path: Path, average: dict[str, Tensor], about: dict) -> None:
        """The codebooks are buffers, but of what was learned they are the heart."""
        buffers = {f"codebooks.{k}": v for k, v in self.model.codebooks.state_dict().items()}
        super().save(path, {**average, **buffers}, about)

    def state(self) -> dict:
        return {"scale": self.scale}

    def load_state(self, state: dict) -> None:
        self.scale = state["scale"].to(self.device)
        self.from_scratch = False
