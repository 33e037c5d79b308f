"""Reads weights of a network back out of model files; the inverse of `onnx_writer`."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..codec.modelfile import ModelFile

__all__ = ["stored", "unfold_unshuffle"]


def unfold_unshuffle(weight: Tensor, shape: torch.Size) -> Tensor:
    """A weight as the network has it, where `onnx_writer.fold_unshuffle` put a stride into it."""
    if weight.ndim == len(shape) == 4 and weight.shape[2] > shape[2]:
        side = weight.shape[2] // shape[2]
        if weight.shape[2] % side == 0 == weight.shape[3] % side:
            return F.pixel_unshuffle(weight, side)
    return weight


def stored(file: ModelFile, name: str) -> np.ndarray:
    """A weight of a network by the name that it has there, however it is stored."""
    names = file.weights
    if f"{name}.stored" not in names:
        return file.weight(name)
    values = file.weight(f"{name}.stored")
    for scale in (f"{name}.scale", f"{name}.columns"):
        if scale in names:
            values = values.astype(np.float32) * file.weight(scale)
    return values
