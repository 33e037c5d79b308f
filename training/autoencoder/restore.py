"""Training weights out of shipped model files, so that a run can start where a release ended.

A model file stores what inference needs, in float16 and integers; the encoder's file carries the
few parameters beside that which only training uses (the prior of ``z``), as tables.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...codec.errors import InputError
from ...codec.library import default_pair
from ...codec.modelfile import ModelFile
from ..denoiser.network import BY_PIXEL, Denoiser
from ..layers import IntConv2d
from . import inference_layout as layout
from .int8_blocks import Int8Conv2d, InvertedResidual
from .network import Autoencoder, AutoencoderConfig

__all__ = [
    "read_model",
    "read_settings",
    "read_tensors",
    "stored",
    "training_tables",
    "unfold_unshuffle",
]

# Parameters that no exported network holds; they travel as tables of the encoder's file.
TRAINING_ONLY = ("prior_z.", "z_prior_logits.")

# Where each part of the network stands: part -> (side, role, prefix of its names there).
PLACES = {
    "g_a": ("encoder", "analysis", "g_a."),
    "h_a": ("encoder", "hyper_analysis", ""),
    "h_i": ("decoder", "hyper_index", ""),
    "c_i": ("decoder", "context_index", ""),
}

# Networks that are exported in another form, and their roles.
INFERENCE_ROLES = {"g_s": "synthesis", "h_s": "hyper_mean", "c_m": "context_mean"}


def _inference_parameter(file: ModelFile, role: str, name: str) -> np.ndarray:
    def has(part: str) -> bool:
        return not {f"{role}/{part}", f"{role}/{part}.stored"}.isdisjoint(file.weights)

    return layout.parameter(name, lambda part: stored(file, f"{role}/{part}"), has)


def read_tensors(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The parameters of ``model`` from the pair of model files that ``path`` is one of.

    Arguments:
        model: an `Autoencoder`, or some of its parts by the names that they have there.

    Raises:
        InputError: the files are of a network of other settings.
    """
    encoder, decoder = default_pair("autoencoder", path)
    files = {"encoder": encoder.file, "decoder": decoder.file}
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        part, _, rest = name.partition(".")
        if part in INFERENCE_ROLES:
            values = _inference_parameter(decoder.file, INFERENCE_ROLES[part], rest)
        elif name.startswith(TRAINING_ONLY):
            values = encoder.file.weight(f"tables/{name}").astype(np.float32)
        else:
            side, role, prefix = PLACES[part]
            values = stored(files[side], f"{role}/{prefix}{rest}")
            layer = model.get_submodule(name.rpartition(".")[0])
            if isinstance(layer, IntConv2d):
                values = values / 2.0**layer.shift
                if rest.endswith("bias"):
                    values = values / layer.bias_unit
        tensor = unfold_unshuffle(torch.from_numpy(np.array(values, np.float32)), parameter.shape)
        if tensor.shape != parameter.shape:
            raise InputError(
                f"{path} is of a network with other settings: {name} is {tuple(tensor.shape)} "
                f"there and {tuple(parameter.shape)} here."
            )
        found[name] = tensor
    return found


def read_settings(encoder: ModelFile) -> dict[str, Any]:
    """The settings of a shipped network."""
    network = dict(encoder.settings["network"])
    network.setdefault("context_hidden", network["context"] * 3 // 2)  # files before it was named
    return network


def read_model(path: Path) -> Autoencoder:
    """The network of a pair of model files; it computes what the files do, in 8 bits too."""
    encoder, decoder = default_pair("autoencoder", path)
    network, stored_names = read_settings(encoder.file), decoder.file.weights
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in network.items()}
    model = Autoencoder(AutoencoderConfig(**values))
    model.load_state_dict(read_tensors(path, model), strict=False)
    for name, block in model.named_modules():
        part, _, rest = name.partition(".")
        if isinstance(
            block, InvertedResidual
        ):  # stored in units of what its layers activation_range
            block.activation_range = torch.ones(
                block.widen.in_channels + 2 * block.depthwise.in_channels
            )
        elif (
            isinstance(block, Int8Conv2d)
            and f"{INFERENCE_ROLES[part]}/{rest}.integers" in stored_names
        ):
            block.activation_range = torch.ones(block.in_channels)
    return model.eval()


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
        place = f"estimate/{name}" if estimates else f"denoise/model.{name}"
        # Files of today hold the last layer by pixel; those before, as the network has it.
        moved = f"denoise/{name}"
        if name.startswith("tail.") and {moved, f"{moved}.stored"} & file.weights.keys():
            values = stored(file, moved)[np.argsort(BY_PIXEL)]
        else:
            values = stored(file, place)
        found[name] = torch.from_numpy(np.array(values, np.float32)).reshape(parameter.shape)
    return found


def training_tables(model: nn.Module) -> dict[str, np.ndarray]:
    """What `read_tensors` needs beside the exported networks."""
    return {
        name: parameter.detach().numpy().astype(np.float16)
        for name, parameter in model.named_parameters()
        if name.startswith(TRAINING_ONLY)
    }


def unfold_unshuffle(weight: Tensor, shape: torch.Size) -> Tensor:
    """A weight as the network has it, where `onnxfile.fold_unshuffle` put a stride into it."""
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
