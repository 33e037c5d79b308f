"""What a user who names no codec gets of each picture, beside WebP lossless and AVIF.

For folders of mixed pictures: what is exact is held against lossless WebP, what is not against AVIF
of equal SSIMULACRA2 and of equal size. `tests/benchmarks/screenshots.py` draws such a folder.
Imports no torch.
"""

import io
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from ..codec import api
from ..codec.comparison.our_codecs import Ours
from ..codec.comparison.quality import QUALITY
from ..codec.comparison.reference_codecs import ReferenceCodec, available_codecs, versions
from ..codec.comparison.search import Sample, Trials
from ..codec.comparison.text import Table
from .circumstances import circumstances
from .data import Pixels, load_named
from .parallel import parallel_map
from .rate_distortion import AGAINST, Progress, shares

__all__ = ["measure", "tables"]

SCORE = QUALITY["ssimulacra2"]
DEFAULT = 50  # the quality of `gencodec compress`
PARTS = 4  # of the work on a picture, as progress tells it


def measure(
    data: Path, model: Path | None, tune: str | None, progress: Progress | None = None
) -> dict:
    """Figures of what is chosen at the default quality for the pictures in a folder.

    Returns: ``chosen`` (a row a picture: its name, codec, quality, bytes, whether it is exact,
        SSIMULACRA2, bytes of lossless WebP, and ``avif_same_score`` and ``avif_same_bytes``, the
        smallest AVIF that is as good and the one that is as large; None where there is none),
        ``codecs`` (how many pictures became which), ``bytes`` and ``webp_lossless`` (sums over
        what is exact), and what it was measured with.
    """
    pictures = load_named(data)
    avif = next(iter(available_codecs([AGAINST["avif"]])[0]), None)
    tell = shares(len(pictures), progress)

    def row(numbered: tuple[int, tuple[str, Pixels]]) -> dict:
        number, (name, pixels) = numbered
        ours = Ours(api.AUTO, (DEFAULT,), "cpu", 1, model, tune)
        found = ours.encode_detailed(pixels, DEFAULT)
        decoded = ours.decode(found.data)
        score = SCORE.measure(pixels, decoded) if SCORE.fits(pixels.shape) else None
        tell(number, 1 / PARTS)
        lossless = _webp_lossless(pixels)
        tell(number, 2 / PARTS)
        others = {} if avif is None or score is None else _avif(avif, pixels, found, score)
        tell(number, 1.0)
        return {
            "name": name,
            "codec": found.codec,
            "quality": found.quality,
            "bytes": len(found.data),
            "exact": bool(np.array_equal(decoded, pixels)),
            "ssimulacra2": None if score is None else round(score, 2),
            "webp_lossless": lossless,
            **others,
            "why": found.why,
        }

    rows = parallel_map(row, list(enumerate(pictures)))
    exact = [each for each in rows if each["exact"]]
    return {
        "family": api.AUTO,
        "pictures": len(rows),
        "codecs": dict(Counter(each["codec"] for each in rows)),
        "bytes": sum(each["bytes"] for each in exact),
        "webp_lossless": sum(each["webp_lossless"] for each in exact),
        "chosen": rows,
        **circumstances(versions([AGAINST["avif"]])),
    }


def tables(result: dict) -> list[Table]:
    """What `measure` returns, for the terminal."""
    header = ("picture", "codec", "quality", "bytes", "SSIMULACRA2", "WebP lossless")
    header += ("AVIF as good", "AVIF as large: SSIMULACRA2")
    rows = []
    for each in result["chosen"]:
        good, large = each.get("avif_same_score"), each.get("avif_same_bytes")
        score = each["ssimulacra2"]
        rows.append(
            (
                each["name"],
                each["codec"],
                f"{each['quality']:g}",
                f"{each['bytes']:,}",
                "exact" if each["exact"] else "-" if score is None else f"{score:.1f}",
                f"{each['webp_lossless']:,}",
                "not reached" if good is None else f"{good['bytes']:,}",
                "-" if large is None else f"{large['ssimulacra2']:.1f}",
            )
        )
    foot = ", ".join(f"{count} {name}" for name, count in result["codecs"].items()) + "."
    if result["webp_lossless"]:
        ratio = result["bytes"] / result["webp_lossless"]
        foot += f" What is exact takes {ratio:.3f} of WebP's bytes."
    return [Table(f"What is chosen at quality {DEFAULT}", header, tuple(rows), foot)]


def _webp_lossless(pixels: Pixels) -> int:
    """Bytes of Pillow's lossless WebP, method 6."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, method=6)
    return len(buffer.getvalue())


def _avif(
    codec: ReferenceCodec, pixels: Pixels, ours: api.CompressResult, score: float
) -> dict[str, dict | None]:
    trials = Trials(codec, pixels)

    def row(sample: Sample | None) -> dict | None:
        if sample is None:
            return None
        found = trials.measure(sample.setting, ("ssimulacra2",))["ssimulacra2"]
        return {
            "quality": sample.setting,
            "bytes": len(sample.data),
            "ssimulacra2": round(found, 2),
        }

    return {
        "avif_same_score": row(trials.reach("ssimulacra2", score)),
        "avif_same_bytes": row(trials.reach("bytes", len(ours.data))),
    }
