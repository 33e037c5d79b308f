"""The families that can be trained; `tasks` holds what is particular to each."""

from .autoencoder.task import AutoencoderTask
from .denoiser.task import DenoiserTask
from .flow.task import FlowTask
from .task import Task, load_weights
from .vqvae.prior_task import VqvaePriorTask
from .vqvae.task import VqvaeTask

__all__ = [
    "FAMILIES",
    "AutoencoderTask",
    "DenoiserTask",
    "FlowTask",
    "Task",
    "VqvaePriorTask",
    "VqvaeTask",
    "load_weights",
]

FAMILIES: dict[str, type] = {
    "autoencoder": AutoencoderTask,
    "denoiser": DenoiserTask,
    "vqvae": VqvaeTask,
    "vqvae-prior": VqvaePriorTask,
    "flow": FlowTask,
}
