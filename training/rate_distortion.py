"""Rate and distortion from real files: each is written, whole, decoded again and measured."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..codec import api, metrics
from .data import Pixels
from .parallel import parallel_map

__all__ = ["measure_jpeg", "measure_ours", "measure_pillow"]


def measure_ours(
    pictures: list[Pixels],
    family: str,
    quality: float,
    model: Path | None,
    tune: str | None = None,
) -> dict:
    """Means over pictures of one of our codecs at one quality.

    Returns: ``quality``, ``bpp`` of whole files, ``psnr``, ``ms_ssim``, ``ms_ssim_db``,
        ``ssimulacra2``, and ``estimate_bpp``, the model's own.
    """

    def row(picture: Pixels) -> dict:
        result = api.compress_detailed(
            picture, codec=family, quality=quality, threads=1, model=model, tune=tune
        )
        decoded = np.asarray(api.decompress(result.data, threads=1, model=model).convert("RGB"))
        found = _measure(picture, decoded, len(result.data))
        found["estimate_bpp"] = result.estimate_bits / (result.width * result.height)
        return found

    return {"quality": quality, **_means(parallel_map(row, pictures))}


def measure_jpeg(pictures: list[Pixels], quality: int) -> dict:
    """The same of Pillow's JPEG (4:2:0, optimised tables)."""
    options = {"quality": quality, "optimize": True, "subsampling": "4:2:0"}
    return {"quality": quality, **measure_pillow(pictures, "JPEG", options)}


def measure_pillow(pictures: list[Pixels], name: str, options: dict) -> dict:
    """The same of a format that Pillow writes with ``options``, without the quality."""

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
    row["ssimulacra2"] = metrics.ssimulacra2(original, decoded)
    return row


def _means(rows: list[dict]) -> dict:
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["ms_ssim_db"] = metrics.ms_ssim_db(means["ms_ssim"])
    return {name: round(value, 5) for name, value in means.items()}
