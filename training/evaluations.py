"""What is asked of a codec beside its curve of rate and distortion, by family. Imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .data import Pixels
from .flow.evaluate import run as evaluate_flow
from .vqvae.evaluate import run as evaluate_vqvae

__all__ = ["EVALUATIONS", "Evaluation"]


def _nothing(pictures: list[Pixels], model: Path | None) -> dict:
    return {}


@dataclass(frozen=True)
class Evaluation:
    """How a family is evaluated.

    Attributes:
        more: figures beside the curve, by name, of pictures and a model file (None: shipped).
        lower_jpeg_qualities: of JPEG's curve, for codecs whose files are smaller than most.
    """

    more: Callable[[list[Pixels], Path | None], dict] = _nothing
    lower_jpeg_qualities: tuple[int, ...] = ()


EVALUATIONS = {
    "autoencoder": Evaluation(),
    "flow": Evaluation(evaluate_flow),
    "vqvae": Evaluation(evaluate_vqvae, (1, 2, 3)),
}
