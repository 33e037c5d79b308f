"""From a training run to model files; what is particular to a family is in its `export`."""

from pathlib import Path

import torch

from .export_data import ExportData
from .families import FAMILIES, load_weights

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
    task = FAMILIES[family].task(_texts(network), torch.device("cpu"))
    task.model.load_state_dict(tensors, strict=False)
    task.model.eval()
    return FAMILIES[family].export(task, ExportData(run_dir, pictures, crops), out, about)


def _texts(network: dict) -> dict[str, str]:
    """A network's settings as the texts that a task takes."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in network.items()
    }
