"""Training weights out of shipped model files, so that a run can start where a release ended.

A model file stores what inference needs, in float16 and integers; the encoder's file carries the
few parameters beside that which only training uses (the prior of ``z``), as tables.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.errors import InputError
from ...codec.library import default_pair
from ...codec.modelfile import ModelFile
from .. import old_names
from ..layers import IntConv2d
from ..onnx_reader import stored, unfold_unshuffle
from . import inference_layout as layout

__all__ = ["INFERENCE_ROLES", "read_settings", "read_tensors", "training_tables"]

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
            values = _training_table(encoder.file, name).astype(np.float32)
        else:
            side, role, prefix = PLACES[part]
            file, layer = files[side], rest.rpartition(".")[0]
            if f"{role}/{prefix}{layer}.integers" in file.weights:
                values = _inference_parameter(file, role, f"{prefix}{rest}")
            else:
                values = stored(file, f"{role}/{prefix}{rest}")
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
    return old_names.settings(encoder.settings["network"])


def training_tables(model: nn.Module) -> dict[str, np.ndarray]:
    """What `read_tensors` needs beside the exported networks."""
    return {
        name: parameter.detach().numpy().astype(np.float16)
        for name, parameter in model.named_parameters()
        if name.startswith(TRAINING_ONLY)
    }


def _training_table(file: ModelFile, name: str) -> np.ndarray:
    """A table that `training_tables` made, under its name of today or of before."""
    for stored_name in file.weights:
        if old_names.tensor_name(stored_name.removeprefix("tables/")) == name:
            return file.weight(stored_name)
    return file.table(name)
