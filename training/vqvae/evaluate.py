"""What vqvae's priors save, on real pictures and with the codes that files have."""

import math
from pathlib import Path

import numpy as np

from ...codec import library
from ...codec.schemes.tiling import Box, Span, boxes
from ...codec.schemes.vqvae import codec as vqvae
from ...codec.schemes.vqvae.prior import TOTAL, Field, priors
from ...codec.session import Runtime
from ..data import Pixels

__all__ = ["savings"]


def savings(pictures: list[Pixels], model: Path | None = None) -> dict:
    """Bits a code under the priors, against plain numbers and against fixed tables.

    Returns: ``bits``, per level; ``order0``, per level the entropy of the codes' frequencies on
        these very pictures (which a file could not even know); ``plain``, the bits of a code as a
        number; ``saved`` and ``saved_order0``, over all levels, in percent.
    """
    encoder, decoder = library.default_pair("vqvae", model)
    runtime = Runtime()
    levels, codes = vqvae.codevectors(decoder).shape[:2]
    counts, bits = np.zeros((levels, codes)), np.zeros(levels)
    for rgb in pictures:
        z = vqvae.latent(rgb, encoder, decoder, runtime)
        whole = Box(Span(0, z.shape[1]), Span(0, z.shape[2]))
        for places in vqvae.batches(boxes(*z.shape[1:])):
            field = Field(priors(decoder), [box.size for box in places])
            parts = [z[:, *box.within(whole)] for box in places]
            for level, found, frequencies, _ in vqvae.search(
                field, parts, levels, encoder, decoder
            ):
                taken = frequencies[np.arange(found.size), found]
                bits[level] -= np.log2(taken / TOTAL).sum()
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
