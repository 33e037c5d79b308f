"""Rate-distortion curves as a picture, PNG or SVG; the only file that imports matplotlib.

Readable in grey: every curve has a marker and a line style of its own, and ours is the thick one.
"""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..errors import GencodecError
from .quality import QUALITY
from .results import Curve, measures_of, quality_of

__all__ = ["FORMATS", "draw", "require"]

FORMATS = ("png", "svg")

MARKED = 8  # points of a curve that have a marker, about
MARKERS = ("s", "^", "v", "D", "P", "X", "<", ">", "p", "*", "h", "d")
# Solid lines are left to ours.  One fewer than colours, so that no pair of both comes twice soon.
LINES = ("--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (8, 3)))
# Of unequal lightness as well as hue (after Okabe and Ito).
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#7A6A00", "#444444")
OURS = ("#000000", "#5A2A82", "#7A1F1F")
TICKS = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


def require() -> None:
    """Checks that curves can be drawn, without the time that it takes to load matplotlib.

    Raises:
        GencodecError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise GencodecError(
            "Drawing curves needs matplotlib; install gencodec with its extra 'compare'."
        )


def draw(
    curves: Sequence[Curve],
    kind: str,
    title: str = "",
    legends: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """The curves over bits per pixel: PSNR, and beside it what else every point has.

    Arguments:
        kind: "png" or "svg".
        title: put above it as it is, without any markup.
        legends: what to call the curves of some labels.

    Raises:
        GencodecError: matplotlib is not installed.
    """
    require()
    import matplotlib
    from matplotlib.figure import Figure

    measures = measures_of(curves)
    # What is drawn must depend neither on the user's settings nor on the day.
    with matplotlib.rc_context(), matplotlib.rc_context({**matplotlib.rcParamsDefault}):
        matplotlib.rcParams.update({"svg.hashsalt": "gencodec", "font.size": 10})
        figure = Figure(figsize=(5.2 * len(measures) + 1.6, 5.4), layout="constrained")
        for column, measure in enumerate(measures, 1):
            axes = figure.add_subplot(1, len(measures), column)
            _panel(axes, curves, measure, legends)
        if title:
            figure.suptitle(title, parse_math=False)
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(buffer, format=kind, dpi=120, metadata=metadata)
    return buffer.getvalue()


def _panel(axes: Any, curves: Sequence[Curve], measure: str, legends: Mapping[str, str]) -> None:
    theirs = 0
    ours = 0
    for curve in curves:
        points = [
            (p.bpp, value) for p in curve.points if (value := quality_of(p, measure)) is not None
        ]
        x, y = [point[0] for point in points], [point[1] for point in points]
        if curve.kind == "ours":
            style = {"color": OURS[ours % len(OURS)], "linewidth": 2.6, "marker": "o"}
            style |= {"markersize": 6, "zorder": 3}
            ours += 1
        else:
            style = {"color": COLOURS[theirs % len(COLOURS)], "linewidth": 1.3}
            style |= {"marker": MARKERS[theirs % len(MARKERS)], "markersize": 5}
            style |= {"linestyle": LINES[theirs % len(LINES)], "markerfacecolor": "white"}
            style |= {"markevery": max(round(len(points) / MARKED), 1)}
            theirs += 1
        axes.plot(x, y, label=legends.get(curve.label, curve.label), **style)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel(QUALITY[measure].axis)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    # A long line in the legend: on a short one the styles look alike.
    axes.legend(handlelength=4, fontsize=9)
