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
        if name.startswith("tail."):  # files hold it by pixel
            values = stored(file, f"denoise/{name}")[np.argsort(BY_PIXEL)]
        elif name.startswith("estimator."):
            values = stored(file, f"estimate/{name}")
        else:
            values = stored(file, f"denoise/model.{name}")
        found[name] = torch.from_numpy(np.array(values, np.float32)).reshape(parameter.shape)
    return found
