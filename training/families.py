"""The one table of families: what each trains, and how it becomes model files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .autoencoder.export import export as export_autoencoder
from .autoencoder.task import AutoencoderTask
from .config import PRESETS, RunConfig
from .denoiser.export import export as export_denoiser
from .denoiser.task import DenoiserTask
from .export_data import ExportData
from .flow.export import export as export_flow
from .flow.task import FlowTask
from .task import Task, load_weights
from .vqvae.export import export as export_vqvae
from .vqvae.export import refuse_first_stage
from .vqvae.prior_task import VqvaePriorTask
from .vqvae.task import VqvaeTask

__all__ = [
    "FAMILIES",
    "AutoencoderTask",
    "DenoiserTask",
    "Family",
    "FlowTask",
    "Task",
    "VqvaePriorTask",
    "VqvaeTask",
    "load_weights",
]


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        task: made from the network's settings as texts, and a device.
        preset: how it is trained where nothing else is said.
        export: writes model files of a task into a folder, with notes on where the weights come
            from; returns their paths.
    """

    task: Callable[..., Any]
    preset: RunConfig
    export: Callable[[Any, ExportData, Path, dict], list[Path]]


FAMILIES = {
    "autoencoder": Family(AutoencoderTask, PRESETS["autoencoder"], export_autoencoder),
    "denoiser": Family(DenoiserTask, PRESETS["denoiser"], export_denoiser),
    "vqvae": Family(VqvaeTask, PRESETS["vqvae"], refuse_first_stage),
    "vqvae-prior": Family(VqvaePriorTask, PRESETS["vqvae-prior"], export_vqvae),
    "flow": Family(FlowTask, PRESETS["flow"], export_flow),
}
