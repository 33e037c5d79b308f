"""The autoencoder's model files: networks as roles, tables, and the quality scale.

Exact networks become integer graphs whose bound is proven here. Frequency tables are counted on
pictures, and the quality scale is measured on real files and written into the decoder.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec import api
from ...codec.errors import InputError
from ...codec.schemes.autoencoder.contract import RDO_LAMBDA, checkerboard
from ..data import Pixels
from ..export_data import ExportData
from ..integer_export import proven
from ..onnx_writer import Role, export_roles, fold_unshuffle, write_decoder, write_encoder
from .bias_correction import correct_bias
from .inference_layout import (
    AnalysisInference,
    ContextMeanInference,
    HyperMeanInference,
    SynthesisInference,
)
from .integer_inference import ContextIndexInference, HyperIndexInference
from .network import R_MAX, Z_MAX, Autoencoder
from .quantizer import SKIPPED_ROWS
from .restore import training_tables
from .scale_folding import fold_activation_ranges
from .symbol_counts import count_tables
from .task import AutoencoderTask

__all__ = ["export"]

STRIDE = 16  # pixels a position of y
FIELD = 16  # positions on each side in which receptive fields are looked for
CALIBRATION_BATCHES = 8  # batches that activation ranges are measured on
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
    model, crops, count = task.model, data.crops, data.count
    batches = [np.ascontiguousarray(crops.batch(8, 128)) for _ in range(CALIBRATION_BATCHES)]
    task.calibration_batches = [torch.from_numpy(batch).float() / 255 for batch in batches]
    task.enable_int8()
    tables = count_tables(model, crops, count)
    correct_bias(model, crops, -(-count // 2))
    rescaled = fold_activation_ranges(model)
    encoder_roles, decoder_roles = _encoder_roles(rescaled), _decoder_roles(model, rescaled)
    encoder, decoder = export_roles(encoder_roles), export_roles(decoder_roles)
    exact = proven(decoder_roles, decoder)
    halo_analysis, halo_synthesis = receptive_halos(model)

    def write(quality_map: list[list[int]]) -> list[Path]:
        """Both files; they are named after the decoder's digest, which the scale is part of."""
        settings = {**_settings(model), "halo": halo_synthesis, "quality_map": quality_map}
        described = {"scheme": "autoencoder", "part": "decoder", "exact": exact, "card": about}
        path, digest = write_decoder(out, {**described, "settings": settings}, decoder, tables)
        described = {
            "scheme": "autoencoder",
            "part": "encoder",
            "settings": {"halo": halo_analysis, "network": asdict(model.config)},
            "card": about,
        }
        return [write_encoder(out, described, encoder, training_tables(model), digest), path]

    top = 256 * (model.config.gain_levels - 1)
    drafts = write([[0, 0], [10000, top]])
    files = write(_quality_map(drafts[0], data.held_out, top))
    for path in drafts:
        if path not in files:
            path.unlink()
    return files


def _settings(model: Autoencoder) -> dict[str, int | float]:
    """What the runtime has to know of the network, beside its halo and its quality scale."""
    c = model.config
    return {
        "y": c.y,
        "z": c.z,
        "z_priors": c.z_priors,
        "gain_levels": c.gain_levels,
        "z_max": Z_MAX,
        "residual_max": R_MAX,
        "skipped": SKIPPED_ROWS,
        "rdo_lambda": RDO_LAMBDA,
    }


def _level_weights(model: Autoencoder) -> Tensor:
    """An example: halfway between the first two levels."""
    level_weights = torch.zeros(1, model.config.gain_levels)
    level_weights[0, 0], level_weights[0, 1] = 128, 128
    return level_weights


def _encoder_roles(model: Autoencoder) -> list[Role]:
    level_weights, y = _level_weights(model), torch.zeros(1, model.config.y, 8, 12)
    pixels = torch.zeros(1, 128, 192, 3, dtype=torch.uint8)
    return [
        Role(
            "analysis",
            AnalysisInference(model.g_a),
            {"x": pixels, "mix": level_weights},
            ("y",),
            {"x": {1: "height", 2: "width"}},
            int8=INT8_WEIGHTS,
        ),
        Role(
            "hyper_analysis",
            fold_unshuffle(model.h_a),
            {"y": y, "mix": level_weights},
            ("z",),
            {"y": {2: "h", 3: "w"}},
            int8=INT8_WEIGHTS,
        ),
    ]


def _decoder_roles(model: Autoencoder, rescaled: Autoencoder) -> list[Role]:
    """Of ``model`` what decides tables, of ``rescaled`` what decides values only."""
    c, level_weights = model.config, _level_weights(model)
    y, z = torch.zeros(1, c.y, 8, 12), torch.zeros(1, c.z, 2, 3)
    # Of a group of y's channels, and which positions it has: see `Checkerboard`.
    both = checkerboard(c.y, 8, 12)
    halves = [torch.zeros(c.y // 2, 48) for _ in range(2)]  # one tensor twice would be one input
    features, exact_features = torch.zeros(1, 8, 12, c.mean), torch.zeros(1, c.index[1], 8, 12)
    places = {n: torch.from_numpy(getattr(both, n).copy()) for n in ("even", "odd", "place")}
    colours = {name: places[name] for name in ("even", "odd")}
    plane, last = {2: "h", 3: "w"}, {1: "h", 2: "w"}
    counted = {"even": {0: "even"}, "odd": {0: "odd"}}
    given = {**counted, "place": {0: "h", 1: "w"}}
    return [
        Role(
            "hyper_index",
            HyperIndexInference(model.h_i),
            {"z": z, "mix": level_weights, **colours},
            ("index_even", "index_odd", "features"),
            {"z": plane, **counted},
            integers=model.h_i,
        ),
        Role(
            "context_index",
            ContextIndexInference(model.c_i),
            {
                "magnitude_even": halves[0],
                "magnitude_odd": halves[1],
                "features": exact_features,
                "mix": level_weights,
                **places,
            },
            ("index_odd", "index_even"),
            {
                "magnitude_even": {1: "even"},
                "magnitude_odd": {1: "odd"},
                "features": plane,
                **given,
            },
            integers=model.c_i,
        ),
        Role(
            "hyper_mean",
            HyperMeanInference(rescaled.h_s, model.g_a.log_gain),
            {"z": z, "mix": level_weights, **colours},
            ("mean_even", "mean_odd", "features"),
            {"z": plane, **counted},
        ),
        Role(
            "context_mean",
            ContextMeanInference(rescaled.c_m, model.g_a.log_gain, rescaled.g_s.log_gain),
            {
                "y1_even": halves[0],
                "y1_odd": halves[1],
                "features": features,
                "mix": level_weights,
                **places,
            },
            ("mean_odd", "mean_even"),
            {"y1_even": {1: "even"}, "y1_odd": {1: "odd"}, "features": last, **given},
        ),
        Role(
            "synthesis",
            SynthesisInference(rescaled.g_s),
            {"y": y, "mix": level_weights},
            ("x",),
            {"y": plane},
        ),
    ]


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
