"""The flow codec under training: both ends of its range in every batch."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..task import WeightsMixin, parse_network
from .network import OCTAVE, Flow, FlowConfig
from .restore import read_settings, read_tensors

__all__ = ["LOSSLESS", "PLACE_MAX", "PLACE_MIN", "FlowTask"]

LOSSLESS = -1000.0  # a place far below every step: all are 1
PLACE_MIN, PLACE_MAX = 1.0 * OCTAVE, 6.75 * OCTAVE  # of the picture's step, quality 100 and 0


class FlowTask(WeightsMixin):
    """Bits where it is lossless, bits and weighed error where not; all qualities weigh the same."""

    family = "flow"
    bins = 16
    # Places that are validated: lossless, then from fine to coarse steps.
    points = (LOSSLESS, 64.0, 112.0, 144.0, 176.0)

    def __init__(self, texts: dict[str, str], device: torch.device) -> None:
        config = FlowConfig(**parse_network(FlowConfig, texts))
        self.network = asdict(config)
        self.model = Flow(config).to(device)
        self.model.float32 = device.type != "cpu"  # until `enable_float32`
        self.device = device
        self.from_scratch = True
        # Running mean of the loss per stretch of the scale, the lossless end in the last place.
        self.scale = torch.zeros(self.bins + 1)

    def lr_scale(self, name: str) -> float:
        """The linear filters' weights are stored 16 times as large."""
        return 4.0 if ".linear.weight" in name else 1.0

    def enable_float32(self) -> None:
        self.model.float32 = True

    def loss(self, batch: Tensor, part: float) -> Tensor:
        count = batch.shape[0]
        exact = -(-count // 4)
        t = (torch.arange(count - exact) + torch.rand(count - exact)) / max(1, count - exact)
        place = torch.cat([torch.full((exact,), LOSSLESS), PLACE_MIN + t * (PLACE_MAX - PLACE_MIN)])
        out = self.model(torch.round(batch * 255), torch.round(place).to(batch.device))
        each = (out["bits"] + out["error"]) / (batch.shape[2] * batch.shape[3])
        bins = torch.cat(
            [torch.full((exact,), self.bins), (t * self.bins).long().clamp(max=self.bins - 1)]
        )
        for i, value in zip(bins.tolist(), each.tolist(), strict=True):
            old = float(self.scale[i])
            self.scale[i] = value if old == 0 else old + 0.02 * (value - old)
        weight = torch.where(bins == self.bins, (count - exact) / exact, 1.0) / self.scale[bins]
        return (each * weight.to(each.device)).mean()

    def validate(self, tiles: list[np.ndarray]) -> Tensor:
        """Sums over tiles of bits per pixel and PSNR at each of `points`: ``(points, 3)``."""
        sums = torch.zeros(len(self.points), 3, dtype=torch.float64)
        for tile in tiles:
            h, w = (side // 64 * 64 for side in tile.shape[:2])
            x = torch.from_numpy(tile[:h, :w].copy()).to(self.device).permute(2, 0, 1)[None].float()
            for i, place in enumerate(self.points):
                out = self.model(x, torch.tensor([place], device=self.device))
                sums[i, 0] += float(out["bits"]) / (h * w)
                mse = float((out["x_hat"] - x).square().mean())
                sums[i, 1] += 10 * np.log10(255**2 / max(mse, 1e-9))
                sums[i, 2] += float(out["bits"] + out["error"] * (i > 0)) / (h * w)
        return sums

    def figures(self, sums: Tensor, tiles: list[np.ndarray]) -> dict[str, float]:
        mean = sums / len(tiles)
        row = {"lossless": float(mean[0, 0])}
        for i, place in enumerate(self.points[1:], 1):
            row[f"bpp{place:g}"] = float(mean[i, 0])
            row[f"psnr{place:g}"] = float(mean[i, 1])
        # One number to compare runs by: a drop of 0.0144 is 1 % less.
        row["score"] = float(torch.log2(mean[:, 2]).mean())
        return row

    def state(self) -> dict:
        return {"scale": self.scale}

    def load_state(self, state: dict) -> None:
        self.scale = state["scale"]
        self.from_scratch = False

    def restore(self, path: Path) -> dict[str, Tensor]:
        self.check_network(path, read_settings(path))
        return read_tensors(path, self.model)
