"""flow's weights out of its model file, so that training can start from it; inverse of `export`."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec.errors import InputError
from ...codec.modelfile import ModelFile
from ..layers import IntConv2d
from .network import Flow

__all__ = ["read_settings", "read_tensors"]


def read_settings(path: Path) -> dict:
    """The network's settings in a model file of flow.

    Raises:
        InputError: the file is of another scheme.
    """
    file = ModelFile.load(path)
    if file.scheme != "flow":
        raise InputError(f"{path} is a model of {file.scheme}, not of flow.")
    return dict(file.settings["network"])


def read_tensors(path: Path, model: Flow) -> dict[str, Tensor]:
    """The parameters of ``model`` from a model file of the same settings."""
    file = ModelFile.load(path)
    found: dict[str, Tensor] = {}
    for kind, nets in enumerate(model.lifting):
        for colour, network in nets.named_children():
            described = file.about["exact"][f"half{kind}_{colour}"]
            layers = network.named_children()
            for names, (name, layer) in zip(described, layers, strict=True):
                assert isinstance(layer, IntConv2d)
                scale = 2.0**layer.shift
                prefix = f"lifting.{kind}.{colour}.{name}"
                for part, unit in (("weight", scale), ("bias", scale * layer.bias_unit)):
                    values = torch.from_numpy(file.weight(names[part]).astype(np.float32))
                    shape = getattr(layer, part).shape
                    found[f"{prefix}.{part}"] = values.reshape(shape) / unit
    return found
