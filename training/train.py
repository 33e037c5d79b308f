"""One training loop for all families, readable from top to bottom.

A run is given minutes. It anneals its learning rate over exactly that time, saves a checkpoint
every few minutes, keeps a moving average of the weights, logs a line per validation, and can be
continued (``resume``) or started from the weights of an earlier run. The same function runs on
one CPU core, under ``torchrun`` on several, or on GPUs.
"""

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed

from ..codec.errors import InputError
from .checkpoint import read_checkpoint, save_checkpoint
from .config import with_overrides
from .data import Crops, load_pictures
from .families import FAMILIES
from .soap import Soap
from .task import Task

__all__ = ["run"]


def _print(line: str) -> None:
    print(line, flush=True)


def run(
    family: str,
    data: Path,
    minutes: float,
    out: Path,
    resume: bool = False,
    overrides: dict[str, str] | None = None,
    validation: Path | None = None,
    start: Path | None = None,
    progress: Callable[[float, int], None] = lambda part, step: None,
    log: Callable[[str], None] = _print,
) -> dict[str, float]:
    """Trains ``family`` on the pictures under ``data`` for ``minutes``; writes into ``out``.

    Arguments:
        resume: continue ``out/checkpoint.pt`` with this many minutes more.
        overrides: settings of `RunConfig` and of the family's network, as texts.
        validation: pictures to validate on; without it a few training tiles are set apart.
        start: weights to start from with a new schedule: ``weights.safetensors`` of a run, or
            either file of a shipped pair of models.
        progress: called after each step with the share of the time that is used, and the step.
        log: called with each line of the log.

    Returns: the last validation's figures.

    Raises:
        InputError: an unknown family or setting, no pictures, nothing to resume.
    """
    # ---- set-up ------------------------------------------------------------------------------
    if family not in FAMILIES:
        raise InputError(f"there is no family {family!r}; known: {', '.join(FAMILIES)}.")
    rank, world, device = _process()
    chief = rank == 0
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    config_texts, network_texts = _split(overrides or {})
    config = with_overrides(FAMILIES[family].preset, config_texts)
    torch.manual_seed(config.seed)
    task = FAMILIES[family].task(network_texts, device)
    torch.manual_seed(config.seed * 1000 + rank)  # each process draws noise of its own
    tiles = load_pictures(Path(data), config.crop)
    if validation is None:
        count = max(1, min(24, len(tiles) // 20))
        held_out, tiles = tiles[:count], tiles[count:] or tiles
    else:
        held_out = load_pictures(Path(validation), task.smallest)
        held_out = held_out[:: -(-len(held_out) // config.validation_tiles)]
    tiles = tiles + task.more_tiles(tiles)
    crops = Crops(tiles, seed=config.seed * 1000 + rank)

    if start is not None:
        task.load(Path(start))
    state = read_checkpoint(out / "checkpoint.pt", task, config.optimizer, device) if resume else {}
    from_scratch = task.from_scratch = state.get("from_scratch", task.from_scratch)
    model = task.model
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    parts = tuple(config.only.split(","))
    moving = {name: p for name, p in trained.items() if name.startswith(parts)}
    if not moving:
        raise InputError(f"nothing in {family} begins with {config.only!r}: see only=.")
    for name in trained.keys() - moving.keys():
        trained[name].requires_grad_(False)
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in moving.items():
        groups.setdefault(task.lr_scale(name), []).append(parameter)
    groups_of = [{"params": members, "lr_scale": lr_scale} for lr_scale, members in groups.items()]
    if config.optimizer == "soap":
        optimizer: torch.optim.Optimizer = Soap(groups_of, config.lr)
    else:
        optimizer = torch.optim.Adam(groups_of, config.lr, betas=(0.9, 0.98), fused=True)
    step, earlier = 0, 0.0
    calibration = Crops(tiles, seed=config.seed)  # the same for every process
    batches = (calibration.batch(8, config.crop) for _ in range(4))
    task.calibration_batches = [_as_batch(batch, device) for batch in batches]
    if not resume:  # a checkpoint has what comes of it
        task.prepare()
    if config.compile:
        task.compile()
    average = {name: p.detach().clone() for name, p in trained.items()}
    if resume:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average = {k: v.to(device) for k, v in state["average"].items()}
        step, earlier = state["step"], state["minutes"]
        task.load_state(state["task"])
        if len(state["random"]) == world:
            crops.random.bit_generator.state = state["random"][rank]

    if chief:
        notes = {"data": str(Path(data).resolve()), "validation": None, "family": family}
        if validation is not None:
            notes["validation"] = str(Path(validation).resolve())
        (out / "run.json").write_text(json.dumps(notes))

    # ---- the loop ----------------------------------------------------------------------------
    begun = time.monotonic()
    since_checkpoint = since_validation = begun
    figures: dict[str, float] = {}
    first_step = step
    while True:
        used = _agree((time.monotonic() - begun) / 60, world)
        part = used / minutes
        if config.steps:
            part = max(part, (step - first_step) / config.steps)
        if part >= 1:
            break
        late = part > 1 - config.late_share
        size = config.late_crop if late else config.crop
        size = min(size, min(min(tile.shape[:2]) for tile in tiles) // 64 * 64) if late else size
        count = config.late_batch if late else config.batch
        warm = min(1.0, (step - first_step + 1) / config.warmup_steps)
        cosine = 0.5 * (1 + math.cos(math.pi * part))
        lr = warm * (config.lr_end + (config.lr - config.lr_end) * cosine)
        for group in optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]

        model.train()
        if part > 1 - config.int8_share:
            task.enable_int8()
        if part > 1 - config.float32_share:
            task.enable_float32()
        batch = _as_batch(crops.batch(count, size), device)
        loss = task.loss(batch, part)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        _mean_gradients(list(moving.values()), world)
        norm = torch.nn.utils.clip_grad_norm_(moving.values(), config.clip)
        if torch.isfinite(norm):  # one bad batch must not end a run of hours
            optimizer.step()
        step += 1
        decay = min(config.ema, (step - first_step + 1) / (step - first_step + 10))
        with torch.no_grad():
            for name, parameter in trained.items():
                average[name].lerp_(parameter, 1 - decay)
        if chief:
            progress(min(1.0, part), step)

        now = time.monotonic()
        if _agree((now - since_validation) / 60, world) >= config.validate_every:
            figures = _validate(task, average, trained, held_out, rank, world)
            since_validation = time.monotonic()
            if chief:
                total = earlier + used
                _log(out, {"step": step, "minutes": round(total, 2), "lr": lr, **figures}, log)
        if _agree((now - since_checkpoint) / 60, world) >= config.checkpoint_every:
            about = {"step": step, "minutes": earlier + used, "from_scratch": from_scratch}
            save_checkpoint(out, task, optimizer, average, about, crops, rank, world)
            since_checkpoint = time.monotonic()

    # ---- the end -----------------------------------------------------------------------------
    figures = _validate(task, average, trained, held_out, rank, world)
    about = {"step": step, "minutes": earlier + minutes, "from_scratch": from_scratch}
    save_checkpoint(out, task, optimizer, average, about, crops, rank, world)
    if chief:
        _log(out, {"step": step, "minutes": round(earlier + minutes, 2), "end": 1, **figures}, log)
    return figures


def _process() -> tuple[int, int, torch.device]:
    """Rank, number of processes and device, from torchrun's environment if there is one."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    cuda = torch.cuda.is_available()
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if cuda else "gloo")
    if not cuda:
        return rank, world, torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return rank, world, device


def _as_batch(crops: np.ndarray, device: torch.device) -> Tensor:
    batch = torch.from_numpy(np.ascontiguousarray(crops)).to(device)
    return batch.float().div(255).contiguous(memory_format=torch.channels_last)


def _split(overrides: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings of the run, and those of the network (written ``net.NAME``)."""
    network = {k[4:]: v for k, v in overrides.items() if k.startswith("net.")}
    return {k: v for k, v in overrides.items() if not k.startswith("net.")}, network


def _agree(value: float, world: int) -> float:
    """The largest of the processes' values, so that all take the same branch."""
    if world == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    if distributed.get_backend() == "nccl":
        shared = shared.cuda()
    distributed.all_reduce(shared, distributed.ReduceOp.MAX)
    return float(shared.item())


def _mean_gradients(parameters: list[torch.nn.Parameter], world: int) -> None:
    if world == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    distributed.all_reduce(flat)
    flat /= world
    at = 0
    for gradient in gradients:
        gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
        at += gradient.numel()


def _validate(
    task: Task,
    average: dict[str, Tensor],
    trained: dict[str, torch.nn.Parameter],
    tiles: list[np.ndarray],
    rank: int,
    world: int,
) -> dict[str, float]:
    """The task's figures with the averaged weights; the tiles are shared among processes."""
    kept = {name: p.detach().clone() for name, p in trained.items()}
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(average[name])
        task.model.eval()
        sums = task.validate(tiles[rank::world])
        if world > 1:
            shared = sums.to("cuda") if distributed.get_backend() == "nccl" else sums
            distributed.all_reduce(shared)
            sums = shared.cpu()
        for name, parameter in trained.items():
            parameter.copy_(kept[name])
    return task.figures(sums, tiles)


def _log(out: Path, row: dict[str, float], log: Callable[[str], None]) -> None:
    text = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
    log(text)
    with (out / "log.jsonl").open("a") as file:
        file.write(text + "\n")
