"""The autoencoder's model files: networks as roles, tables, and the quality scale.

Exact networks become integer graphs whose bound is proven here. Frequency tables are counted on
pictures, and the quality scale is measured on real files and written into the decoder.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...codec import api
from ...codec.entropy import Tables
from ...codec.errors import InputError
from ...codec.modelfile import ModelFile
from ...codec.schemes.autoencoder.contract import (
    RDO_LAMBDA,
    checkerboard,
    magnitude_bits,
    rdoq_thresholds,
)
from ..data import Crops, Pixels
from ..export_data import ExportData
from ..frequency_tables import gaussian_row, pack, to_frequencies
from ..integer_export import layers
from ..onnx_writer import export_role, fold_unshuffle, write_model
from ..sampled_crops import picture
from .bias_correction import correct_bias
from .inference_layout import ContextMeanInference, HyperMeanInference, SynthesisInference
from .integer_inference import ContextIndexInference, HyperIndexInference
from .network import R_MAX, Z_MAX, Autoencoder
from .quantizer import ROWS, SKIPPED_ROWS, width
from .restore import training_tables
from .scale_folding import fold_activation_ranges
from .task import AutoencoderTask

__all__ = ["export"]

STRIDE = 16  # pixels a position of y
FIELD = 16  # positions on each side in which receptive fields are looked for
COUNTED_MAX = 600  # residuals are counted one by one up to this size
CALIBRATION_BATCHES = 8  # batches that the activation_range of values is measured on
# The layers of `Block`, and the two that halve the resolution.
INT8_WEIGHTS = (".pre.", ".post.", ".widen.", ".narrow.", "g_a.body.1.", "g_a.body.3.")
# The quality scale: bits per pixel at quality 0 and 100 on the validation pictures.
BPP_LOW, BPP_HIGH = 0.10, 1.8


def export(task: AutoencoderTask, data: ExportData, out: Path, about: dict) -> list[Path]:
    """Writes encoder and decoder into ``out``, named after the decoder's digest.

    Arguments:
        data: pictures that tables are counted on and the quality scale is measured on.
        about: where the weights come from.

    Raises:
        InputError: an integer network breaks its bound.
    """
    model, counting, count = task.model, data.crops, data.count
    c = model.config
    looks = [np.ascontiguousarray(counting.batch(8, 128)) for _ in range(CALIBRATION_BATCHES)]
    task.calibration_batches = [torch.from_numpy(pictures).float() / 255 for pictures in looks]
    task.enable_int8()
    tables = _count(model, counting, count)
    correct_bias(model, counting, -(-count // 2))
    rescaled = fold_activation_ranges(model)
    level_weights = torch.zeros(1, c.gain_levels)
    level_weights[0, 0], level_weights[0, 1] = 128, 128
    y, z = torch.zeros(1, c.y, 8, 12), torch.zeros(1, c.z, 2, 3)
    pixels = torch.zeros(1, 128, 192, 3, dtype=torch.uint8)
    # Of a half of y, and which positions it has: see codec.schemes.halves.
    both = checkerboard(c.y, 8, 12)
    halves = [torch.zeros(c.y // 2, 48) for _ in range(2)]  # one tensor twice would be one input
    features, exact_features = torch.zeros(1, 8, 12, c.mean), torch.zeros(1, c.index[1], 8, 12)
    places = {n: torch.from_numpy(getattr(both, n).copy()) for n in ("even", "odd", "place")}
    colours = {name: places[name] for name in ("even", "odd")}
    plane, last = {2: "h", 3: "w"}, {1: "h", 2: "w"}
    counted = {"even": {0: "even"}, "odd": {0: "odd"}}
    given = {**counted, "place": {0: "h", 1: "w"}}
    encoder = [
        export_role(
            "analysis",
            _Analysis(model),
            {"x": pixels, "mix": level_weights},
            ["y"],
            {"x": {1: "height", 2: "width"}},
            "half",
            INT8_WEIGHTS,
        ),
        export_role(
            "hyper_analysis",
            fold_unshuffle(model.h_a),
            {"y": y, "mix": level_weights},
            ["z"],
            {"y": plane},
            "half",
            INT8_WEIGHTS,
        ),
    ]
    decoder = [
        export_role(
            "hyper_index",
            HyperIndexInference(model.h_i),
            {"z": z, "mix": level_weights, **colours},
            ["index_even", "index_odd", "features"],
            {"z": plane, **counted},
            "exact",
        ),
        export_role(
            "context_index",
            ContextIndexInference(model.c_i),
            {
                "magnitude_even": halves[0],
                "magnitude_odd": halves[1],
                "features": exact_features,
                "mix": level_weights,
                **places,
            },
            ["index_odd", "index_even"],
            {
                "magnitude_even": {1: "even"},
                "magnitude_odd": {1: "odd"},
                "features": plane,
                **given,
            },
            "exact",
        ),
        export_role(
            "hyper_mean",
            HyperMeanInference(rescaled.h_s, model.g_a.log_gain),
            {"z": z, "mix": level_weights, **colours},
            ["mean_even", "mean_odd", "features"],
            {"z": plane, **counted},
            "half",
        ),
        export_role(
            "context_mean",
            ContextMeanInference(rescaled.c_m, model.g_a.log_gain, rescaled.g_s.log_gain),
            {
                "y1_even": halves[0],
                "y1_odd": halves[1],
                "features": features,
                "mix": level_weights,
                **places,
            },
            ["mean_odd", "mean_even"],
            {"y1_even": {1: "even"}, "y1_odd": {1: "odd"}, "features": last, **given},
            "half",
        ),
        export_role(
            "synthesis",
            SynthesisInference(rescaled.g_s),
            {"y": y, "mix": level_weights},
            ["x"],
            {"y": plane},
            "half",
        ),
    ]
    described = {
        "scheme": "autoencoder",
        "part": "decoder",
        "roles": ["hyper_index", "context_index", "hyper_mean", "context_mean", "synthesis"],
        "exact": {
            "hyper_index": layers("hyper_index", decoder[0], model.h_i),
            "context_index": layers("context_index", decoder[1], model.c_i),
        },
        "card": about,
    }
    settings = {
        "y": c.y,
        "z": c.z,
        "z_priors": c.z_priors,
        "gain_levels": c.gain_levels,
        "z_max": Z_MAX,
        "residual_max": R_MAX,
        "halo": receptive_halos(model)[1],
        "skipped": SKIPPED_ROWS,
        "rdo_lambda": RDO_LAMBDA,
    }

    def write(quality_map: list[list[int]]) -> list[Path]:
        """Both files; they are named after the decoder's digest, which the scale is part of."""
        draft = out / "decoder.part"
        write_model(
            draft,
            {**described, "settings": {**settings, "quality_map": quality_map}},
            decoder,
            tables,
        )
        title = ModelFile.load(draft).digest.hex()
        path = out / f"autoencoder-{title[:8]}-decoder.onnx"
        draft.replace(path)
        twin = out / f"autoencoder-{title[:8]}-encoder.onnx"
        twin_about = {
            "scheme": "autoencoder",
            "part": "encoder",
            "roles": ["analysis", "hyper_analysis"],
            "settings": {"decoder": title, "halo": receptive_halos(model)[0], "network": asdict(c)},
            "card": about,
        }
        write_model(twin, twin_about, encoder, training_tables(model))
        return [twin, path]

    top = 256 * (c.gain_levels - 1)
    drafts = write([[0, 0], [10000, top]])
    quality_map = _quality_map(drafts[0], data.held_out, top)
    files = write(quality_map)
    for path in drafts:
        if path not in files:
            path.unlink()
    return files


