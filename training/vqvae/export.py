"""vqvae's model files: analysis and synthesis as roles, codebooks and integer priors as tables."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...codec.errors import InputError
from ...codec.modelfile import MAX_EXACT_INT, exact_bound
from ...codec.schemes.vqvae.contract import EXP_ONE, LOGIT_UNIT, UNIT
from ..export_data import ExportData
from ..onnx_writer import Role, export_roles, fold_unshuffle, write_decoder, write_encoder
from .network import Vqvae, rdo_lambdas
from .prior_network import IntLayer, LevelPrior, Priors, gate_tables
from .prior_task import VqvaePriorTask

__all__ = ["export"]

INT8_WEIGHTS = (".pre.", ".post.", ".widen.", ".narrow.")  # the layers of `Block`


def refuse_first_stage(task: object, data: ExportData, out: Path, about: dict) -> list[Path]:
    """What an export of the first stage alone gives: an InputError that says what is missing."""
    raise InputError(
        "The run holds the first stage of vqvae only; train the priors on it "
        "(gencodec train vqvae-prior --init .../weights.safetensors) and export that run."
    )


def export(task: VqvaePriorTask, data: ExportData, out: Path, about: dict) -> list[Path]:
    """Writes encoder and decoder into ``out``, named after the decoder's digest.

    Raises:
        InputError: an integer layer breaks its bound, or the priors were not trained.
    """
    vqvae, c = task.model.vqvae, task.config
    exact, prior_tables = _priors(task.model.priors)
    codevectors = vqvae.codebooks.codevectors.numpy().astype(np.float16)
    tables = {"codevectors": codevectors, **_lookups(), **prior_tables}
    described = {
        "scheme": "vqvae",
        "part": "decoder",
        "exact": exact,
        "settings": {"levels": c.levels, "depth": c.depth, "halo": halo(c.ns)},
        "card": about,
    }
    synthesis, analysis = export_roles([_synthesis(vqvae)]), export_roles([_analysis(vqvae)])
    path, digest = write_decoder(out, described, synthesis, tables)
    described = {
        "scheme": "vqvae",
        "part": "encoder",
        "settings": {
            "levels": c.levels,
            "halo": halo(c.na),
            "rdo_lambda": rdo_lambdas(c),
            "network": asdict(c),
        },
        "card": about,
    }
    count = {"count": vqvae.codebooks.count.numpy()}
    return [write_encoder(out, described, analysis, count, digest), path]


def _analysis(vqvae: Vqvae) -> Role:
    pixels = torch.zeros(1, 128, 192, 3, dtype=torch.uint8)
    return Role(
        "analysis",
        _Analysis(vqvae),
        {"x": pixels},
        ("z",),
        {"x": {1: "height", 2: "width"}},
        int8=INT8_WEIGHTS,
    )


def _synthesis(vqvae: Vqvae) -> Role:
    c = vqvae.config
    z, sent = torch.zeros(1, c.dims, 8, 12), torch.zeros(1, c.levels)
    sent[0, 0] = 1
    return Role(
        "synthesis",
        _Synthesis(vqvae),
        {"z": z, "sent": sent},
        ("x",),
        {"z": {2: "h", 3: "w"}},
        int8=INT8_WEIGHTS,
    )


def _priors(priors: Priors) -> tuple[dict[str, list[dict]], dict[str, NDArray]]:
    """The priors as tables: what a model file says of their layers, and the tables."""
    exact: dict[str, list[dict]] = {}
    tables: dict[str, NDArray] = {}
    for level, prior in enumerate(priors.levels):
        assert isinstance(prior, LevelPrior)
        name = f"prior{level}"
        tables[f"{name}.own"] = _whole(prior.own)
        if level:
            tables[f"{name}.others"] = _whole(prior.others)
        exact[name] = [
            _layer(f"{name}.{part.replace('.', '')}", layer, tables)
            for part, layer in prior.named_modules()
            if isinstance(layer, IntLayer)
        ]
    return exact, tables


def halo(counts: tuple[int, int, int]) -> int:
    """Positions around a tile that it depends on: blocks radius one step at their resolution.

    >>> halo((2, 2, 3))
    6
    """
    quarter, eighth, sixteenth = counts
    return -(-(4 * (sixteenth + 1) + 2 * eighth + quarter + 1) // 4)


class _Analysis(nn.Module):
    """uint8 pixels ``1 H W 3`` to the latent."""

    def __init__(self, model: Vqvae) -> None:
        super().__init__()
        self.g_a = fold_unshuffle(model.g_a)

    def forward(self, x: Tensor) -> Tensor:
        return self.g_a(x.permute(0, 3, 1, 2).float() * (1 / 255) - 0.5)


class _Synthesis(nn.Module):
    """Summed codevectors to uint8 pixels ``1 H W 3``."""

    def __init__(self, model: Vqvae) -> None:
        super().__init__()
        self.g_s = model.g_s

    def forward(self, z: Tensor, sent: Tensor) -> Tensor:
        x = torch.clamp((self.g_s(z, sent) + 0.5) * 255 + 0.5, 0.0, 255.25)
        return x.permute(0, 2, 3, 1).to(torch.uint8)  # the cast cuts, so this rounds half up


def _lookups() -> dict[str, NDArray]:
    """tanh, sigmoid and the exponential of whole logits, which ends with the first 0."""
    tanh, sigmoid = (part.numpy().astype(np.int8) for part in gate_tables())
    below = np.arange(64 * LOGIT_UNIT)
    exp = np.floor(EXP_ONE * np.exp(-below / LOGIT_UNIT) + 0.5).astype(np.int32)
    return {"tanh": tanh, "sigmoid": sigmoid, "exp": exp[: int(np.argmin(exp)) + 1]}


def _whole(table: Tensor) -> NDArray[np.int8]:
    """A table of codes' numbers as the integers that training saw."""
    values = torch.clamp(torch.floor(table * UNIT + 0.5), -127, 127)
    return values.detach().numpy().astype(np.int8)


def _layer(name: str, layer: IntLayer, tables: dict[str, NDArray]) -> dict:
    """Puts a layer's integers into ``tables``; its names and its proven bound.

    A row holds what is seen at each offset in turn, then the condition's weights.
    """
    weight, seen, bias = (part.detach() for part in layer.integers())
    radius = layer.radius
    columns = [weight[:, :, radius + dy, radius + dx] for dy, dx in layer.kernel]
    rows = torch.cat([*columns, seen[:, :, 0, 0]], 1).numpy()[:, :, None, None]
    offsets = bias.numpy()[None]
    tables[f"{name}.weight"] = rows.astype(np.int8)
    tables[f"{name}.bias"] = offsets.astype(np.int32)
    largest = max(layer.limits)
    bound = exact_bound(rows.astype(np.int64), offsets.astype(np.int64), largest, layer.shift)
    if bound >= MAX_EXACT_INT:
        raise InputError(
            f"The integer layer {name} could reach {bound}, which float32 does not hold exactly; "
            "train on, or with a smaller net.width."
        )
    return {
        "weight": f"tables/{name}.weight",
        "bias": f"tables/{name}.bias",
        "input_max": largest,
        "shift": layer.shift,
        "bound": bound,
    }
