"""The flow codec's model file: its integer networks as roles, tables, and the scale of steps.

There is one file: the encoder runs what the decoder runs, and nothing else.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ...codec.entropy import TOTAL
from ...codec.errors import InputError
from ...codec.schemes.flow.contract import HALO, MEAN_UNITS, eighths_of_step
from ..data import Crops
from ..export_data import ExportData
from ..frequency_tables import logistic_row, pack
from ..integer_export import exact, proven
from ..onnx_writer import Role, export_roles, write_decoder
from .network import (
    COLOUR_PLACE,
    FRACTIONS,
    LAGRANGE,
    LEVELS,
    LOG_STEP,
    OCTAVE,
    PLACES,
    ROWS,
    SCALE_MIN,
    SPLIT_ROWS,
    Flow,
    rows_at,
    step_of,
)
from .predictors import DETAIL_MAX, PLANES
from .task import LOSSLESS, PLACE_MAX, PLACE_MIN, FlowTask

__all__ = ["export"]

COUNTED_MAX = 510  # symbols are counted one by one up to this size: all that step 1 can need
COUNT_SIZE = 256
MIX_TOP = 224  # the place of the last gain level


@torch.no_grad()
def export(task: FlowTask, data: ExportData, out: Path, about: dict) -> list[Path]:
    """Writes ``flow-DIGEST-decoder.onnx`` into ``out``.

    Arguments:
        data: pictures that the tables are counted on.
        about: where the weights come from.

    Raises:
        InputError: an integer network breaks its bound, or sees too far.
    """
    model = task.model
    if model.config.kernel // 2 + 2 + model.config.residual > HALO:
        raise InputError(f"A kernel of {model.config.kernel} sees too far for work in strips.")
    roles = _roles(model)
    graphs = export_roles(roles)
    described = {
        "scheme": "flow",
        "part": "decoder",
        "exact": proven(roles, graphs),
        "settings": {
            "decoder_only": True,
            "levels": LEVELS,
            "kinds": model.config.kinds,
            "gain_levels": model.config.gain_levels,
            "steps_per_octave": OCTAVE,
            "gain_top": MIX_TOP,
            "colour_offset": list(COLOUR_PLACE),
            "detail_max": DETAIL_MAX,
            "fractions": FRACTIONS,
            "split_rows": SPLIT_ROWS,
            "quality_map": [[0, round(PLACE_MAX)], [10000, round(PLACE_MIN)]],
            "network": asdict(model.config),
        },
        "card": about,
    }
    path, _ = write_decoder(out, described, graphs, _tables(model, data.crops, data.count))
    return [path]


def _roles(model: Flow) -> list[Role]:
    """One for each kind of halving, colour and pass."""
    c = model.config
    level_weights = torch.zeros(1, c.gain_levels)
    level_weights[0, 0] = 256
    planes, features = torch.zeros(1, PLANES, 8, 12), torch.zeros(1, c.width, 8, 12)
    roles = []
    plane = {2: "h", 3: "w"}
    for kind, nets in enumerate(model.lifting):
        for colour, network in nets.named_children():
            inputs = {"planes": planes}
            if colour[-1].isdigit():
                inputs = {"errors": torch.zeros(1, 1, 8, 12), "features": features}
            elif colour != "y":
                inputs["known"] = torch.zeros(1, 1 if colour == "cg" else 2, 8, 12)
                inputs["features"] = features
            roles.append(
                Role(
                    f"half{kind}_{colour}",
                    exact(network),
                    {**inputs, "mix": level_weights},
                    ("mean", "row", "x") if colour == "y" else ("mean", "row"),
                    dict.fromkeys(inputs, plane),
                    integers=network,
                    like=f"half0_{colour}" if kind else "",
                )
            )
    return roles


def _tables(model: Flow, crops: Crops, count: int) -> dict[str, np.ndarray]:
    """Frequencies counted over the whole range, the scale of steps, the quantiser's thresholds."""
    counts = np.zeros((ROWS, FRACTIONS, 2 * COUNTED_MAX + 1), np.int64)
    for number in range(count):
        x = torch.from_numpy(np.ascontiguousarray(crops.batch(1, COUNT_SIZE))).float()
        t = ((number * 5) % 16 + 0.5) / 16
        for place in (LOSSLESS, round(PLACE_MIN + t * (PLACE_MAX - PLACE_MIN))):
            out = model(x, torch.tensor([float(place)]), keep=True)
            for _, symbols in out["symbols"]:
                for k, rows, fraction, at in symbols:
                    # As `codec.schemes.flow.networks.Expected` chooses tables and signs.
                    fraction = fraction.numpy().astype(np.int32)
                    eighths = eighths_of_step(fraction, int(step_of(at)))
                    k = np.where(fraction < 0, -k.numpy(), k.numpy()).astype(np.int64)
                    k = np.clip(k, -COUNTED_MAX, COUNTED_MAX) + COUNTED_MAX
                    eighths = np.minimum(eighths, FRACTIONS - 1)
                    np.add.at(counts, (rows.numpy().astype(int), eighths, k), 1)
    rows, tables = [], []
    for row in range(ROWS):
        scale = SCALE_MIN * float(np.exp(row * LOG_STEP))
        rows.append(logistic_row(scale, counts[row].sum(0), COUNTED_MAX))
        if row >= SPLIT_ROWS:
            tables.append(rows[-1])
            continue
        for eighths in range(FRACTIONS):  # at step 1, of 2 eighths and 2 eighths + 1 16ths
            centre = (2 * eighths + 0.5) / MEAN_UNITS
            tables.append(logistic_row(scale, counts[row, eighths], COUNTED_MAX, centre))
    low, size, freq = pack(tables)
    threshold = []
    for start, row in rows:
        bits = -np.log2(row[-start:] / TOTAL)  # of 0, 1, 2 ... and the escape
        part = 0.5 + np.diff(bits[:3]) / (2 * LAGRANGE) if bits.size > 3 else np.full(2, 0.75)
        threshold.append(np.round(256 * np.clip(part, 0.5, 0.95)))
    places = np.arange(PLACES)
    return {
        "low": low,
        "size": size,
        "freq": freq,
        "step": step_of(torch.arange(PLACES)).numpy().astype(np.int32),
        "row_offset": rows_at(places),
        "threshold": np.array(threshold, np.uint8),
    }