def receptive_halos(model: Autoencoder) -> tuple[int, int]:
    """How many positions of ``y`` analysis and synthesis see beyond the one they work on.

    Found by gradients of one position's output on random input, so it holds for every
    architecture; InputError where a network sees as far as was looked, or the whole picture.
    """
    c, side = model.config, 2 * FIELD + 1
    level_weights = torch.full((1, c.gain_levels), 256 / c.gain_levels)
    random = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, side * STRIDE, side * STRIDE, generator=random) - 0.5
    y = torch.randn(1, c.y, side, side, generator=random) * 8
    found = []
    with torch.enable_grad():
        for network, value, inside, outside in (
            (model.g_a, x, STRIDE, 1),
            (model.g_s, y, 1, STRIDE),
        ):
            value.requires_grad_()
            middle = slice(FIELD * outside, (FIELD + 1) * outside)
            part = network(value, level_weights)[:, :, middle, middle]
            (slope,) = torch.autograd.grad(part.abs().sum(), value)
            seen = slope[0].abs().amax(0).nonzero()
            first, last = int(seen.min()) // inside, int(seen.max()) // inside
            found.append(max(FIELD - first, last - FIELD, 0))
    if max(found) >= FIELD:
        raise InputError(
            "The network sees too far for a picture to be coded in tiles; use fewer blocks or "
            "smaller kernels, and nothing that looks at the whole picture."
        )
    return found[0], found[1]


