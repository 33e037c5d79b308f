"""Rate and distortion of the installed models, from real files that are decoded again.

Every picture is compressed at each quality, the file is written (to memory, whole, header
included) and decoded by the runtime, and the mean curve over the pictures is compared with that
of Pillow's JPEG (4:2:0, optimised tables) by its BD-rate. Imports no torch.
"""

import io
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import PIL
from PIL import Image

from .. import __version__
from ..codec import api, metrics
from ..codec.errors import InputError
from .data import Pixels, load_whole

__all__ = ["QUALITIES", "run"]

QUALITIES = tuple(range(0, 101, 10))
JPEG_QUALITIES = (5, 10, 20, 35, 50, 75, 90, 95)


def run(family: str, data: Path, model: Path | None = None) -> dict:
    """Figures of ``family`` on the pictures under ``data``.

    Arguments:
        model: a model file to evaluate instead of the shipped one.

    Returns: ``points`` (quality, bpp, psnr, ms_ssim, estimate_bpp: means over the pictures),
        ``jpeg`` (the same for Pillow's JPEG), ``bd_rate`` in percent with its range in dB
        (``lo``, ``hi``), ``bd_rate_ms_ssim``, and what it was measured with.

    Raises:
        InputError: an unknown family, or no pictures.
    """
    if family not in api.CODECS:
        known = ", ".join(api.CODECS)
        raise InputError(f"There is no family {family!r} to evaluate; known: {known}.")
    pictures = load_whole(Path(data))
    points = [_ours(pictures, family, quality, model) for quality in QUALITIES]
    jpeg = [_jpeg(pictures, quality) for quality in JPEG_QUALITIES]
    rate = _bd_rate(jpeg, points, "psnr")
    similarity = _bd_rate(jpeg, points, "ms_ssim_db")
    decoder = api.info(api.compress(pictures[0], codec=family, model=model)).decoder
    return {
        "family": family,
        "decoder": decoder,
        "pictures": len(pictures),
        "bd_rate": round(rate.percent, 2),
        "lo": round(rate.lo, 2),
        "hi": round(rate.hi, 2),
        "bd_rate_ms_ssim": round(similarity.percent, 2),
        "points": points,
        "jpeg": jpeg,
        "versions": {
            "gencodec": __version__,
            "onnxruntime": onnxruntime.__version__,
            "pillow": PIL.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _ours(pictures: list[Pixels], family: str, quality: int, model: Path | None) -> dict:
    rows = []
    for picture in pictures:
        result = api.compress_detailed(picture, codec=family, quality=quality, model=model)
        decoded = np.asarray(api.decompress(result.data, model=model).convert("RGB"))
        row = _measure(picture, decoded, len(result.data))
        row["estimate_bpp"] = result.estimate_bits / (result.width * result.height)
        rows.append(row)
    return {"quality": quality, **_means(rows)}


def _jpeg(pictures: list[Pixels], quality: int) -> dict:
    rows = []
    for picture in pictures:
        buffer = io.BytesIO()
        image = Image.fromarray(picture)
        image.save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
        decoded = np.asarray(Image.open(buffer).convert("RGB"))
        rows.append(_measure(picture, decoded, buffer.tell()))
    return {"quality": quality, **_means(rows)}


def _measure(original: Pixels, decoded: Pixels, size: int) -> dict:
    height, width = original.shape[:2]
    row = {"bpp": metrics.bpp(size, width, height), "psnr": metrics.psnr(original, decoded)}
    row["ms_ssim"] = metrics.ms_ssim(original, decoded)
    return row


def _means(rows: list[dict]) -> dict:
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["ms_ssim_db"] = -10 * float(np.log10(1 - means["ms_ssim"]))
    return {name: round(value, 5) for name, value in means.items()}


def _bd_rate(jpeg: list[dict], points: list[dict], measure: str) -> metrics.BDRate:
    return metrics.bd_rate(
        [row["bpp"] for row in jpeg],
        [row[measure] for row in jpeg],
        [row["bpp"] for row in points],
        [row[measure] for row in points],
    )
