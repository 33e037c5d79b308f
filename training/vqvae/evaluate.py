"""What vqvae's priors save, on real pictures and with the codes that files have."""

import math
from pathlib import Path

import numpy as np

from ...codec import api, library
from ..data import Pixels
from ..rate_distortion import measure_ours, measure_pillow

__all__ = ["run", "savings"]

# Where Pillow's other codecs stop.
LOWEST: tuple[tuple[str, dict], ...] = (
    ("JPEG", {"quality": 1, "optimize": True, "subsampling": "4:2:0"}),
    ("WEBP", {"quality": 0, "method": 6}),
    ("AVIF", {"quality": 0, "speed": 6, "subsampling": "4:4:4"}),
)


def run(pictures: list[Pixels], model: Path | None = None) -> dict:
    """What only tiny files are asked for.

    Returns: ``prior`` (see `savings`), and ``lowest``, what the smallest files of others are like.
    """
    lowest = [
        {"codec": name, **measure_pillow(pictures, name, options)} for name, options in LOWEST
    ]
    if "autoencoder" in api.installed():
        lowest.append({"codec": "autoencoder", **measure_ours(pictures, "autoencoder", 0, None)})
    return {"prior": savings(pictures, model), "lowest": lowest}


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
