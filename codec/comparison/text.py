"""A comparison as tables of text, for the terminal and for the page alike.

Example:
    >>> percent(-12.345), percent(None)
    ('-12.3%', 'no overlap')
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from .quality import QUALITY
from .results import Choice, Comparison, Point, Rate, Report, Row

__all__ = [
    "Table",
    "caption",
    "chosen_text",
    "legends",
    "percent",
    "rate_tables",
    "row_tables",
]

LOWEST = "* at its lowest quality; it has no smaller file."


@dataclass(frozen=True)
class Table:
    """A table: its title, its header, rows of as many cells, and a line below, if any."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    foot: str = ""


def row_tables(report: Report) -> list[Table]:
    """What was searched for one picture: a column for each quality of ours."""
    tables = []
    for codec in dict.fromkeys(row.codec for row in report.rows):
        rows = [row for row in report.rows if row.codec == codec]
        header = (f"{codec}, quality", *(f"{row.quality:g}" for row in rows))
        tables.append(_ours(report, rows, header))
        for measure, title in (
            ("psnr", "Bytes for at least the same PSNR, and how much of them ours saves"),
            ("ms_ssim", "Bytes for at least the same MS-SSIM, and how much of them ours saves"),
            ("ssimulacra2", "Bytes for at least the same SSIMULACRA2, and how much ours saves"),
            ("bytes", "PSNR of a file at least as large as ours, dB"),
        ):
            if table := _theirs(title, header, rows, measure):
                tables.append(table)
    return tables


def rate_tables(comparison: Comparison) -> list[Table]:
    """BD-rates of the mean curves, and of each picture where there are several."""
    tables = []
    many = len(comparison.pictures) > 1
    curves: list[tuple[Point, ...]] = []
    for label in dict.fromkeys(rate.label for rate in comparison.rates):
        points = next(curve.points for curve in comparison.curves if curve.label == label)
        if points in curves:
            continue  # auto, of photos alone: the files of autoencoder
        curves.append(points)
        rates = [rate for rate in comparison.rates if rate.label == label]
        measures = list(dict.fromkeys(rate.measure for rate in rates))
        cells: dict[str, dict[str, Rate]] = {}
        for rate in rates:
            cells.setdefault(rate.against, {})[rate.measure] = rate
        header = ["against"]
        for measure in measures:
            header += [f"at equal {QUALITY[measure].title}", "over"]
        rows = []
        for against, found in cells.items():
            row = [against]
            for measure in measures:
                row += (
                    [percent(found[measure].percent), _range(found[measure])]
                    if (measure in found)
                    else ["", ""]
                )
            rows.append((*row, str(rates[0].pictures) if not many else _pictures(found)))
        title = f"BD-rate: bits that {label} needs more (or, below 0, less) than others"
        if many:
            title = f"{title}, mean curves"
            header.append("pictures")
        else:
            rows = [row[:-1] for row in rows]
        tables.append(Table(title, tuple(header), tuple(rows)))
        if many:
            for measure in measures:
                tables.append(_each_picture(comparison, label, measure, list(cells)))
    return tables


def caption(point: Point) -> str:
    """A file in one line.

    >>> caption(Point(50, 12345, 0.5, 31.234))
    '12,345 bytes, 0.500 bits per pixel, 31.23 dB'
    >>> caption(Point(50, 12345, 0.5, 31.234, ssimulacra2=55.55))
    '12,345 bytes, 0.500 bits per pixel, 31.23 dB, SSIMULACRA2 55.5'
    """
    text = f"{point.bytes:,} bytes, {point.bpp:.3f} bits per pixel"
    parts = [f"{QUALITY['psnr'].text(point.psnr)} dB"]
    for name, quality in QUALITY.items():
        value = getattr(point, name)
        if name != "psnr" and value is not None:
            parts.append(f"{quality.title} {quality.text(value)}")
    return ", ".join([text, *parts])


