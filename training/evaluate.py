"""Rate and distortion of the installed models, from real files that are decoded again.

Every picture is compressed at each quality, the file is written (to memory, whole, header
included) and decoded by the runtime, and the mean curve over the pictures is compared with that
of Pillow's JPEG (4:2:0, optimised tables) by its BD-rate. Imports no torch.
"""

import io
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import PIL
from PIL import Image

from .. import __version__
from ..codec import api, library, metrics
from ..codec.comparison import compare
from ..codec.comparison import plot as chart
from ..codec.comparison.results import Curve, Point
from ..codec.errors import InputError
from .data import Pixels, load_whole
from .flow import evaluate as evaluate_flow
from .parallel import parallel_map
from .vqvae import evaluate as evaluate_vqvae

__all__ = ["QUALITIES", "published", "run", "run_all"]

QUALITIES = tuple(range(0, 101, 10))
JPEG_QUALITIES = (5, 10, 20, 35, 50, 75, 90, 95)
# Where Pillow's other codecs stop.
LOWEST: tuple[tuple[str, dict], ...] = (
    ("JPEG", {"quality": 1, "optimize": True, "subsampling": "4:2:0"}),
    ("WEBP", {"quality": 0, "method": 6}),
    ("AVIF", {"quality": 0, "speed": 6, "subsampling": "4:4:4"}),
)
JPEG_LOW = (1, 2, 3)  # as well for vqvae, most of whose files are smaller than all of these


def run(family: str, data: Path, model: Path | None = None) -> dict:
    """Figures of ``family`` on the pictures under ``data``.

    Arguments:
        model: a model file to evaluate instead of the shipped one.

    Returns: ``points`` (quality, bpp, psnr, ms_ssim, estimate_bpp: means over the pictures),
        ``jpeg`` (the same for Pillow's JPEG), for vqvae ``prior`` (see `evaluate_vqvae`)
        and ``lowest`` (what the smallest files of others are like),
        ``bd_rate`` in percent with its range in dB
        (``lo``, ``hi``), ``bd_rate_ms_ssim`` (all None where the curves share no
        range), ``tuned`` (the same of shipped models that are tuned otherwise, by tune), and what
        it was measured with.

    Raises:
        InputError: an unknown family, or no pictures.
    """
    if family not in api.CODECS:
        known = ", ".join(api.CODECS)
        raise InputError(f"There is no family {family!r} to evaluate; known: {known}.")
    pictures = load_whole(Path(data))
    low = JPEG_LOW if family == "vqvae" else ()
    jpeg = [_jpeg(pictures, quality) for quality in (*low, *JPEG_QUALITIES)]
    tunes = library.shipped().get(family, {}).get("tuned", {}) if model is None else {}
    tuned = {tune: _against(jpeg, pictures, family, None, tune) for tune in tunes}
    more = evaluate_flow.run(pictures, model) if family == "flow" else {}
    return {
        "family": family,
        "pictures": len(pictures),
        **_against(jpeg, pictures, family, model),
        "jpeg": jpeg,
        **({"tuned": tuned} if tuned else {}),
        **(_of_vqvae(pictures, model) if family == "vqvae" else {}),
        **more,
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
    points = [_ours(pictures, family, quality, model, tune) for quality in qualities]
    rate = _bd_rate(jpeg, points, "psnr")
    similarity = _bd_rate(jpeg, points, "ms_ssim_db")
    first = api.compress(pictures[0], codec=family, model=model, tune=tune)
    return {
        "decoder": api.info(first).decoder,
        "bd_rate": rate and round(rate.percent, 2),
        "lo": rate and round(rate.lo, 2),
        "hi": rate and round(rate.hi, 2),
        "bd_rate_ms_ssim": similarity and round(similarity.percent, 2),
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
            "onnxruntime": onnxruntime.__version__,
            "pillow": PIL.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            **(more or {}),
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _ours(
    pictures: list[Pixels],
    family: str,
    quality: float,
    model: Path | None,
    tune: str | None = None,
) -> dict:
    def row(picture: Pixels) -> dict:
        result = api.compress_detailed(
            picture, codec=family, quality=quality, threads=1, model=model, tune=tune
        )
        decoded = np.asarray(api.decompress(result.data, threads=1, model=model).convert("RGB"))
        found = _measure(picture, decoded, len(result.data))
        found["estimate_bpp"] = result.estimate_bits / (result.width * result.height)
        return found

    return {"quality": quality, **_means(parallel_map(row, pictures))}


def _of_vqvae(pictures: list[Pixels], model: Path | None) -> dict:
    """What only tiny files are asked for: the priors' worth, and where others stop."""
    lowest = [{"codec": name, **_pillow(pictures, name, options)} for name, options in LOWEST]
    if "autoencoder" in api.installed():
        lowest.append({"codec": "autoencoder", **_ours(pictures, "autoencoder", 0, None)})
    return {"prior": evaluate_vqvae.savings(pictures, model), "lowest": lowest}


def _jpeg(pictures: list[Pixels], quality: int) -> dict:
    options = {"quality": quality, "optimize": True, "subsampling": "4:2:0"}
    return {"quality": quality, **_pillow(pictures, "JPEG", options)}


def _pillow(pictures: list[Pixels], name: str, options: dict) -> dict:
    def row(picture: Pixels) -> dict:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, name, **options)
        decoded = np.asarray(Image.open(buffer).convert("RGB"))
        return _measure(picture, decoded, buffer.tell())

    return _means(parallel_map(row, pictures))


def _measure(original: Pixels, decoded: Pixels, size: int) -> dict:
    height, width = original.shape[:2]
    row = {"bpp": metrics.bpp(size, width, height), "psnr": metrics.psnr(original, decoded)}
    row["ms_ssim"] = metrics.ms_ssim(original, decoded)
    return row


def _means(rows: list[dict]) -> dict:
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["ms_ssim_db"] = -10 * float(np.log10(1 - means["ms_ssim"]))
    return {name: round(value, 5) for name, value in means.items()}


def _bd_rate(jpeg: list[dict], points: list[dict], measure: str) -> metrics.BDRate | None:
    theirs, ours = ([row[measure] for row in rows] for rows in (jpeg, points))
    if max(min(theirs), min(ours)) >= min(max(theirs), max(ours)):
        return None  # JPEG ends above, or is not as good as, all of ours
    return metrics.bd_rate(
        [row["bpp"] for row in jpeg], theirs, [row["bpp"] for row in points], ours
    )
