"""Rate and distortion of the installed models, from real files that are decoded again.

Every picture is compressed at each quality, the file is written (to memory, whole, header
included) and decoded by the runtime, and the mean curve over the pictures is compared with that
of Pillow's JPEG (4:2:0, optimised tables) by its BD-rate. Imports no torch.
"""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL

from .. import __version__
from ..codec import api, library, metrics
from ..codec.comparison import compare
from ..codec.comparison import plot as chart
from ..codec.comparison.results import Curve, Point
from ..codec.errors import InputError
from ..codec.session import ONNXRUNTIME_VERSION
from .data import Pixels, load_whole
from .evaluations import EVALUATIONS
from .rate_distortion import measure_jpeg, measure_ours

__all__ = ["QUALITIES", "published", "run", "run_all"]

QUALITIES = tuple(range(0, 101, 10))
JPEG_QUALITIES = (5, 10, 20, 35, 50, 75, 90, 95)


def run(family: str, data: Path, model: Path | None = None) -> dict:
    """Figures of ``family`` on the pictures under ``data``.

    Arguments:
        model: a model file to evaluate instead of the shipped one.

    Returns: ``points`` (quality, bpp, psnr, ms_ssim, ssimulacra2, estimate_bpp: means),
        ``jpeg`` (the same for Pillow's JPEG), what `EVALUATIONS` adds for the family,
        ``bd_rate`` in percent with its range in dB
        (``lo``, ``hi``), ``bd_rate_ms_ssim``, ``bd_rate_ssimulacra2`` (None where curves share no
        range), ``tuned`` (the same of shipped models that are tuned otherwise, by tune), and what
        it was measured with.

    Raises:
        InputError: an unknown family, or no pictures.
    """
    if family not in api.CODECS:
        known = ", ".join(api.CODECS)
        raise InputError(f"There is no family {family!r} to evaluate; known: {known}.")
    pictures = load_whole(Path(data))
    evaluation = EVALUATIONS[family]
    qualities = (*evaluation.lower_jpeg_qualities, *JPEG_QUALITIES)
    jpeg = [measure_jpeg(pictures, quality) for quality in qualities]
    tunes = library.shipped().get(family, {}).get("tuned", {}) if model is None else {}
    tuned = {tune: _against(jpeg, pictures, family, None, tune) for tune in tunes}
    return {
        "family": family,
        "pictures": len(pictures),
        **_against(jpeg, pictures, family, model),
        "jpeg": jpeg,
        **({"tuned": tuned} if tuned else {}),
        **evaluation.more(pictures, model),
        **_circumstances(),
    }


def _against(
    jpeg: list[dict],
    pictures: list[Pixels],
    family: str,
    model: Path | None,
    tune: str | None = None,
) -> dict:
    """One curve of ours, and how it compares with JPEG's."""
    qualities = api.quality_steps(family, model) or QUALITIES
    points = [measure_ours(pictures, family, quality, model, tune) for quality in qualities]
    rate = _bd_rate(jpeg, points, "psnr")
    similarity = _bd_rate(jpeg, points, "ms_ssim_db")
    visual = _bd_rate(jpeg, points, "ssimulacra2")
    first = api.compress(pictures[0], codec=family, model=model, tune=tune)
    return {
        "decoder": api.info(first).decoder,
        "bd_rate": rate and round(rate.percent, 2),
        "lo": rate and round(rate.lo, 2),
        "hi": rate and round(rate.hi, 2),
        "bd_rate_ms_ssim": similarity and round(similarity.percent, 2),
        "bd_rate_ssimulacra2": visual and round(visual.percent, 2),
        "points": points,
    }


def run_all(
    data: Path,
    out: Path | None = None,
    model: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[dict]:
    """Writes the results of every family, and of the comparison with other codecs, to a folder.

    There is ``FAMILY.json`` (what `run` returns) for each family, ``compare.json`` (mean curves and
    BD-rates of the default codec against what Pillow has, of the means and of each picture,
    numbered in the order of their names), and, where the pictures are Kodak's, ``kodak.svg``: our
    curves among published ones.

    Arguments:
        data: a folder of pictures, at least 161 pixels each way.
        out: the folder to write to; None for that of the shipped results.
        model: a model file to evaluate instead of the shipped ones.
        progress: called with the share of the comparison that is done, from 0 to 1.

    Returns: what `run` returned for each family.
    """
    chart.require()
    pictures = load_whole(Path(data))
    results = [run(family, data, model) for family in api.installed(model)]
    found = compare.compare(pictures, qualities=(), model=model, progress=progress)
    comparison = {
        "curves": [asdict(curve) for curve in found.curves],
        "rates": [asdict(rate) for rate in found.rates],
        "pictures": [
            {"name": report.name, "rates": [asdict(rate) for rate in report.rates]}
            for report in found.pictures
        ],
        "notes": found.notes,
        **_circumstances(found.versions),
    }
    out = library.PRETRAINED / "results" if out is None else Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, value in [*((each["family"], each) for each in results), ("compare", comparison)]:
        text = json.dumps(value, indent=1) + "\n"
        (out / f"{name}.json").write_text(text, encoding="utf-8")
    if _is_kodak(pictures):
        ours = [_curve(each) for each in results]
        (out / "kodak.svg").write_bytes(chart.draw([*ours, *published()], "svg", "Kodak, means"))
    return results


def published() -> list[Curve]:
    """Mean curves over Kodak as published, from ``published.json``, where their sources stand."""
    text = Path(__file__).with_name("published.json").read_text("utf-8")
    return [
        Curve(
            name,
            "theirs",
            tuple(
                Point(0, 0, bpp, psnr)
                for bpp, psnr in zip(curve["bpp"], curve["psnr"], strict=True)
            ),
        )
        for name, curve in json.loads(text)["curves"].items()
    ]


def _curve(result: dict) -> Curve:
    points = (Point(row["quality"], 0, row["bpp"], row["psnr"]) for row in result["points"])
    return Curve(f"gencodec {result['family']}", "ours", tuple(points))


def _is_kodak(pictures: list[Pixels]) -> bool:
    # By their number and sizes; the published means tell nothing beside those of other pictures.
    return len(pictures) == 24 and all(sorted(p.shape) == [3, 512, 768] for p in pictures)


def _circumstances(more: dict[str, str] | None = None) -> dict:
    """What was measured with, where and when."""
    return {
        "versions": {
            "gencodec": __version__,
            "onnxruntime": ONNXRUNTIME_VERSION,
            "pillow": PIL.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            **(more or {}),
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _bd_rate(jpeg: list[dict], points: list[dict], measure: str) -> metrics.BDRate | None:
    theirs, ours = ([row[measure] for row in rows] for rows in (jpeg, points))
    if max(min(theirs), min(ours)) >= min(max(theirs), max(ours)):
        return None  # JPEG ends above, or is not as good as, all of ours
    return metrics.bd_rate(
        [row["bpp"] for row in jpeg], theirs, [row["bpp"] for row in points], ours
    )
