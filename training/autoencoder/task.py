"""The autoencoder under training: its loss over all qualities, its validation."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec.errors import InputError
from ...codec.library import default_pair
from ..data import Pixels
from ..dead_units import record_activity, reinitialize
from ..graphics import graphics_tiles
from ..task import WeightsMixin, parse_network
from .int8_blocks import Int8Layer, Int16Conv2d, calibrate
from .network import Autoencoder, AutoencoderConfig
from .restore import read_settings, read_tensors
from .scale_folding import set_int16_ranges
from .visual_loss import VISUAL_MIN_SIDE, VisualLoss

__all__ = ["AutoencoderTask"]

OBJECTIVES = "psnr", "visual"
# About the slope of the psnr pair's rate over its visual error, and its rates.
VISUAL_LAMBDAS = {"lambda_min": "0.003", "lambda_max": "4"}
GRAPHICS_SHARE = 0.25  # of the tiles are screenshots and drawings where it is trained for eyes
ENDS = 0.04  # of the pictures, at either end of the quality scale


class AutoencoderTask(WeightsMixin):
    """Rate-distortion over the whole quality range, every quality weighing the same.

    The distortion is the squared error or, with ``tune=visual``, `VisualLoss`.
    """

    family = "autoencoder"
    objective_settings = frozenset({"tune", "lambda_min", "lambda_max"})
    points = (0.0, 0.25, 0.5, 0.75, 1.0)
    bins = 16

    def __init__(self, texts: dict[str, str], device: torch.device) -> None:
        if texts.get("tune") == "visual":
            texts = {**VISUAL_LAMBDAS, **texts}
        config = AutoencoderConfig(**parse_network(AutoencoderConfig, texts))
        self.network = asdict(config)
        self.model = Autoencoder(config).to(device)
        self.model.to(memory_format=torch.channels_last)
        if config.tune not in OBJECTIVES:
            known = ", ".join(OBJECTIVES)
            raise InputError(f"There is no tune {config.tune!r}; choose from: {known}.")
        self.visual_loss = VisualLoss(device) if config.tune == "visual" else None
        if self.visual_loss is not None:
            self.smallest = VISUAL_MIN_SIDE
        self.model.prior_z.quantiles.requires_grad_(False)
        self.network_of_step, self.visual_loss_of_step = self.model, self.visual_loss
        self.device = device
        self.from_scratch = True  # not started from trained weights
        self.int8_enabled = False
        # Running mean of the loss per stretch of the quality scale: the ends differ a
        # hundredfold, and without this the high qualities would take the whole gradient.
        self.scale = torch.zeros(self.bins, device=device)

    def lr_scale(self, name: str) -> float:
        """Learning rate of a parameter against that of the run."""
        if name.startswith(("prior_z", "z_prior_logits")) or name.endswith(".table"):
            # They have far to go at first; later a step of theirs is an error of a whole channel.
            return 1.0 if self.from_scratch else 0.1
        if name.startswith(("h_i.", "c_i.")):
            return 0.5
        parameter = self.model.get_parameter(name)
        if parameter.ndim < 4:
            return 0.3
        # Steps are of one size for all weights, and those of a unit may all go one way: the more
        # of them there are, the farther it is thrown. At 0.8 for all, nine tenths of the hidden
        # units were below zero for good after some minutes.
        return 0.8 * min(1.0, (16 / parameter[0].numel()) ** 0.5)

    def prepare(self) -> None:
        """Sets the blocks' scales and starts hidden units again that never act."""
        for block in self.model.modules():
            if isinstance(block, Int8Layer | Int16Conv2d):
                block.activation_range = None  # of the run before
        with record_activity(self.model) as seen, torch.no_grad():
            for inputs in self._calibration_inputs():
                self.model(*inputs)
        reinitialize(self.model, seen)

    def compile(self) -> None:
        # A step is bound by memory: fused, its element-wise operations take a third of the time.
        torch._dynamo.config.recompile_limit = 256  # a shape each for the blur of every scale
        self.network_of_step = torch.compile(self.model, dynamic=False)
        if self.visual_loss is not None:
            self.visual_loss_of_step = torch.compile(self.visual_loss.__call__, dynamic=False)

    def enable_int8(self) -> None:
        """Blocks that are exported in integers of 8 bits compute in them from here on."""
        if not self.int8_enabled:
            calibrate(self.model, self._calibration_inputs())
            set_int16_ranges(self.model)
            self.int8_enabled = True

    def enable_float32(self) -> None:
        # Weights seen in bfloat16 are wrong in the same way at every step, which the others make
        # up for: in float32 the mean colour was then off by half a percent and more.
        self.model.float32 = True

    def _calibration_inputs(self) -> list[tuple[Tensor, Tensor]]:
        """Pictures to look at, each in three qualities."""
        t = torch.tensor([0.0, 0.5, 1.0], device=self.device)
        return [
            (batch.repeat_interleave(3, 0), t.repeat(len(batch)))
            for batch in self.calibration_batches
        ]

    def restore(self, path: Path) -> dict[str, Tensor]:
        encoder, _ = default_pair(self.family, path)
        self.check_network(path, read_settings(encoder.file))
        return read_tensors(path, self.model)

    def loss(self, batch: Tensor, part: float) -> Tensor:
        model, count = self.model, batch.shape[0]
        # Stratified: each batch covers the range evenly, and now and then its very ends.
        t = torch.arange(count, device=batch.device) + torch.rand(count, device=batch.device)
        t = (t / count)[torch.randperm(count, device=batch.device)]
        t = torch.clamp(t * (1 + 2 * ENDS) - ENDS, 0, 1)
        out = self.network_of_step(batch, t)
        distortion = self._distortion(out["x_hat"], batch, t)
        # The hyper-latent is cheap at first: it has to be useful before it can pay for itself,
        # or it dies (rounds to zero everywhere) in the first minutes.
        price = min(1.0, 0.05 + part / 0.06) if self.from_scratch else 1.0
        bpp = (out["bits_y"] + price * out["bits_z"]) / (batch.shape[2] * batch.shape[3])
        each = model.lambda_of(t) * distortion + bpp
        stretch = (t * self.bins).long().clamp(max=self.bins - 1)
        with torch.no_grad():
            for i, value in zip(stretch.tolist(), each.tolist(), strict=True):
                old = float(self.scale[i])
                self.scale[i] = value if old == 0 else old + 0.02 * (value - old)
        return (each / self.scale[stretch]).mean()

    def more_tiles(self, tiles: list[Pixels]) -> list[Pixels]:
        if self.visual_loss is None:
            return []
        return graphics_tiles(tiles, round(len(tiles) * GRAPHICS_SHARE / (1 - GRAPHICS_SHARE)))

    def _distortion(self, x_hat: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Of each picture: the squared error in levels of 0..255, or the visual error."""
        if self.visual_loss_of_step is None:
            return (x_hat - x).square().mean((1, 2, 3)) * 255**2
        if min(x.shape[2:]) < VISUAL_MIN_SIDE:
            raise InputError(
                f"To train for eyes takes crops of {VISUAL_MIN_SIDE} pixels or more, --set "
                f"crop={VISUAL_MIN_SIDE}, and photos that are as large."
            )
        return self.visual_loss_of_step(x_hat, x, t)["error"]

    def validate(self, tiles: list[np.ndarray]) -> Tensor:
        """Sums over tiles at each of `points`: ``(points, 6)``, bits per pixel, PSNR, those bits
        that are z's, and, where it is trained for eyes, SSIMULACRA2's weighted sum, the colour
        term and the whole visual error."""
        sums = torch.zeros(len(self.points), 6, dtype=torch.float64)
        for tile in tiles:
            h, w = (side // 64 * 64 for side in tile.shape[:2])
            x = torch.from_numpy(tile[:h, :w].copy()).to(self.device).permute(2, 0, 1)[None]
            x = x.float() / 255
            for i, t in enumerate(self.points):
                quality = torch.tensor([t], device=self.device)
                out = self.model(x, quality)
                bits = out["bits_y"] + out["bits_z"]
                sums[i, 0] += float(bits) / (h * w)
                decoded = torch.floor(out["x_hat"].clamp(0, 1) * 255 + 0.5) / 255
                sums[i, 1] += float(-10 * torch.log10((decoded - x).square().mean()))
                sums[i, 2] += float(out["bits_z"]) / (h * w)
                if self.visual_loss is not None:
                    parts = self.visual_loss(decoded, x, quality)
                    for column, name in enumerate(("ssimulacra2", "colour", "error"), 3):
                        sums[i, column] += float(parts[name])
        return sums

    def figures(self, sums: Tensor, tiles: list[np.ndarray]) -> dict[str, float]:
        mean = sums / len(tiles)
        row: dict[str, float] = {}
        for i, t in enumerate(self.points):
            row[f"bpp{int(100 * t)}"] = float(mean[i, 0])
            row[f"psnr{int(100 * t)}"] = float(mean[i, 1])
        row["bpp_z0"], row["bpp_z100"] = float(mean[0, 2]), float(mean[-1, 2])
        # One number to compare runs by: mean over the points of the loss in log2, the same
        # lambda as trained. A drop of 0.0144 is 1 % less.
        lam = self.model.lambda_of(torch.tensor(self.points, dtype=torch.float64))
        distortion = 255**2 * 10 ** (-mean[:, 1] / 10)
        if self.visual_loss is not None:
            distortion = mean[:, 5]
            for i, t in enumerate(self.points):
                row[f"ssimulacra2_error{int(100 * t)}"] = float(mean[i, 3])
                row[f"colour_error{int(100 * t)}"] = float(mean[i, 4])
        row["score"] = float(torch.log2(lam * distortion + mean[:, 0]).mean())
        return row

    def state(self) -> dict:
        return {"scale": self.scale}

    def load_state(self, state: dict) -> None:
        self.scale = state["scale"].to(self.device)
        self.from_scratch = False
