"""The families that can be trained; `tasks` holds what is particular to each."""

from .tasks.autoencoder import AutoencoderTask
from .tasks.denoiser import DenoiserTask
from .tasks.flow import FlowTask
from .tasks.vqvae import VqvaeTask
from .tasks.vqvae_prior import VqvaePriorTask
from .weights import Task, load_weights

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
