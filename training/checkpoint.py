"""What a run leaves behind: a checkpoint to go on from, and the averaged weights."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, distributed

from ..codec.errors import InputError
from . import old_names
from .data import Crops
from .task import Task

__all__ = ["read_checkpoint", "save_checkpoint"]


def read_checkpoint(path: Path, task: Task, optimizer: str, device: torch.device) -> dict:
    """What `save_checkpoint` wrote, if a run of this task and optimizer can go on from it.

    Raises:
        InputError: there is none, it is damaged, or it is of another network or optimizer.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: nothing to resume; leave out --resume.")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(
            f"{path} is damaged or not a checkpoint of this version; start from the "
            "weights.safetensors beside it with --init."
        ) from error
    state = old_names.checkpoint(state)
    if (name := state.get("optimizer_name", "adam")) != optimizer:
        raise InputError(
            f"{path} was written by another optimizer; resume it with --set "
            f"optimizer={name}, or start from its weights with --init."
        )
    if (state["family"], state["network"]) != (task.family, task.network):
        raise InputError(
            f"{path} is of another network, {state['family']} with {state['network']}; "
            "repeat the settings of its run."
        )
    return state


def save_checkpoint(
    out: Path,
    task: Task,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    about: dict,
    crops: Crops,
    rank: int,
    world: int,
) -> None:
    """Writes a resumable checkpoint and, apart, the averaged weights; each replaced in one move.

    ``about`` has ``step``, ``minutes`` and ``from_scratch``. All processes call this; the first
    one writes.
    """
    states = [crops.random.bit_generator.state]
    if world > 1:
        gathered: list = [None] * world
        distributed.all_gather_object(gathered, states[0])
        states = gathered
    if rank != 0:
        return
    state = {
        "family": task.family,
        "network": task.network,
        "model": task.model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "optimizer_name": type(optimizer).__name__.lower(),
        "average": average,
        "random": states,
        "task": task.state(),
        **about,
    }
    torch.save(state, out / "checkpoint.tmp")
    (out / "checkpoint.tmp").replace(out / "checkpoint.pt")
    task.save(out / "weights.safetensors", average, about)
