"""What the denoiser takes out of white noise and real noise, and what it does to clean pictures.

White noise of a given level is added to clean pictures without clipping, with a fixed seed; the
result is rounded to 8 bits and its PSNR to the clean picture is averaged over the pictures, as in
the papers on CBSD68. A folder with files ``NAME_real.*`` and ``NAME_mean.*`` holds pairs of real
noise and truth. All rows come from default settings: the level is never given. Imports no torch.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...codec import api, library, metrics
from ...codec.comparison.text import Table
from ...codec.errors import InputError
from ..circumstances import circumstances
from ..data import SUFFIXES, Pixels
from ..rate_distortion import Progress, table_of

__all__ = ["LEVELS", "run", "tables"]

LEVELS = (10, 15, 25, 50)


def run(
    data: Path,
    model: Path | None = None,
    tune: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Figures of the denoiser on the pictures in ``data``, or in each of its subfolders.

    Arguments:
        model: a model file to evaluate instead of the shipped one.
        tune: None; there is one denoiser.
        progress: called with the share of the folders that are done, from 0 to 1.

    Returns: ``rows``, a dict each: ``set``, ``noise``, ``pictures``, PSNR of the ``noisy`` and the
        denoised pictures (``psnr``; of clean ones to themselves), mean ``gain``, the part of the
        pictures that got ``better``, mean estimated ``sigma`` and its mean relative error; and what
        they were measured with.

    Raises:
        InputError: no pictures, or a tune.
        ModelError: no model.
    """
    if tune is not None:
        raise InputError("The denoiser has no model that is tuned otherwise; leave out tune.")
    title = library.default_single("denoiser", model).title
    rows = []
    sets = list(_sets(Path(data)))
    for number, (folder, files) in enumerate(sets, 1):
        rows += _rows(folder.name, files, model)
        if progress is not None:
            progress(number / len(sets))
    return {
        "family": "denoiser",
        "model": title,
        "rows": rows,
        **circumstances(),
    }


def tables(result: dict) -> list[Table]:
    """What `run` returns, for the terminal."""
    return [table_of(result["model"], result["rows"])]


def pairs(files: list[Path]) -> list[tuple[Path, Path]]:
    """Pairs of noisy picture and truth among files."""
    truths = {f.stem.removesuffix("_mean"): f for f in files if f.stem.endswith("_mean")}
    noisy = {f.stem.removesuffix("_real"): f for f in files if f.stem.endswith("_real")}
    return [(noisy[name], truths[name]) for name in sorted(noisy.keys() & truths.keys())]


def read(path: Path) -> Pixels:
    """A picture as uint8 ``(H, W, 3)``."""
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        raise InputError(f"{path} cannot be read as a picture ({error}).") from error


def psnr(a: NDArray, b: NDArray) -> float:
    """In dB, of arrays in levels of 0..255; equal ones count as 100 dB."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return min(metrics.psnr_of_mse(error), 100.0)


def _sets(data: Path) -> Iterator[tuple[Path, list[Path]]]:
    if not data.is_dir():
        raise InputError(f"{data} is not a folder; name a folder of pictures.")
    found = False
    for folder in (data, *sorted(path for path in data.iterdir() if path.is_dir())):
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        if files:
            found = True
            yield folder, files
    if not found:
        raise InputError(f"{data} holds no pictures; name a folder of them, or of such folders.")


def _rows(name: str, files: list[Path], model: Path | None) -> list[dict]:
    real = pairs(files)
    if real:
        cases = [(read(noisy), read(truth)) for noisy, truth in real]
        return [_row(name, "real", cases, None, model)]
    pictures = [read(path) for path in files]
    rows = []
    for level in LEVELS:
        cases = []
        for number, clean in enumerate(pictures):
            random = np.random.default_rng([number, level])
            noise = random.standard_normal(clean.shape, np.float32) * np.float32(level / 255)
            cases.append((clean.astype(np.float32) / np.float32(255) + noise, clean))
        rows.append(_row(name, f"white {level}", cases, level, model))
    rows.append(_row(name, "none", [(clean, clean) for clean in pictures], None, model))
    return rows


def _row(
    name: str,
    kind: str,
    cases: list[tuple[NDArray, Pixels]],
    level: int | None,
    model: Path | None,
) -> dict:
    before, after, sigmas = [], [], []
    for noisy, clean in cases:
        result = api.denoise_detailed(noisy, model=model)
        image, sigma = np.asarray(result.image), result.sigma
        if noisy.dtype == np.float32:
            image = np.floor(np.clip(image, 0, 1) * 255 + 0.5)
            noisy = noisy * np.float32(255)
        before.append(psnr(noisy, clean))
        after.append(psnr(image, clean))
        sigmas.append(sigma)
    gains = np.array(after) - np.array(before)
    row = {
        "set": name,
        "noise": kind,
        "pictures": len(cases),
        "noisy": None if kind == "none" else round(float(np.mean(before)), 3),
        "psnr": round(float(np.mean(after)), 3),
        "gain": None if kind == "none" else round(float(gains.mean()), 3),
        "better": None if kind == "none" else round(float((gains > 0).mean()), 3),
        "sigma": round(float(np.mean(sigmas)), 3),
        "sigma_error": None,
    }
    if level is not None:
        row["sigma_error"] = round(float(np.mean(np.abs(np.array(sigmas) / level - 1))), 4)
    return row
