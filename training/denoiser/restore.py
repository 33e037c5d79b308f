"""The denoiser's weights out of its model file; the inverse of `export`."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec.errors import InputError
from ...codec.modelfile import ModelFile
from ..onnx_reader import stored
from .network import BY_PIXEL, Denoiser

__all__ = ["read_tensors"]


def read_tensors(path: Path, model: Denoiser) -> dict[str, Tensor]:
    """The parameters of ``model`` from a denoiser's model file.

    Raises:
        InputError: the file is not a denoiser's, or of a network of other settings.
    """
    file = ModelFile.load(path)
    network = {name: tuple(value) for name, value in file.settings.get("network", {}).items()}
    if file.scheme != "denoiser" or network != asdict(model.config):
        raise InputError(f"{path} is not a denoiser of these settings: {asdict(model.config)}.")
    found = {}
    for name, parameter in model.named_parameters():
        estimates = name.startswith("estimator.")
        stored_name = f"estimate/{name}" if estimates else f"denoise/model.{name}"
        # Files of today hold the last layer by pixel; those before, as the network has it.
        moved = f"denoise/{name}"
        if name.startswith("tail.") and {moved, f"{moved}.stored"} & file.weights.keys():
            values = stored(file, moved)[np.argsort(BY_PIXEL)]
        else:
            values = stored(file, stored_name)
        found[name] = torch.from_numpy(np.array(values, np.float32)).reshape(parameter.shape)
    return found
