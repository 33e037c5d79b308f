"""``gencodec denoise``: pictures without their noise, in any format that Pillow writes."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console
from .files import PICTURE_SUFFIXES, Job, plan
from .parameters import Number
from .pictures import background_option, format_of
from .streams import read, write

if TYPE_CHECKING:
    from ..codec.batch.operations import Denoise

__all__ = ["command", "operation"]


class _Sigma(click.ParamType):
    """``auto`` (which becomes None) or a number from 0 to 75."""

    name = "sigma"

    def convert(self, value: Any, param: Any, ctx: Any) -> float | None:
        if value == "auto":
            return None
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 75:
            self.fail(f"{value!r} is neither auto nor a number from 0 to 75.", param, ctx)
        return number


@click.command("denoise")
@click.argument("inputs", nargs=-1, required=True, type=console.PATH, metavar="IN...")
@console.output_option
@click.option(
    "--sigma",
    type=_Sigma(),
    default="auto",
    show_default=True,
    metavar="auto|0..75",
    help="How strong the noise is, in levels of 255; auto finds it.",
)
@click.option(
    "--strength",
    type=Number(0, 1),
    default=1.0,
    show_default=True,
    metavar="0..1",
    help="How much of the noise is taken out; less than 1 keeps some grain.",
)
@console.format_option
@background_option
@console.folder_options
@console.skip_option
@console.run_options
def command(
    inputs: tuple[str, ...],
    output: str | None,
    skip_existing: bool,
    preserve_times: bool | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Take the noise out of pictures: photo.jpg becomes photo-denoised.png beside it.

    -o NAME.jpg chooses the format by its suffix. IN may be a folder (which needs -o DIR, whose tree
    mirrors it) or - for standard input; standard output gets PNG. The input is never overwritten.
    """
    from ..codec.progress import listening

    denoise = operation(**options)
    jobs = plan(
        inputs,
        output,
        picks=denoise.picks,
        suffix=denoise.suffix,
        output_suffixes=PICTURE_SUFFIXES,
        force=force,
        skip_existing=skip_existing,
        tag=denoise.tag,
        patterns=(include, exclude),
    )
    for job in jobs:
        if job.problem is None:
            format_of(job.target)  # which refuses others

    def work(job: Job) -> dict[str, Any]:
        if job.source is not None and job.source.is_file():
            image: Path | io.BytesIO = job.source
        else:  # standard input or a pipe; what is missing is refused here
            image = io.BytesIO(read(job))
        # Of a single picture the parts are shown; several are counted by run_jobs.
        with console.Progress(100 if len(jobs) == 1 else 0) as bar, listening(bar.share):
            result = denoise(image, job.target_name)
        write(job, result.data, force, preserve_times)
        console.warn_of_format(job, result.format_notes)
        for note in result.notes:
            console.warn(f"{job.name}: {note}")
        about = dict(result.about)
        kind = {name: about.pop(name) for name in ("format", "mode")}
        estimated = "estimated " if about["sigma_estimated"] else ""
        return {
            "input": job.name,
            "output": job.target_name,
            **kind,
            "width": result.width,
            "height": result.height,
            **about,
            "bytes": len(result.data),
            "notes": list(result.notes),
            "line": f"{job.name} -> {job.target_name}: {estimated}sigma {about['sigma']:.1f}",
        }

    console.run_jobs(jobs, work, as_json)


def operation(**options: Any) -> "Denoise":
    """The operation of this command's options."""
    from ..codec.batch.operations import Denoise

    return Denoise(**{**options, "suffix": f".{options['suffix']}"})
