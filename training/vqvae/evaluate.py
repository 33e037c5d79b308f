"""What vqvae's priors save, on real pictures and with the codes that files have."""

import math
from pathlib import Path

import numpy as np

from ...codec import api, library
from ...codec.comparison.our_codecs import Ours
from ...codec.comparison.quality import SHOWN
from ...codec.comparison.reference_codecs import available_codecs
from ...codec.comparison.results import mean_point
from ...codec.comparison.search import Coder, Trials
from ...codec.comparison.text import Table
from ..data import Pixels
from ..parallel import parallel_map
from ..rate_distortion import point_row, table_of

__all__ = ["run", "savings", "tables"]

SMALL = "jpeg", "webp", "AVIF 4:4:4"  # whose lowest qualities vqvae is compared with


def run(pictures: list[Pixels], model: Path | None = None) -> dict:
    """What only tiny files are asked for.

    Returns: ``prior`` (see `savings`), and ``lowest``, what the smallest files of others are like.
    """
    codecs, _ = available_codecs(SMALL)
    lowest = [_lowest(pictures, codec.format, codec) for codec in codecs]
    if "autoencoder" in api.installed():
        ours = Ours("autoencoder", (0,), threads=1)
        lowest.append(_lowest(pictures, "autoencoder", ours))
    return {"prior": savings(pictures, model), "lowest": lowest}


def _lowest(pictures: list[Pixels], name: str, coder: Coder) -> dict:
    setting = coder.settings[0]
    points = parallel_map(lambda pixels: Trials(coder, pixels).point(setting, SHOWN), pictures)
    return {"codec": name, **point_row(mean_point(points))}


def tables(result: dict) -> list[Table]:
    """What `run` returns, for the terminal."""
    saved = {name: result["prior"][name] for name in ("plain", "saved", "saved_order0")}
    title = "Bits of a plain code; percent that the priors save of them, and of a table a level"
    return [
        table_of("The smallest files of others", result["lowest"]),
        table_of(title, [saved]),
    ]


def savings(pictures: list[Pixels], model: Path | None = None) -> dict:
    """Bits a code under the priors, against plain numbers and against fixed tables.

    Returns: ``bits``, per level; ``order0``, per level the entropy of the codes' frequencies on
        these very pictures (which a file could not even know); ``plain``, the bits of a code as a
        number; ``saved`` and ``saved_order0``, over all levels, in percent.
    """
    _, decoder = library.default_pair("vqvae", model)
    levels, codes = decoder.file.table("codevectors").shape[:2]
    counts, bits = np.zeros((levels, codes)), np.zeros(levels)
    for rgb in pictures:
        for level, (found, taken) in enumerate(api.code_bits(rgb, model=model)):
            bits[level] += taken
            np.add.at(counts[level], found, 1)
    each = bits / counts.sum(1)
    share = counts / counts.sum(1, keepdims=True)
    order0 = -(share * np.log2(np.where(share > 0, share, 1))).sum(1)
    plain = math.log2(codes)
    return {
        "bits": np.round(each, 3).tolist(),
        "order0": np.round(order0, 3).tolist(),
        "plain": plain,
        "saved": round(100 * (1 - float(each.mean()) / plain), 1),
        "saved_order0": round(100 * (1 - float(each.sum() / order0.sum())), 1),
    }
