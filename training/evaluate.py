"""Figures of the installed models, of one family or of all. Imports no torch."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..codec import api, library
from ..codec.comparison import compare
from ..codec.comparison import plot as chart
from ..codec.comparison.results import Curve, Point
from ..codec.comparison.text import Table
from ..codec.errors import InputError
from .circumstances import circumstances
from .data import Pixels, load_whole
from .evaluations import EVALUATIONS

__all__ = ["published", "run", "run_all", "tables"]


def run(
    family: str,
    data: Path,
    model: Path | None = None,
    tune: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict:
    """Figures of ``family`` on the pictures under ``data``.

    Arguments:
        model: a model file to evaluate instead of the shipped one.
        tune: which of the shipped models, where a family has several; None for all of them.
        progress: called with the share of the work that is done, from 0 to 1.

    Returns: ``family``, and what its row of `EVALUATIONS` gives.

    Raises:
        InputError: an unknown family, no pictures, or no model that is tuned so.
    """
    if family not in EVALUATIONS:
        known = ", ".join(EVALUATIONS)
        raise InputError(f"There is no family {family!r} to evaluate; known: {known}.")
    return EVALUATIONS[family].run(Path(data), model, tune, progress)


def tables(result: dict) -> list[Table]:
    """What `run` returned, for the terminal."""
    return EVALUATIONS[result["family"]].tables(result)


def run_all(
    data: Path,
    out: Path | None = None,
    model: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[dict]:
    """Writes the results of every family, and of the comparison with other codecs, to a folder.

    There is ``FAMILY.json`` (what `run` returns) for each family, ``auto.json`` (what is chosen for
    each picture), ``compare.json`` (mean curves and BD-rates of the default codec, and of what is
    chosen, against what Pillow has, of the means and of each picture, numbered in the order of
    their names, and the means of those), and, where the pictures are Kodak's, ``kodak.svg``: our
    curves among published ones.

    Arguments:
        data: a folder of pictures.
        out: the folder to write to; None for that of the shipped results.
        model: a model file to evaluate instead of the shipped ones.
        progress: called with the share of the work that is done, from 0 to 1.

    Returns: what `run` returned for each family.
    """
    chart.require()
    pictures = load_whole(Path(data))
    families = [name for name in api.installed(model) if name in EVALUATIONS]  # with qualities
    if model is None:
        families.append(api.AUTO)
    parts = len(families) + 1

    def part(number: int) -> Callable[[float], None]:
        return lambda share: None if progress is None else progress((number + share) / parts)

    results = [run(each, data, model, progress=part(i)) for i, each in enumerate(families)]
    found = compare.compare(pictures, qualities=(), model=model, progress=part(len(families)))
    comparison = {
        "curves": [asdict(curve) for curve in found.curves],
        "rates": [asdict(rate) for rate in found.rates],
        "averages": [asdict(rate) for rate in found.averages],
        "pictures": [
            {
                "name": report.name,
                "rates": [asdict(rate) for rate in report.rates],
                "chosen": [asdict(choice) for choice in report.chosen],
            }
            for report in found.pictures
        ],
        "notes": found.notes,
        **circumstances(found.versions),
    }
    out = library.PRETRAINED / "results" if out is None else Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, value in [*((each["family"], each) for each in results), ("compare", comparison)]:
        text = json.dumps(value, indent=1) + "\n"
        (out / f"{name}.json").write_text(text, encoding="utf-8")
    if _is_kodak(pictures):
        ours = [curve for each in results if "points" in each for curve in _curves(each)]
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


def _curves(result: dict) -> list[Curve]:
    """Of the default model of a codec, and of those that are tuned otherwise."""
    named = {result["family"]: result}
    named |= {f"{result['family']}, {tune}": each for tune, each in result.get("tuned", {}).items()}
    return [
        Curve(
            f"gencodec {name}",
            "ours",
            tuple(Point(row["quality"], 0, row["bpp"], row["psnr"]) for row in each["points"]),
        )
        for name, each in named.items()
    ]


def _is_kodak(pictures: list[Pixels]) -> bool:
    # By their number and sizes; the published means tell nothing beside those of other pictures.
    return len(pictures) == 24 and all(sorted(p.shape) == [3, 512, 768] for p in pictures)
