"""The families that can be trained; `tasks` holds what is particular to each."""

from .tasks.autoencoder import AutoencoderTask
from .tasks.denoiser import DenoiserTask
from .tasks.flow import FlowTask
from .weights import Task, load_weights

__all__ = ["FAMILIES", "AutoencoderTask", "DenoiserTask", "FlowTask", "Task", "load_weights"]

FAMILIES: dict[str, type] = {
    "autoencoder": AutoencoderTask,
    "denoiser": DenoiserTask,
    "flow": FlowTask,
}
