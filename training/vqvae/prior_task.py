"""The second stage of vqvae under training: the priors of its codes, with all else standing still.

Codes are those of fresh random crops at each step: the priors would soon know a fixed set by heart.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.errors import InputError
from ..task import WeightsMixin, load_weights, parse_network
from .network import Vqvae, VqvaeConfig
from .prior_network import Priors
from .restore import read_prior_tensors, read_tensors

__all__ = ["VqvaePriorTask"]

# Settings that stage 1 decided.
OF_CODES = ("levels", "codes", "dims", "ea", "na", "es", "ns", "rdo_lambda", "rdo_lambda_decay")


class WithPriors(nn.Module):
    """Both stages' networks; only the priors are trained here."""

    def __init__(self, config: VqvaeConfig) -> None:
        super().__init__()
        self.vqvae, self.priors = Vqvae(config), Priors(config)
        self.vqvae.requires_grad_(False)


class VqvaePriorTask(WeightsMixin):
    """Bits of all levels' codes, every level weighing the same."""

    family = "vqvae-prior"
    needs_start = "the weights of a run of the family vqvae, whose codes the priors are for"

    def __init__(self, texts: dict[str, str], device: torch.device) -> None:
        self.config = VqvaeConfig(**parse_network(VqvaeConfig, texts))
        self.network = dict(vars(self.config))
        self.model = WithPriors(self.config).to(device)
        self.device = device
        self.from_scratch = True

    def lr_scale(self, name: str) -> float:
        return 1.0

    def restore(self, path: Path) -> dict[str, Tensor]:
        codes = read_tensors(path, self.model.vqvae)
        priors = read_prior_tensors(path, self.model.priors)
        return {
            **{f"vqvae.{name}": value for name, value in codes.items()},
            **{f"priors.{name}": value for name, value in priors.items()},
        }

    def load(self, path: Path) -> None:
        """Weights of either stage; those of stage 1 let the priors begin."""
        if path.suffix != ".onnx":
            family, network, tensors, _ = load_weights(path)
            if family == "vqvae":
                here = json.loads(json.dumps(self.network))
                differing = [name for name in OF_CODES if here[name] != network[name]]
                if differing:
                    raise InputError(
                        f"{path} was trained with other settings of {', '.join(differing)}; "
                        "give the same ones with --set."
                    )
                self.model.vqvae.load_state_dict(tensors, strict=False)
                self.model.priors.begin(self.model.vqvae.codebooks.codevectors)
                self.from_scratch = False
                return
        super().load(path)

    def codes(self, x: Tensor) -> Tensor:
        vqvae = self.model.vqvae
        with torch.no_grad():
            return vqvae.codebooks(vqvae.latent(x))[0]

    def loss(self, batch: Tensor, part: float) -> Tensor:
        if not self.model.vqvae.codebooks.begun:
            raise InputError(f"The family {self.family} needs --init FILE: {self.needs_start}.")
        codes = self.codes(batch)
        bits = self.model.priors(codes).mean(0) / codes[0, 0].numel()
        return bits.mean() / math.log2(self.config.codes)

    def validate(self, tiles: list[np.ndarray]) -> Tensor:
        """Per level: bits under the prior, how many positions, and how often each code came."""
        c = self.config
        sums = torch.zeros(c.levels, 3 + c.codes, dtype=torch.float64)
        for tile in tiles:
            h, w = (side // 16 * 16 for side in tile.shape[:2])
            x = torch.from_numpy(tile[:h, :w].copy()).to(self.device).permute(2, 0, 1)[None]
            codes = self.codes(x.float() / 255)
            with torch.no_grad():
                sums[:, 0] += self.model.priors(codes)[0].double().cpu()
            sums[:, 1] += codes[0, 0].numel()
            sums[:, 2] += h * w
            for level in range(c.levels):
                used = torch.bincount(codes[0, level].flatten(), minlength=c.codes)
                sums[level, 3:] += used.double().cpu()
        return sums

    def figures(self, sums: Tensor, tiles: list[np.ndarray]) -> dict[str, float]:
        row: dict[str, float] = {}
        bits = sums[:, 0] / sums[:, 1]
        share = sums[:, 3:] / sums[:, 1:2]
        order0 = -(share * torch.log2(share.clamp(min=1e-12))).sum(1)
        so_far = torch.cumsum(sums[:, 0] / sums[:, 2], 0)
        for level in range(self.config.levels):
            row[f"bpp{level + 1}"] = float(so_far[level])
            row[f"bits{level + 1}"] = float(bits[level])
            row[f"order0_{level + 1}"] = float(order0[level])
        # Less than the codes as plain numbers, and than the best fixed table of each level.
        row["saved"] = 100 * (1 - float(bits.mean()) / math.log2(self.config.codes))
        row["saved_order0"] = 100 * (1 - float(bits.sum() / order0.sum()))
        return row

    def save(self, path: Path, average: dict[str, Tensor], about: dict) -> None:
        """Both stages' weights: a run of the priors is all that an export needs."""
        codes = {f"vqvae.{k}": v for k, v in self.model.vqvae.state_dict().items()}
        super().save(path, {**codes, **average}, about)

    def state(self) -> dict:
        return {}

    def load_state(self, state: dict) -> None:
        self.from_scratch = False
