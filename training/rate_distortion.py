"""Rate and distortion of a codec from real files, against JPEG and AVIF. Imports no torch.

Every picture is compressed at each quality, the file is written (to memory, whole, header
included), decoded by the runtime and measured, by `codec.comparison`; so are the files of Pillow's
JPEG (4:2:0, optimised tables) and AVIF (4:4:4, speed 6). BD-rates are taken twice: of each picture,
of which the mean counts, and of the mean curves.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..codec import api, library
from ..codec.comparison import butteraugli, compare
from ..codec.comparison.inputs import CompareInput
from ..codec.comparison.our_codecs import Ours
from ..codec.comparison.quality import QUALITY, SHOWN
from ..codec.comparison.results import Comparison, Curve, Point, Rate
from ..codec.comparison.text import Table, percent
from .circumstances import circumstances
from .data import Pixels
from .parallel import parallel_map

__all__ = [
    "AGAINST",
    "Progress",
    "figure_rows",
    "measure",
    "point_row",
    "shares",
    "table_of",
    "tables",
]

AGAINST = {"jpeg": "JPEG 4:2:0", "avif": "AVIF 4:4:4"}

Progress = Callable[[float], None]


@dataclass(frozen=True)
class _Codec(Ours):
    """A codec of ours that keeps what its model reckoned for each file, in bits per pixel."""

    estimates: dict[float, list[float]] = field(default_factory=dict, compare=False)

    def encode(self, pixels: NDArray[np.uint8], setting: float) -> bytes:
        result = self.encode_detailed(pixels, setting)
        estimate = result.estimate_bits / (result.width * result.height)
        self.estimates.setdefault(setting, []).append(estimate)
        return result.data


def measure(
    family: str,
    pictures: list[Pixels],
    model: Path | None = None,
    tune: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Figures of a codec on some pictures.

    Butteraugli is measured where `butteraugli.VARIABLE` names the program for it.

    Arguments:
        model: a model file to measure instead of the shipped one.
        tune: the shipped model to measure; None for the default one and then, under ``tuned``,
            those that are tuned otherwise.
        progress: called with the share of the work that is done, from 0 to 1.

    Returns: ``points`` (quality, bpp, psnr, ms_ssim, ssimulacra2, butteraugli, estimate_bpp:
        means), ``jpeg`` and ``avif`` (the same for Pillow's), ``rates`` (BD-rates, percent, with
        their ranges), ``bd_rate`` (of the mean curve against JPEG's) with its range in dB (``lo``,
        ``hi``), ``bd_rate_ms_ssim``, ``bd_rate_ssimulacra2`` (None where curves share no range),
        ``by_picture`` (BD-rates of each, in the order of their names), ``tuned``, and what it was
        measured with.

    Raises:
        InputError: there is no model that is tuned so.
    """
    others = library.shipped().get(family, {}).get("tuned", {}) if model is None else {}
    tunes = (None, *others) if tune is None else (tune,)
    qualities = api.quality_steps(family, model) or compare.QUALITIES
    codecs = [_Codec(family, tuple(qualities), "cpu", 1, model, each) for each in tunes]
    shown = (*SHOWN, "butteraugli") if butteraugli.is_available() else SHOWN
    comparer = compare.Comparer(
        codecs, tuple(AGAINST.values()), (), (), threads=1, model=model, shown=shown
    )
    tell = shares(len(pictures), progress)

    def report(numbered: tuple[int, Pixels]) -> compare.Report:
        number, pixels = numbered
        name = f"picture {number + 1}"
        return comparer.measure(CompareInput(name, pixels), lambda share: tell(number, share))

    found = comparer.summary(parallel_map(report, list(enumerate(pictures))))
    curves = {curve.label: curve for curve in found.curves}
    figures = [_figures(found, curves[codec.label], codec) for codec in codecs]
    tuned = dict(zip(tunes[1:], figures[1:], strict=True))
    return {
        "family": family,
        "pictures": len(pictures),
        **figures[0],
        **{name: figure_rows(curves[label]) for name, label in AGAINST.items() if label in curves},
        **({"tuned": tuned} if tuned else {}),
        **circumstances(found.versions),
    }


def figure_rows(curve: Curve) -> list[dict]:
    """The points of a curve as results files have them."""
    return [point_row(point) for point in curve.points]


