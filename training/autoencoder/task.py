"""The autoencoder under training: its loss over all qualities, its validation."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from pytorch_msssim import ms_ssim
from torch import Tensor

from ...codec.errors import InputError
from ...codec.library import TUNES, default_pair
from ...codec.metrics import ms_ssim_db
from ..dead_units import record_activity, reinitialize
from ..task import WeightsMixin, parse_network
from .int8_blocks import Int8Conv2d, InvertedResidual, calibrate
from .network import Autoencoder, AutoencoderConfig
from .restore import read_settings, read_tensors

__all__ = ["AutoencoderTask"]

# Of 1 - MS-SSIM: about the rates that the defaults give with squared errors.
MS_SSIM_LAMBDAS = {"lambda_min": "2", "lambda_max": "600"}
MS_SSIM_MIN_SIDE = 192  # pixels a side: MS-SSIM halves a picture four times
ENDS = 0.04  # of the pictures, at either end of the quality scale
MSE_WEIGHT = 4e-5  # of a squared error, added to 1 - MS-SSIM


class AutoencoderTask(WeightsMixin):
    """Rate-distortion over the whole quality range, every quality weighing the same.

    The distortion is the squared error or, where the network is tuned for ms-ssim, 1 - MS-SSIM.
    """

    family = "autoencoder"
    objective_settings = frozenset({"tune", "lambda_min", "lambda_max"})
    points = (0.0, 0.25, 0.5, 0.75, 1.0)
    bins = 16

    def __init__(self, texts: dict[str, str], device: torch.device) -> None:
        if texts.get("tune") == "ms-ssim":
            texts = {**MS_SSIM_LAMBDAS, **texts}
        config = AutoencoderConfig(**parse_network(AutoencoderConfig, texts))
        self.network = asdict(config)
        self.model = Autoencoder(config).to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ms_ssim = config.tune == "ms-ssim"
        if config.tune not in TUNES:
            raise InputError(f"There is no tune {config.tune!r}; choose from: {', '.join(TUNES)}.")
        if self.ms_ssim:
            self.smallest = MS_SSIM_MIN_SIDE
        self.model.prior_z.quantiles.requires_grad_(False)
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
            if isinstance(block, InvertedResidual | Int8Conv2d):
                block.activation_range = None  # of the run before
        with record_activity(self.model) as seen, torch.no_grad():
            for inputs in self._calibration_inputs():
                self.model(*inputs)
        reinitialize(self.model, seen)

    def enable_int8(self) -> None:
        """Blocks that are exported in integers of 8 bits compute in them from here on."""
        if not self.int8_enabled:
            calibrate(self.model, self._calibration_inputs())
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
        out = model(batch, t)
        distortion = self._distortion(out["x_hat"], batch)
        # The hyper-latent is cheap at first: it has to be useful before it can pay for itself,
        # or it dies (rounds to zero everywhere) in the first minutes.
        price = min(1.0, 0.05 + part / 0.06) if self.from_scratch else 1.0
        bpp = (out["bits_y"] + price * out["bits_z"]) / (batch.shape[2] * batch.shape[3])
        each = model.lambda_of(t) * distortion + bpp
        place = (t * self.bins).long().clamp(max=self.bins - 1)
        with torch.no_grad():
            for i, value in zip(place.tolist(), each.tolist(), strict=True):
                old = float(self.scale[i])
                self.scale[i] = value if old == 0 else old + 0.02 * (value - old)
        return (each / self.scale[place]).mean()

    def _distortion(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """Of each picture: the squared error in levels of 0..255, or 1 - MS-SSIM."""
        mse = (x_hat - x).square().mean((1, 2, 3)) * 255**2
        if not self.ms_ssim:
            return mse
        if min(x.shape[2:]) < MS_SSIM_MIN_SIDE:
            raise InputError(
                f"To train for MS-SSIM takes crops of {MS_SSIM_MIN_SIDE} pixels or more, --set "
                f"crop={MS_SSIM_MIN_SIDE}, and photos that are as large."
            )
        # A little of the squared error keeps the colours of large areas, which MS-SSIM hardly sees.
        return 1 - ms_ssim(x_hat, x, data_range=1.0, size_average=False) + MSE_WEIGHT * mse

    def validate(self, tiles: list[np.ndarray]) -> Tensor:
        """Sums over tiles at each of `points`: ``(points, 4)``, bits per pixel, PSNR, those bits
        that are z's, and, where it is trained for, MS-SSIM."""
        sums = torch.zeros(len(self.points), 4, dtype=torch.float64)
        for tile in tiles:
            h, w = (side // 64 * 64 for side in tile.shape[:2])
            x = torch.from_numpy(tile[:h, :w].copy()).to(self.device).permute(2, 0, 1)[None]
            x = x.float() / 255
            for i, t in enumerate(self.points):
                out = self.model(x, torch.tensor([t], device=self.device))
                bits = out["bits_y"] + out["bits_z"]
                sums[i, 0] += float(bits) / (h * w)
                shown = torch.floor(out["x_hat"].clamp(0, 1) * 255 + 0.5) / 255
                sums[i, 1] += float(-10 * torch.log10((shown - x).square().mean()))
                sums[i, 2] += float(out["bits_z"]) / (h * w)
                if self.ms_ssim:
                    sums[i, 3] += float(ms_ssim(shown, x, data_range=1.0))
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
        if self.ms_ssim:
            distortion = 1 - mean[:, 3]
            for i, t in enumerate(self.points):
                row[f"ms_ssim{int(100 * t)}"] = ms_ssim_db(float(mean[i, 3]))
        row["score"] = float(torch.log2(lam * distortion + mean[:, 0]).mean())
        return row

    def state(self) -> dict:
        return {"scale": self.scale}

    def load_state(self, state: dict) -> None:
        self.scale = state["scale"].to(self.device)
        self.from_scratch = False
