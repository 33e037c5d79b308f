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
from .quality import QUALITY

__all__ = [
    "Choice",
    "Comparison",
    "Curve",
    "Match",
    "Point",
    "Rate",
    "Report",
    "Row",
    "average_rates",
    "mean_curves",
    "mean_point",
    "mean_rates",
    "measures_of",
    "quality_of",
    "rate",
]


@dataclass(frozen=True)
class Point:
    """A file: the codec's setting, size, bits per pixel, and the measures of `QUALITY`.

    PSNR is in dB, infinite where the decoded picture is the original; the others are None where
    they were not asked for or the picture is too small.  In means over pictures `bytes` is rounded.
    """

    setting: float
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None = None
    ssimulacra2: float | None = None
    butteraugli: float | None = None


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
        measure: "psnr", "ms_ssim", "ssimulacra2" or "bytes".
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
        measure: a key of `QUALITY`, compared on its scale.
        percent: None where the curves cannot be compared.
        lo, hi: the range on that scale in which the curves overlap, over which it is taken.
        pictures: how many it is of.
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
class Choice:
    """What a user who names no codec gets: the file's codec, and its quality, at a setting."""

    setting: float
    codec: str
    quality: float


@dataclass(frozen=True)
class Report:
    """What was found for one picture; `chosen` where "auto" is among our codecs."""

    name: str
    width: int
    height: int
    grey: bool
    notes: tuple[str, ...]
    curves: tuple[Curve, ...]
    rows: tuple[Row, ...]
    rates: tuple[Rate, ...]
    chosen: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What was found for all pictures.

    Attributes:
        pictures: one report each.
        curves: means over the pictures that the codec could hold, of bits per pixel and the
            measures at each setting.
        rates: BD-rates of the mean curves, over the pictures that both codecs have.
        averages: means over those pictures of the BD-rates of each.
        notes: sentences on the whole.
        versions: our decoders, and what wrote the others' files.
    """

    pictures: tuple[Report, ...]
    curves: tuple[Curve, ...]
    rates: tuple[Rate, ...]
    averages: tuple[Rate, ...]
    notes: tuple[str, ...]
    versions: dict[str, str]


def quality_of(point: Point, measure: str) -> float | None:
    """A measure on its scale; None where there is none or it is infinite."""
    value = getattr(point, measure)
    value = None if value is None else QUALITY[measure].scale(value)
    return value if value is not None and math.isfinite(value) else None


def measures_of(curves: Sequence[Curve]) -> tuple[str, ...]:
    """The measures that all points of the curves have."""
    points = [point for curve in curves for point in curve.points]
    return tuple(
        name for name in QUALITY if all(getattr(point, name) is not None for point in points)
    )


def rate(ours: Curve, theirs: Curve, measure: str, pictures: int = 1) -> Rate:
    """BD-rate of a curve of ours against another."""
    lo, hi = QUALITY[measure].lo, QUALITY[measure].hi
    try:
        found = metrics.bd_rate(*_rising(theirs, measure), *_rising(ours, measure), lo, hi)
    except InputError as error:
        return Rate(ours.label, theirs.label, measure, None, None, None, pictures, str(error))
    return Rate(ours.label, theirs.label, measure, found.percent, found.lo, found.hi, pictures)


def _rising(curve: Curve, measure: str) -> tuple[list[float], list[float]]:
    """Rates and qualities of the files that are better than all smaller ones.

    Nobody takes a file that is larger and no better, and BD-rate needs one rate for each quality.
    """
    rates: list[float] = []
    values: list[float] = []
    for point in sorted(curve.points, key=lambda point: point.bpp):
        value = quality_of(point, measure)
        if value is not None and (not values or value > values[-1]):
            rates.append(point.bpp)
            values.append(value)
    return rates, values


def mean_curves(reports: Sequence[Report]) -> tuple[Curve, ...]:
    """The mean curve of each codec over the pictures it could hold."""
    kinds = {curve.label: curve.kind for report in reports for curve in report.curves}
    labels = sorted(kinds, key=lambda label: kinds[label] != "ours")  # ours first, else as found
    return tuple(_mean(reports, label) for label in labels)


def mean_rates(reports: Sequence[Report]) -> tuple[Rate, ...]:
    """BD-rates of mean curves, each pair over the pictures that both codecs could hold."""
    rates = []
    for label, against, measure in _compared(reports):
        both = [report for report in reports if _rate_of(report, label, against, measure)]
        rates.append(rate(_mean(both, label), _mean(both, against), measure, len(both)))
    return tuple(rates)


def average_rates(reports: Sequence[Report]) -> tuple[Rate, ...]:
    """The mean over pictures of the BD-rates of each, and of their ranges.

    `pictures` counts those whose curves share a range.
    """
    averages = []
    for label, against, measure in _compared(reports):
        found = [_rate_of(report, label, against, measure) for report in reports]
        rows = [
            (each.percent, each.lo, each.hi)
            for each in found
            if each is not None
            and each.percent is not None
            and each.lo is not None
            and each.hi is not None
        ]
        if rows:
            percent, lo, hi = (_average(column) for column in zip(*rows, strict=True))
            averages.append(Rate(label, against, measure, percent, lo, hi, len(rows)))
        else:
            reason = "The curves of no picture have a range of quality in common."
            averages.append(Rate(label, against, measure, None, None, None, 0, reason))
    return tuple(averages)


def _compared(reports: Sequence[Report]) -> list[tuple[str, str, str]]:
    """Label of ours, of the other codec, and measure, of all rates."""
    found = ((each.label, each.against, each.measure) for r in reports for each in r.rates)
    return list(dict.fromkeys(found))


def _rate_of(report: Report, label: str, against: str, measure: str) -> Rate | None:
    for each in report.rates:
        if (each.label, each.against, each.measure) == (label, against, measure):
            return each
    return None


def _mean(reports: Sequence[Report], label: str) -> Curve:
    curves = [curve for report in reports for curve in report.curves if curve.label == label]
    points = zip(*(curve.points for curve in curves), strict=True)
    return Curve(label, curves[0].kind, tuple(map(mean_point, points)))


def mean_point(points: Sequence[Point]) -> Point:
    """The mean of files of one setting; a measure is None where one of them has none."""

    def mean(name: str) -> float | None:
        values = [getattr(point, name) for point in points]
        known = [value for value in values if value is not None]
        return _average(known) if len(known) == len(values) else None

    size = round(_average([point.bytes for point in points]))
    bpp, psnr = (_average([getattr(point, name) for point in points]) for name in ("bpp", "psnr"))
    others = {name: mean(name) for name in QUALITY if name != "psnr"}
    return Point(points[0].setting, size, bpp, psnr, **others)


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)