def point_row(point: Point) -> dict:
    """A file's figures, rounded, without those that are unknown."""
    row = {"quality": point.setting, "bpp": point.bpp}
    row |= {name: getattr(point, name) for name in QUALITY}
    if point.ms_ssim is not None:
        row["ms_ssim_db"] = QUALITY["ms_ssim"].scale(point.ms_ssim)
    return {name: _rounded(value, 5) for name, value in row.items() if value is not None}


def tables(result: dict) -> list[Table]:
    """What `measure` returns, for the terminal."""
    found = []
    for each in (result, *result.get("tuned", {}).values()):
        measures = list(dict.fromkeys(rate["measure"] for rate in each["rates"]))
        rows: dict[str, dict[str, str]] = {}
        for rate in each["rates"]:
            text = percent(rate["percent"])
            if rate["percent"] is not None:
                text += f" ({rate['lo']:.4g} to {rate['hi']:.4g})"
            rows.setdefault(f"{rate['against']}, {rate['of']}", {})[rate["measure"]] = text
        title = f"{each['decoder']}, {result['pictures']} pictures: BD-rate (and over what)"
        header = ("against", *(f"at equal {QUALITY[name].title}" for name in measures))
        lines = [(name, *(row.get(key, "") for key in measures)) for name, row in rows.items()]
        foot = "Butteraugli's range is that of its 3-norm, negated."
        if "butteraugli" not in measures:
            foot = f"Butteraugli is left out: {butteraugli.VARIABLE} names no program for it."
        found += [
            Table(title, header, tuple(lines), foot),
            table_of("Means over the pictures", each["points"]),
        ]
    return found


def table_of(title: str, rows: Sequence[dict]) -> Table:
    """Rows of equal names as a table."""
    return Table(title, tuple(rows[0]), tuple(tuple(map(_text, row.values())) for row in rows))


def _figures(found: Comparison, curve: Curve, codec: _Codec) -> dict:
    """Of one of our codecs, among all that was measured."""
    mean_curves = {
        rate.measure: rate
        for rate in found.rates
        if (rate.label, rate.against) == (curve.label, AGAINST["jpeg"])
    }
    jpeg = mean_curves["psnr"]
    others = {
        f"bd_rate_{name}": _rounded(mean_curves[name].percent)
        for name in ("ms_ssim", "ssimulacra2")
        if name in mean_curves
    }
    return {
        "decoder": found.versions[curve.label],
        **({"tune": codec.tune} if codec.tune else {}),
        "bd_rate": _rounded(jpeg.percent),
        "lo": _rounded(jpeg.lo),
        "hi": _rounded(jpeg.hi),
        **others,
        "rates": [
            *(_rate_row(each, "mean of pictures") for each in _of(found.averages, curve)),
            *(_rate_row(each, "mean curves") for each in _of(found.rates, curve)),
        ],
        "by_picture": [
            _rate_row(each, report.name)
            for report in found.pictures
            for each in _of(report.rates, curve)
        ],
        "points": [
            row | {"estimate_bpp": round(float(np.mean(codec.estimates[row["quality"]])), 5)}
            for row in figure_rows(curve)
        ],
    }


def _of(rates: Sequence[Rate], curve: Curve) -> list[Rate]:
    return [rate for rate in rates if rate.label == curve.label]


def _rate_row(rate: Rate, of: str) -> dict:
    names = ("percent", "lo", "hi")
    figures = {name: _rounded(getattr(rate, name)) for name in names}
    return {"against": rate.against, "measure": rate.measure, "of": of, **figures} | (
        {"pictures": rate.pictures} if of.startswith("mean") else {}
    )


def shares(parts: int, progress: Progress | None) -> Callable[[int, float], None]:
    """Takes the share that is done of each part, from any thread, and tells that of the whole."""
    done = [0.0] * parts
    lock = threading.Lock()

    def tell(part: int, share: float) -> None:
        with lock:
            done[part] = share
            if progress is not None:
                progress(sum(done) / parts)

    return tell


def _rounded(value: float | None, places: int = 2) -> float | None:
    """None where it is infinite, which JSON has no number for."""
    return None if value is None or not math.isfinite(value) else round(value, places)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