class _Analysis(nn.Module):
    """uint8 pixels ``1 H W 3`` to gained ``y``."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.g_a = fold_unshuffle(model.g_a)

    def forward(self, x: Tensor, level_weights: Tensor) -> Tensor:
        return self.g_a(x.permute(0, 3, 1, 2).float() * (1 / 255) - 0.5, level_weights)


@torch.no_grad()
def _count(model: Autoencoder, crops: Crops, count: int) -> dict[str, np.ndarray]:
    """Frequency tables from crops over the whole quality range, with the encoder's decisions.

    Bits decide, and decisions are counted: so first on a few crops, whose tables decide for all.
    """
    few = _counted(model, crops, -(-count // 4))
    bits = magnitude_bits(Tables(few["y_low"], few["y_size"], few["y_freq"]))
    model.quantizer.thresholds = torch.from_numpy(rdoq_thresholds(bits))
    return _counted(model, crops, count)


def _counted(model: Autoencoder, crops: Crops, count: int) -> dict[str, np.ndarray]:
    c = model.config
    counts = np.zeros((ROWS, 2 * COUNTED_MAX + 1), np.int64)
    z_counts = np.zeros((c.z_priors * c.z, 2 * Z_MAX + 1), np.int64)
    for number in range(count):
        x = picture(crops)
        for part in range(4):
            t = torch.tensor([(part + (number % 16) / 15.001) / 4])
            out = model(x, t)
            index = out["index"].numpy().astype(np.int64).ravel()
            residual = out["residual"].numpy().astype(np.int64).ravel()
            clipped = np.clip(residual, -COUNTED_MAX, COUNTED_MAX)
            np.add.at(counts, (index, clipped + COUNTED_MAX), 1)
            z = out["z"].numpy().astype(np.int64)[0]
            rows = out["choice"].numpy()[0][None] * c.z + np.arange(c.z)[:, None, None]
            np.add.at(z_counts, (rows.ravel(), z.ravel() + Z_MAX), 1)
    tables = {}
    y_rows = [
        gaussian_row(float(width(torch.tensor(row))), counts[row], COUNTED_MAX)
        for row in range(ROWS)
    ]
    tables["y_low"], tables["y_size"], tables["y_freq"] = pack(y_rows)
    tables["z_low"], tables["z_size"], tables["z_freq"] = pack(_z_rows(model, z_counts))
    choice = torch.softmax(model.z_prior_logits.table, 1).numpy()
    tables["prior_index_freq"] = np.stack(
        [to_frequencies(row, 2**16 - 1) for row in choice]
    ).astype(np.int32)
    return tables


def _z_rows(model: Autoencoder, counts: np.ndarray) -> list[tuple[int, np.ndarray]]:
    prior = model.prior_z
    grid = torch.arange(-Z_MAX, Z_MAX + 1).float()
    like, _, _ = prior._likelihood(grid.expand(counts.shape[0], 1, -1))
    mass = like[:, 0].double().numpy() * 30 + counts
    rows = []
    for row in mass / mass.sum(1, keepdims=True):
        used = np.flatnonzero(row > 2e-5)
        low, high = int(used[0]), int(used[-1])
        escape = max(1 - row[low : high + 1].sum(), 1e-6)
        rows.append((low - Z_MAX, to_frequencies(np.append(row[low : high + 1], escape))))
    return rows


def _quality_map(encoder: Path, pictures: list[Pixels], top: int) -> list[list[int]]:
    """Quality (hundredths) against place on the scale, from the sizes of real files.

    Quality 0 and 100 mean `BPP_LOW` and `BPP_HIGH` bits per pixel, exponential in between.
    """
    pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    places, rates = np.linspace(0, 100, 13), []
    for place in places:
        sizes = (len(api.compress(p, quality=float(place), model=encoder)) for p in pictures)
        rates.append(8 * sum(sizes) / pixels)
    wanted = np.linspace(0, 1, 21)
    bpp = BPP_LOW * (BPP_HIGH / BPP_LOW) ** wanted
    found = np.interp(np.log(bpp), np.log(np.maximum.accumulate(rates)), places / 100 * top)
    steps = [[round(10000 * q), round(p)] for q, p in zip(wanted, found, strict=True)]
    for i in range(1, len(steps)):  # strictly rising, whatever was measured
        steps[i][1] = min(max(steps[i][1], steps[i - 1][1] + 1), top - (len(steps) - 1 - i))
    return steps
