"""What every family under training has: a task for the loop, and weights that are kept in files."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..codec.errors import InputError
from . import old_names
from .data import Pixels
from .layers import Residual

__all__ = ["Task", "WeightsMixin", "load_weights", "parse_network"]


class Task(Protocol):
    """One family under training."""

    family: str
    network: dict
    model: nn.Module
    from_scratch: bool  # not started from trained weights
    calibration_batches: list[Tensor]  # a few batches of pictures
    smallest: int  # pixels a side that a picture to validate on has at least

    def lr_scale(self, name: str) -> float: ...
    def more_tiles(self, tiles: list[Pixels]) -> list[Pixels]: ...
    def prepare(self) -> None: ...
    def enable_int8(self) -> None: ...
    def enable_float32(self) -> None: ...
    def loss(self, batch: Tensor, part: float) -> Tensor: ...
    def validate(self, tiles: list[np.ndarray]) -> Tensor: ...
    def figures(self, sums: Tensor, tiles: list[np.ndarray]) -> dict[str, float]: ...
    def state(self) -> dict: ...
    def load_state(self, state: dict) -> None: ...
    def load(self, path: Path) -> None: ...
    def save(self, path: Path, average: dict[str, Tensor], about: dict) -> None: ...


def load_weights(path: Path) -> tuple[str, dict, dict[str, Tensor], dict]:
    """Family, network settings, tensors and notes of a ``weights.safetensors``.

    Raises:
        InputError: the file is missing or not one of ours.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = old_names.settings(json.loads(about["network"]))
        tensors = old_names.tensors(tensors)
        return about["family"], network, tensors, json.loads(about["about"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a weights file written by gencodec train.") from error


def parse_network(kind: type, texts: dict[str, str]) -> dict:
    """Texts such as ``{"y": "256", "na": "1,2,2"}`` to the values of a network's dataclass."""
    known = {field.name: field.default for field in fields(kind)}
    values = {}
    for name, text in texts.items():
        if name not in known:
            raise InputError(f"the network has no setting {name!r}; known: {', '.join(known)}.")
        default = known[name]
        if isinstance(default, tuple):
            values[name] = tuple(int(part) for part in text.split(",") if part)
        else:
            values[name] = type(default)(text)
    return values


class WeightsMixin:
    """Saving and loading of averaged weights, alike for all families."""

    family: str
    network: dict
    smallest = 64
    objective_settings: frozenset[str] = (
        frozenset()
    )  # settings of what it is trained for, not of what it is
    model: Any  # the family's own nn.Module
    from_scratch: bool
    calibration_batches: list[Tensor]

    def more_tiles(self, tiles: list[Pixels]) -> list[Pixels]:
        """Tiles to train on beside ``tiles``, those of the data."""
        return []

    def prepare(self) -> None:
        """Called before the first step, with pictures to look at."""

    def enable_int8(self) -> None:
        """Called in a run's last part, before every step: from here on as exported."""

    def enable_float32(self) -> None:
        """Called in a run's very last part, before every step: from here on in float32."""

    def restore(self, path: Path) -> dict[str, Tensor]:
        """The network's parameters out of exported model files."""
        raise NotImplementedError

    def load(self, path: Path) -> None:
        if path.suffix == ".onnx":
            self.model.load_state_dict(self.restore(path), strict=False)
            self.from_scratch = False
            return
        family, network, tensors, _ = load_weights(path)
        if family != self.family:
            raise InputError(f"{path} holds weights of {family}, not of {self.family}.")
        self.check_network(path, network)
        self.model.load_state_dict(tensors, strict=False)  # buffers are not stored
        self.from_scratch = False

    def check_network(self, path: Path, network: dict) -> None:
        """InputError if ``network``, the settings of the weights in ``path``, are not the task's.

        Settings that a file does not have, since there were none by that name, are passed over.
        """
        own = json.loads(json.dumps(self.network))
        found = {
            name: network[name] for name in own.keys() - self.objective_settings if name in network
        }
        other = {name: value for name, value in sorted(found.items()) if value != own[name]}
        if other:
            lists = {n: v if isinstance(v, list) else [v] for n, v in other.items()}
            texts = (f"--set net.{n}={','.join(map(str, v))}" for n, v in lists.items())
            raise InputError(
                f"{path} holds weights of other network settings; pass them too: {' '.join(texts)}"
            )

    def save(self, path: Path, average: dict[str, Tensor], about: dict) -> None:
        notes = {
            "family": self.family,
            "network": json.dumps(self.network),
            "about": json.dumps(about),
        }
        temporary = path.with_suffix(".tmp")
        average = dict(average)
        for prefix, block in self.model.named_modules():
            if isinstance(block, Residual):
                names = [n for n, _ in block.named_parameters() if f"{prefix}.{n}" in average]
                plain = block.plain({n: average[f"{prefix}.{n}"] for n in names})
                average |= {f"{prefix}.{n}": value for n, value in plain.items()}
        # What a run rounded to belongs to its weights: they were trained on that grid.
        average |= {k: v for k, v in self.model.named_buffers() if k.endswith(".activation_range")}
        tensors = {k: v.detach().cpu().contiguous() for k, v in average.items()}
        save_file(tensors, str(temporary), notes)
        temporary.replace(path)
