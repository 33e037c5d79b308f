"""``gencodec compare``: sizes at equal quality, curves and BD-rates against other codecs."""

import dataclasses
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from . import console
from .files import Job, gather, output
from .streams import read, write

if TYPE_CHECKING:
    from ..codec.comparison.compare import Comparer
    from ..codec.comparison.inputs import CompareInput
    from ..codec.comparison.results import Comparison, Report

__all__ = ["command"]

PAGE_QUALITY = 50  # of ours, that a page of several pictures shows


def _list(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    return [name for text in value.split(",") if (name := text.strip())]


def _drawing(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.lower().endswith((".png", ".svg")):
        raise click.BadParameter(f"{value} must end in .png or .svg.")
    return value


@click.command("compare")
@click.argument("inputs", nargs=-1, required=True, metavar="IMG...")
@click.option(
    "--codecs",
    metavar="A,B",
    callback=_list,
    help="Ours; default: autoencoder, and auto, which is what compress would take.",
)
@click.option(
    "--against",
    metavar="A,B",
    callback=_list,
    help="The others, of jpeg, webp, avif, jxl and jpeg2000; default: all of them.",
)
@click.option(
    "--plot", metavar="FILE", callback=_drawing, help="Draw the curves to a .png or .svg file."
)
@click.option("--html", metavar="FILE", help="Write a page with tables, curves and a viewer.")
@console.run_options
def command(
    inputs: tuple[str, ...],
    codecs: list[str] | None,
    against: list[str] | None,
    plot: str | None,
    html: str | None,
    device: str,
    threads: int | None,
    model: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compare with other codecs: what do they need for the same quality?

    IMG is a picture, a folder of pictures, or - for standard input. Of one picture, a table has for
    a few qualities the bytes that each codec needs to be at least as good, found by writing files.
    Of any number there are BD-rates, of each and of the mean curves. A page and its viewer are one
    file that needs no network.
    """
    if plot is not None and plot == html:
        raise click.UsageError("--plot and --html need a file each.")
    from ..codec.comparison.compare import TABLE, Comparer
    from ..codec.comparison.plot import draw, require
    from ..codec.comparison.reference_codecs import REFERENCE_CODECS
    from ..codec.comparison.text import legends

    jobs = gather(inputs)
    several = (PAGE_QUALITY,) if html else ()
    with console.fail_on_error():
        comparer = Comparer(
            codecs,
            REFERENCE_CODECS if against is None else against,
            TABLE if len(jobs) == 1 else several,
            ("psnr", "ms_ssim", "bytes") if html else ("psnr", "ms_ssim"),
            device,
            threads,
            model,
            keep_files=html is not None,
        )
        if plot or html:
            require()
        plot_job = output(plot, force) if plot else None
        page_job = output(html, force) if html else None

    reports, compared, errors = _measure(jobs, comparer)
    if reports:
        comparison = comparer.summary(reports)
        with console.fail_on_error():
            if plot_job and plot:
                title = reports[0].name if len(reports) == 1 else f"{len(reports)} pictures"
                kind = plot.lower().rpartition(".")[2]
                drawn = draw(comparison.curves, kind, title, legends(comparison))
                write(plot_job, drawn, force)
            if page_job:
                from ..codec.comparison.html import render

                text = render(comparison, compared, comparer)
                write(page_job, text.encode(), force)
        if as_json:
            console.print_json(_finite(dataclasses.asdict(comparison) | {"errors": errors}))
        else:
            _print(comparison)
    elif as_json:
        console.print_json({"pictures": [], "errors": errors})
    if errors:
        raise click.exceptions.Exit(1)


def _measure(
    jobs: Sequence[Job], comparer: "Comparer"
) -> tuple[list["Report"], list["CompareInput"], list[dict[str, str]]]:
    """Reports on the pictures, the first few pictures themselves, and what went wrong."""
    from ..codec.comparison.html import SCENES
    from ..codec.comparison.inputs import CompareInput, names

    reports, inputs, errors = [], [], []
    titles = names([job.source or job.name for job in jobs])
    with console.Progress(100 * len(jobs)) as progress:
        for index, (job, title) in enumerate(zip(jobs, titles, strict=True)):

            def show(share: float, start: int = 100 * index) -> None:
                if steps := start + int(100 * share) - progress.done:
                    progress.advance(steps)

            try:
                if job.problem is not None:
                    raise job.problem
                source = job.source if job.source and job.source.is_file() else None
                picture = CompareInput.load(source or io.BytesIO(read(job)), title)
                reports.append(comparer.measure(picture, show))
                if len(inputs) < SCENES:
                    inputs.append(picture)
            except Exception as error:
                if (text := console.sentence(error, job.name)) is None:
                    raise
                progress.clear()
                click.echo(f"Error: {text}", err=True)
                errors.append({"input": job.name, "error": text})
            show(1.0)
    return reports, inputs, errors


def _print(comparison: "Comparison") -> None:
    from ..codec.comparison.text import rate_tables, row_tables

    for report in comparison.pictures:
        for table in row_tables(report):
            console.print_titled(table)
    for table in rate_tables(comparison):
        console.print_titled(table)
    many = len(comparison.pictures) > 1
    for note in comparison.notes:
        click.echo(f"Note: {note}")
    for report in comparison.pictures:
        for note in report.notes:
            click.echo(f"Note: {report.name}: {note}" if many else f"Note: {note}")
    click.echo(", ".join(f"{name} {version}" for name, version in comparison.versions.items()))


def _finite(value: Any) -> Any:
    """JSON has no infinity: what is exact has null for its PSNR."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