def chosen_text(chosen: Sequence[Choice]) -> str:
    """What "auto" took, in a sentence.

    >>> chosen_text([Choice(0, "graphics", 100), Choice(50, "graphics", 100)])
    'auto took graphics at every quality.'
    >>> exact = [Choice(setting, "graphics", 100) for setting in (50, 90)]
    >>> chosen_text([Choice(0, "autoencoder", 0), *exact])
    'auto took autoencoder at quality 0, graphics at 50 to 90.'
    """
    parts = []
    for codec, group in groupby(chosen, key=lambda choice: choice.codec):
        asked = [f"{choice.setting:g}" for choice in group]
        parts.append(f"{codec} at {' to '.join(dict.fromkeys((asked[0], asked[-1])))}")
    if len(parts) == 1:
        return f"auto took {chosen[0].codec} at every quality."
    return f"auto took {', '.join(parts).replace(' at ', ' at quality ', 1)}."


def legends(comparison: Comparison) -> dict[str, str]:
    """What to call a curve in a plot, where that is more than its label: what "auto" took."""
    found = [dict.fromkeys(choice.codec for choice in r.chosen) for r in comparison.pictures]
    taken = Counter(" and ".join(codecs) for codecs in found if codecs)
    if not taken:
        return {}
    if len(comparison.pictures) == 1:
        (text,) = taken
    else:
        text = ", ".join(f"{count} {codecs}" for codecs, count in taken.most_common())
    return {"gencodec auto": f"gencodec auto ({text})"}


def percent(value: float | None) -> str:
    """With a sign where it is less than 0."""
    return "no overlap" if value is None else f"{value:.1f}%"


def _ours(report: Report, rows: Sequence[Row], header: tuple[str, ...]) -> Table:
    points = [row.point for row in rows]
    lines = [
        ("bytes", *(f"{point.bytes:,}" for point in points)),
        ("bits per pixel", *(f"{point.bpp:.3f}" for point in points)),
    ]
    for name, quality in QUALITY.items():
        values = [getattr(point, name) for point in points]
        if None not in values:
            title = "PSNR, dB" if name == "psnr" else quality.title
            lines.append((title, *(quality.text(value) for value in values)))
    grey = ", grey" if report.grey else ""
    title = f"{report.name}, {report.width} x {report.height}{grey}"
    return Table(title, header, tuple(lines))


def _theirs(title: str, header: tuple[str, ...], rows: Sequence[Row], measure: str) -> Table | None:
    lines: dict[str, list[str]] = {}
    lowest = False
    for row in rows:
        for match in row.matches:
            if match.measure != measure:
                continue
            star = "*" if match.lowest else ""
            lowest = lowest or match.lowest
            if match.point is None:
                cell = "not reached"
            elif match.saving is None:
                cell = f"{QUALITY['psnr'].text(match.point.psnr)}{star}"
            else:
                cell = f"{match.point.bytes:,}{star} {match.saving:4.0f}%"
            lines.setdefault(match.label, []).append(cell)
    if not lines:
        return None
    found = tuple((label, *cells) for label, cells in lines.items())
    return Table(title, header, found, LOWEST if lowest else "")


def _each_picture(
    comparison: Comparison, label: str, measure: str, against: Sequence[str]
) -> Table:
    lines = []
    for report in comparison.pictures:
        rates = {
            rate.against: rate
            for rate in report.rates
            if rate.label == label and rate.measure == measure
        }
        cells = []
        for other in against:
            rate = rates.get(other)
            if rate is None or rate.lo is None or rate.hi is None:
                cells.append("" if rate is None else percent(None))
            else:
                cells.append(f"{percent(rate.percent)} ({rate.lo:.0f}-{rate.hi:.0f})")
        lines.append((report.name, *cells))
    means = {r.against: r for r in comparison.averages if (r.label, r.measure) == (label, measure)}
    cells = [percent(means[other].percent) if other in means else "" for other in against]
    lines.append(("mean", *cells))
    quality = QUALITY[measure]
    scale = "the dB over which" if quality.unit else "over which of it"
    title = f"Of each picture, at equal {quality.title} (and {scale})"
    return Table(title, ("picture", *against), tuple(lines))


def _range(rate: Rate) -> str:
    unit = QUALITY[rate.measure].unit
    return "" if rate.lo is None or rate.hi is None else f"{rate.lo:.1f} to {rate.hi:.1f}{unit}"


def _pictures(found: dict[str, Rate]) -> str:
    return "/".join(dict.fromkeys(str(rate.pictures) for rate in found.values()))
