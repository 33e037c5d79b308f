"""The flow codec's model file: its integer networks as roles, tables, and the scale of steps.

There is one file: the encoder runs what the decoder runs, and nothing else.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ...codec.entropy import TOTAL
from ...codec.errors import InputError
from ...codec.schemes.flow.contract import HALO
from ..data import Crops
from ..export_data import ExportData
from ..frequency_tables import logistic_row, pack
from ..integer_export import exact, proven
from ..onnx_writer import Role, export_roles, write_decoder
from .network import (
    COLOUR_PLACE,
    DETAIL_MAX,
    LAGRANGE,
    LEVELS,
    LOG_STEP,
    OCTAVE,
    PLACES,
    PLANES,
    ROWS,
    SCALE_MIN,
    Flow,
    rows_at,
    step_of,
)
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
    if model.config.kernel // 2 + 2 > HALO:
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
            "quality_map": [[0, round(PLACE_MAX)], [10000, round(PLACE_MIN)]],
            "network": asdict(model.config),
        },
        "card": about,
    }
    path, _ = write_decoder(out, described, graphs, _tables(model, data.crops, data.count))
    return [path]


def _roles(model: Flow) -> list[Role]:
    """One for each kind of halving, colour and pass of the checkerboard."""
    c = model.config
    level_weights = torch.zeros(1, c.gain_levels)
    level_weights[0, 0] = 256
    planes, features = torch.zeros(1, PLANES, 8, 12), torch.zeros(1, c.width, 8, 12)
    roles = []
    plane = {2: "h", 3: "w"}
    for kind, nets in enumerate(model.lifting):
        for colour, network in nets.named_children():
            inputs = {"planes": planes}
            if colour.endswith("2"):
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
                )
            )
    return roles


def _tables(model: Flow, crops: Crops, count: int) -> dict[str, np.ndarray]:
    """Frequencies counted over the whole range, the scale of steps, the quantiser's thresholds."""
    counts = np.zeros((ROWS, 2 * COUNTED_MAX + 1), np.int64)
    for number in range(count):
        x = torch.from_numpy(np.ascontiguousarray(crops.batch(1, COUNT_SIZE))).float()
        t = ((number * 5) % 16 + 0.5) / 16
        for place in (LOSSLESS, round(PLACE_MIN + t * (PLACE_MAX - PLACE_MIN))):
            out = model(x, torch.tensor([float(place)]), keep=True)
            for _, symbols in out["symbols"]:
                for k, rows, _ in symbols:
                    k = np.clip(k.numpy().ravel(), -COUNTED_MAX, COUNTED_MAX).astype(np.int64)
                    np.add.at(counts, (rows.numpy().ravel().astype(int), k + COUNTED_MAX), 1)
    rows = [
        logistic_row(SCALE_MIN * float(np.exp(row * LOG_STEP)), counts[row], COUNTED_MAX)
        for row in range(ROWS)
    ]
    low, size, freq = pack(rows)
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
