"""vqvae's training weights out of a pair of model files, so that a run can start from them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec.errors import InputError
from ...codec.library import default_pair
from ...codec.modelfile import ModelFile
from ...codec.schemes.vqvae.contract import UNIT
from ..onnx_reader import stored, unfold_unshuffle
from .network import Vqvae
from .prior_network import IntLayer, LevelPrior, Priors

__all__ = ["read_prior_tensors", "read_tensors"]


def read_tensors(path: Path, model: Vqvae) -> dict[str, Tensor]:
    """Parameters and codebooks of ``model`` from the pair of files that ``path`` is one of.

    Raises:
        InputError: the files are of a network of other settings.
    """
    encoder, decoder = default_pair("vqvae", path)
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        part, _, rest = name.partition(".")
        analysis = part == "g_a"
        file, role = (encoder.file, "analysis") if analysis else (decoder.file, "synthesis")
        values = np.array(stored(file, f"{role}/{part}.{rest}"), np.float32)
        values = unfold_unshuffle(torch.from_numpy(values), parameter.shape).numpy()
        found[name] = _checked(path, name, values, parameter)
    vectors = decoder.file.table("codevectors").astype(np.float32)
    found["codebooks.codevectors"] = _checked(
        path, "codebooks", vectors, model.codebooks.codevectors
    )
    count = torch.from_numpy(np.array(encoder.file.table("count"), np.float32))
    found["codebooks.count"] = count
    found["codebooks.total"] = found["codebooks.codevectors"] * count[:, :, None]
    return found


def read_prior_tensors(path: Path, model: Priors) -> dict[str, Tensor]:
    """The parameters of the priors ``model``, as `read_tensors`."""
    file = default_pair("vqvae", path)[1].file
    found: dict[str, Tensor] = {}
    for level, prior in enumerate(model.levels):
        assert isinstance(prior, LevelPrior)
        begin = f"levels.{level}"
        for name in ("own", "others") if level else ("own",):
            values = file.table(f"prior{level}.{name}") / UNIT
            found[f"{begin}.{name}"] = _checked(path, name, values, getattr(prior, name))
        for part, layer in prior.named_modules():
            if isinstance(layer, IntLayer):
                title = f"prior{level}.{part.replace('.', '')}"
                for name, tensor in _layer(file, title, path, layer).items():
                    found[f"{begin}.{part}.{name}"] = tensor
    return found


def _layer(file: ModelFile, title: str, path: Path, layer: IntLayer) -> dict[str, Tensor]:
    """The parameters of one layer; the inverse of `export._layer`."""
    rows = file.weight(f"tables/{title}.weight")[:, :, 0, 0] / 2.0**layer.shift
    width = layer.weight.shape[1] * len(layer.kernel)
    weight = np.zeros(layer.weight.shape)
    expected = (layer.weight.shape[0], width + layer.seen.shape[1])
    if rows.shape == expected:
        parts = np.split(rows[:, :width], len(layer.kernel), 1)
        for (dy, dx), part in zip(layer.kernel, parts, strict=True):
            weight[:, :, layer.radius + dy, layer.radius + dx] = part
    else:
        weight = rows  # refused below, by its shape
    bias = file.table(f"{title}.bias")[0] / (2.0**layer.shift * layer.bias_unit)
    return {
        "weight": _checked(path, title, weight, layer.weight),
        "seen": _checked(path, title, rows[:, width:, None, None], layer.seen),
        "bias": _checked(path, title, bias, layer.bias),
    }


def _checked(path: Path, name: str, values: np.ndarray, wanted: Tensor) -> Tensor:
    tensor = torch.from_numpy(np.array(values, np.float32))
    if tensor.shape != wanted.shape:
        raise InputError(
            f"{path} is of a network with other settings: {name} is {tuple(tensor.shape)} "
            f"there and {tuple(wanted.shape)} here."
        )
    return tensor
