"""What a comparison found: plain dataclasses, the means over pictures, and BD-rates.

Example:
    >>> ours = Curve("ours", "ours", tuple(Point(q, 0, 0.1 * q, 20.0 + q) for q in (1, 2, 3)))
    >>> theirs = Curve("theirs", "theirs", tuple(Point(q, 0, 0.2 * q, 20.0 + q) for q in (1, 2, 3)))
    >>> f"{rate(ours, theirs, 'psnr').percent:.1f}"
    '-50.0'
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .. import metrics
from ..errors import InputError

__all__ = [
    "Comparison",
    "Curve",
    "Match",
    "Point",
    "Rate",
    "Report",
    "Row",
    "mean_curves",
    "mean_rates",
    "quality_of",
    "rate",
]


@dataclass(frozen=True)
class Point:
    """A file: the codec's setting, size, bits per pixel, PSNR in dB and MS-SSIM.

    PSNR is infinite where the decoded picture is the original; MS-SSIM is None where it was not
    asked for or the picture is too small.  In means over pictures `bytes` is rounded.
    """

    setting: float
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None = None


@dataclass(frozen=True)
class Curve:
    """Files of one codec along its settings; `kind` is "ours" or "theirs"."""

    label: str
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Match:
    """The file of another codec that is at least as good as ours (or, for "bytes", as large).

    Attributes:
        label: of the other codec.
        measure: "psnr", "ms_ssim" or "bytes".
        target: what ours has.
        point: the file, or None: no setting of that codec reaches the target.
        saving: percent of that file's bytes that ours saves; less than 0 where ours is larger.
        lowest: the file is of the codec's lowest setting, so it cannot be made smaller or worse.
    """

    label: str
    measure: str
    target: float
    point: Point | None
    saving: float | None
    lowest: bool


@dataclass(frozen=True)
class Row:
    """One file of ours, and those of the others that match it."""

    codec: str
    quality: float
    point: Point
    matches: tuple[Match, ...]


@dataclass(frozen=True)
class Rate:
    """BD-rate of ours against another codec: percent more bits at equal quality, or fewer (< 0).

    Attributes:
        label, against: of ours and of the other codec.
        measure: "psnr" or "ms_ssim" (compared on its scale in dB).
        percent: None where the curves cannot be compared.
        lo, hi: the range in dB in which the curves overlap, over which it is taken.
        pictures: how many the curves are means of.
        reason: why there is no percent.
    """

    label: str
    against: str
    measure: str
    percent: float | None
    lo: float | None
    hi: float | None
    pictures: int = 1
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """What was found for one picture."""

    name: str
    width: int
    height: int
    grey: bool
    notes: tuple[str, ...]
    curves: tuple[Curve, ...]
    rows: tuple[Row, ...]
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Comparison:
    """What was found for all pictures.

    Attributes:
        pictures: one report each.
        curves: means over the pictures that the codec could hold, of bits per pixel, PSNR and
            MS-SSIM at each setting.
        rates: BD-rates of the mean curves, over the pictures that both codecs have.
        notes: sentences on the whole.
        versions: our decoders, and what wrote the others' files.
    """

    pictures: tuple[Report, ...]
    curves: tuple[Curve, ...]
    rates: tuple[Rate, ...]
    notes: tuple[str, ...]
    versions: dict[str, str]


def quality_of(point: Point, measure: str) -> float | None:
    """PSNR, or MS-SSIM on its scale in dB; None where there is none or it is infinite."""
    value = point.psnr if measure == "psnr" else point.ms_ssim
    if value is not None and measure == "ms_ssim":
        value = metrics.ms_ssim_db(value)
    return value if value is not None and math.isfinite(value) else None


def rate(ours: Curve, theirs: Curve, measure: str, pictures: int = 1) -> Rate:
    """BD-rate of a curve of ours against another."""
    points = []
    for curve in (theirs, ours):
        # Of files of one quality the smallest counts: BD-rate needs one rate for each.
        best: dict[float, float] = {}
        for point in curve.points:
            if (value := quality_of(point, measure)) is not None:
                best[value] = min(point.bpp, best.get(value, math.inf))
        points += [list(best.values()), list(best)]
    try:
        found = metrics.bd_rate(*points)
    except InputError as error:
        return Rate(ours.label, theirs.label, measure, None, None, None, pictures, str(error))
    lo, hi = found.lo, found.hi
    return Rate(ours.label, theirs.label, measure, found.percent, lo, hi, pictures)


def mean_curves(reports: Sequence[Report]) -> tuple[Curve, ...]:
    """The mean curve of each codec over the pictures it could hold."""
    kinds = {curve.label: curve.kind for report in reports for curve in report.curves}
    labels = sorted(kinds, key=lambda label: kinds[label] != "ours")  # ours first, else as found
    return tuple(_mean(reports, label) for label in labels)


def mean_rates(reports: Sequence[Report]) -> tuple[Rate, ...]:
    """BD-rates of mean curves, each pair over the pictures that both codecs could hold."""
    rates = []
    pairs = dict.fromkeys(
        (each.label, each.against, each.measure) for r in reports for each in r.rates
    )
    for label, against, measure in pairs:
        both = [
            report
            for report in reports
            if any(
                (r.label, r.against, r.measure) == (label, against, measure) for r in report.rates
            )
        ]
        rates.append(rate(_mean(both, label), _mean(both, against), measure, len(both)))
    return tuple(rates)


def _mean(reports: Sequence[Report], label: str) -> Curve:
    curves = [curve for report in reports for curve in report.curves if curve.label == label]
    points = []
    for same in zip(*(curve.points for curve in curves), strict=True):
        similarity = [point.ms_ssim for point in same if point.ms_ssim is not None]
        points.append(
            Point(
                same[0].setting,
                round(_average([point.bytes for point in same])),
                _average([point.bpp for point in same]),
                _average([point.psnr for point in same]),
                _average(similarity) if len(similarity) == len(same) else None,
            )
        )
    return Curve(label, curves[0].kind, tuple(points))


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)
