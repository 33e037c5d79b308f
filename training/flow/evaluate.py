"""What only `flow` promises, from real files: every bit kept, and saving again without decay."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ...codec import api, metrics
from ...codec.comparison.text import Table
from ..data import Pixels
from ..parallel import parallel_map
from ..rate_distortion import table_of

__all__ = ["run", "tables"]

AGAIN_QUALITIES = (20, 50, 70, 90)
SAVES, SHOWN = 50, (1, 5, 15, 50)
SAVED_QUALITIES = (20, 80)
# Ours in that table, with their tunes: of the default codec the pair for PSNR, which is measured.
SAVED = {"flow": ("flow", None), "autoencoder --tune psnr": ("autoencoder", "psnr")}


def run(pictures: list[Pixels], model: Path | None = None) -> dict:
    """Figures beside the rate-distortion curve.

    Returns: ``lossless`` (``bpp``: mean, ``identical``: pictures that came back bit by bit),
        ``again`` (per quality, how many second files equal the first, byte for byte), and
        ``saves`` (mean PSNR to the original after 1, 5, 15 and 50 saves, beside other codecs).
    """
    exact = parallel_map(lambda picture: _lossless(picture, model), pictures)
    return {
        "lossless": {
            "bpp": round(float(np.mean([bpp for bpp, _ in exact])), 5),
            "identical": sum(same for _, same in exact),
        },
        "again": [_again(pictures, quality, model) for quality in AGAIN_QUALITIES],
        "saves": [_saves(pictures, quality, model) for quality in SAVED_QUALITIES],
    }


def tables(result: dict) -> list[Table]:
    """What `run` returns, for the terminal."""
    found = [
        table_of("Lossless", [result["lossless"]]),
        table_of("Second file equals the first", result["again"]),
    ]
    for saves in result["saves"]:
        rows = [
            {"codec": name, **{str(n): v for n, v in zip(saves["after"], row, strict=True)}}
            for name, row in saves["psnr"].items()
        ]
        found.append(table_of(f"PSNR after so many saves at quality {saves['quality']}", rows))
    return found


def _lossless(picture: Pixels, model: Path | None) -> tuple[float, bool]:
    data = api.compress(picture, "flow", lossless=True, threads=1, model=model)
    back = np.asarray(api.decompress(data, threads=1, model=model).convert("RGB"))
    height, width = picture.shape[:2]
    return metrics.bpp(len(data), width, height), np.array_equal(back, picture)


def _again(pictures: list[Pixels], quality: int, model: Path | None) -> dict:
    def same(picture: Pixels) -> bool:
        first = api.compress(picture, "flow", quality, threads=1, model=model)
        decoded = np.asarray(api.decompress(first, threads=1, model=model).convert("RGB"))
        return api.compress(decoded, "flow", quality, threads=1, model=model) == first

    return {
        "quality": quality,
        "identical": sum(parallel_map(same, pictures)),
        "pictures": len(pictures),
    }


def _saves(pictures: list[Pixels], quality: int, model: Path | None) -> dict:
    """Mean PSNR after so many saves; each codec's own quality of that number."""
    table: dict[str, list[float]] = {}
    for name in (*SAVED, "JPEG", "WEBP", "AVIF"):
        rows = parallel_map(
            lambda picture, name=name: _decay(picture, name, quality, model), pictures
        )
        table[name] = [round(float(value), 3) for value in np.mean(rows, 0)]
    return {"quality": quality, "after": list(SHOWN), "psnr": table}


def _decay(picture: Pixels, name: str, quality: int, model: Path | None) -> list[float]:
    now, row, still = picture, [], False
    for count in range(1, SAVES + 1):
        if not still:  # a codec that gave back what it was given will do so for ever
            saved = _save(now, name, quality, model)
            still, now = np.array_equal(saved, now), saved
        if count in SHOWN:
            row.append(metrics.psnr(picture, now))
    return row


def _save(pixels: Pixels, name: str, quality: int, model: Path | None) -> Pixels:
    if name in SAVED:
        codec, tune = SAVED[name]
        given = model if codec == "flow" else None
        data = api.compress(pixels, codec, quality, threads=1, model=given, tune=tune)
        return np.asarray(api.decompress(data, threads=1, model=given).convert("RGB"))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, name, quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))
