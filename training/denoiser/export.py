"""The denoiser's model file: two float roles, and what was found on the validation pictures."""

import copy
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from ..export_data import ExportData
from ..onnx_writer import Role, export_roles, write_decoder
from .network import BY_PIXEL, SIGMA_MAX, STEP, Denoiser
from .task import DenoiserTask

__all__ = ["export"]


VALIDATED = 24  # pictures at most


@torch.no_grad()
def export(task: DenoiserTask, data: ExportData, out: Path, about: dict) -> list[Path]:
    """Writes ``denoiser-DIGEST.onnx`` into ``out``.

    Whether a level that is not given means "blind" or that the network is told the estimate is
    chosen on the validation pictures, and stands in the file as ``auto``.

    Arguments:
        about: where the weights come from.
    """
    model = task.model
    held_out = data.held_out
    tiles = held_out[:: -(-len(held_out) // VALIDATED)]
    figures = task.figures(task.validate(tiles), tiles)
    auto = "blind" if figures["score_blind"] <= figures["score_estimate"] else "estimate"
    about = {**about, "validation": {name: round(value, 4) for name, value in figures.items()}}
    pixels, level = torch.zeros(1, 64, 96, 3), torch.tensor([10.0])
    plane = {1: "height", 2: "width"}
    roles = [
        Role("denoise", _Denoise(model), {"x": pixels, "level": level}, ("y",), {"x": plane}),
        Role("estimate", _Estimate(model), {"x": pixels}, ("found",), {"x": plane}),
    ]
    described = {
        "scheme": "denoiser",
        "part": "denoiser",
        "settings": {
            "auto": auto,
            "halo": model.halo,
            "step": STEP,
            "sigma_max": SIGMA_MAX,
            "network": asdict(model.config),
        },
        "card": about,
    }
    path, _ = write_decoder(out, described, export_roles(roles), {})
    return [path]


class _Denoise(nn.Module):
    """Pixels ``1 H W 3`` and a level (``1``, or `BLIND`) to pixels; nothing is clipped.

    A pixel shuffle and the way back to ``H W 3`` cost onnxruntime as much as a layer; with the
    last layer's channels in the order of rows, columns, colours, two quick transpositions do.
    """

    def __init__(self, model: Denoiser) -> None:
        super().__init__()
        self.model = model
        self.tail = copy.deepcopy(model.tail)
        for own, of_model in zip(self.tail.parameters(), model.tail.parameters(), strict=True):
            own.copy_(of_model[list(BY_PIXEL)])

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        noise = self.tail(self.model.features(x.permute(0, 3, 1, 2), level)).permute(0, 2, 3, 1)
        height, width = noise.shape[1:3]
        noise = noise.reshape(1, height, width, 2, 6).permute(0, 1, 3, 2, 4)
        return x - noise.reshape(1, 2 * height, 2 * width, 3)


class _Estimate(nn.Module):
    """Pixels ``1 H W 3`` to ``1 2 H/8 W/8``: log(1 + level) there, and how far to trust it."""

    def __init__(self, model: Denoiser) -> None:
        super().__init__()
        self.estimator = model.estimator

    def forward(self, x: Tensor) -> Tensor:
        return self.estimator(x.permute(0, 3, 1, 2))
