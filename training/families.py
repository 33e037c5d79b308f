"""The families that can be trained; `tasks` holds what is particular to each."""

from .tasks.autoencoder import AutoencoderTask
from .tasks.denoiser import DenoiserTask
from .tasks.vqvae import VqvaeTask
from .tasks.vqvae_prior import VqvaePriorTask
from .weights import Task, load_weights

__all__ = [
    "FAMILIES",
    "AutoencoderTask",
    "DenoiserTask",
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
}
