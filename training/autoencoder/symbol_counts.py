"""The autoencoder's frequency tables, counted on pictures over the whole quality range."""

import numpy as np
import torch

from ...codec.entropy import Tables
from ...codec.schemes.autoencoder.contract import magnitude_bits, rdoq_thresholds
from ..data import Crops
from ..frequency_tables import gaussian_row, pack, to_frequencies
from ..sampled_crops import picture
from .network import Z_MAX, Autoencoder
from .quantizer import ROWS, width

__all__ = ["count_tables"]

COUNTED_MAX = 600  # residuals are counted one by one up to this size


@torch.no_grad()
def count_tables(model: Autoencoder, crops: Crops, count: int) -> dict[str, np.ndarray]:
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
