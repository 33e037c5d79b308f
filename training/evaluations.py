"""The one table of how families are evaluated. Imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..codec import api
from ..codec.comparison.text import Table
from . import chosen, rate_distortion
from .data import Pixels, load_whole
from .denoiser import evaluate as denoiser
from .flow import evaluate as flow
from .rate_distortion import Progress
from .vqvae import evaluate as vqvae

__all__ = ["EVALUATIONS", "Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """How a family is evaluated.

    Attributes:
        run: its figures, of a folder of pictures, a model file (None: shipped), a tune (None: all)
            and what is told the share of the work that is done.
        tables: those figures for the terminal.
    """

    run: Callable[[Path, Path | None, str | None, Progress | None], dict]
    tables: Callable[[dict], list[Table]]


def _no_figures(pictures: list[Pixels], model: Path | None) -> dict:
    return {}


def _no_tables(result: dict) -> list[Table]:
    return []


def _codec(
    family: str,
    more: Callable[[list[Pixels], Path | None], dict] = _no_figures,
    more_tables: Callable[[dict], list[Table]] = _no_tables,
) -> Evaluation:
    """Of a codec: rate and distortion, and what is asked of this one beside them."""

    def run(data: Path, model: Path | None, tune: str | None, progress: Progress | None) -> dict:
        pictures = load_whole(data)
        found = rate_distortion.measure(family, pictures, model, tune, progress)
        return found | more(pictures, model)

    def tables(result: dict) -> list[Table]:
        return rate_distortion.tables(result) + more_tables(result)

    return Evaluation(run, tables)


EVALUATIONS = {
    api.AUTO: Evaluation(chosen.measure, chosen.tables),
    "autoencoder": _codec("autoencoder"),
    "flow": _codec("flow", flow.run, flow.tables),
    "vqvae": _codec("vqvae", vqvae.run, vqvae.tables),
    "denoiser": Evaluation(denoiser.run, denoiser.tables),
}
