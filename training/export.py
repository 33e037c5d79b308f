"""From a training run to model files; what is particular to a family is in `exports`."""

import json
from pathlib import Path

import torch

from ..codec.errors import InputError
from .autoencoder import export as autoencoder
from .data import Crops, load_pictures
from .denoiser import export as denoiser
from .families import FAMILIES, load_weights
from .flow import export as flow
from .vqvae import export as vqvae

__all__ = ["run"]

COUNT_CROPS = 64


def run(
    run_dir: Path, out: Path, pictures: Path | None = None, crops: int = COUNT_CROPS
) -> list[Path]:
    """Exports the averaged weights of ``run_dir`` into ``out``; returns the files written.

    Arguments:
        crops: how many crops the tables are counted on.
        pictures: for the tables and the quality scale; by default those that the run recorded.

    Raises:
        InputError: there is no finished run, or an integer network breaks its bound.
    """
    run_dir, out = Path(run_dir), Path(out)
    family, network, tensors, about = load_weights(run_dir / "weights.safetensors")
    out.mkdir(parents=True, exist_ok=True)
    task = FAMILIES[family](_texts(network), torch.device("cpu"))
    task.model.load_state_dict(tensors, strict=False)
    task.model.eval()
    if family == "vqvae":
        raise InputError(
            f"{run_dir} holds the first stage of vqvae only; train the priors on it "
            "(gencodec train vqvae-prior --init .../weights.safetensors) and export that run."
        )
    if family == "vqvae-prior":
        return vqvae.export(task, out, about)
    folders = _recorded(run_dir)
    if pictures is not None:
        folders = {"data": Path(pictures), "validation": None}
    counting = Crops(load_pictures(folders["data"], 64), seed=5)
    if folders["validation"] is not None:
        held_out = load_pictures(folders["validation"], 64)
    else:
        held_out = counting.tiles[:24]
    if family == "denoiser":
        return denoiser.export(task, held_out, out, about)
    if family == "flow":
        return flow.export(task, counting, crops, out, about)
    return autoencoder.export(task, counting, crops, held_out, out, about)


def _recorded(run_dir: Path) -> dict:
    try:
        notes = json.loads((run_dir / "run.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run_dir}/run.json is missing; name the pictures with --data DIR."
        ) from error
    validation = notes["validation"]
    return {"data": Path(notes["data"]), "validation": Path(validation) if validation else None}


def _texts(network: dict) -> dict[str, str]:
    """A network's settings as the texts that a task takes."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in network.items()
    }
