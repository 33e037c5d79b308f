"""``gencodec decompress``: ``.gnc`` files back to pictures in any format that Pillow writes."""

import io
from typing import TYPE_CHECKING, Any

import click

from . import console
from .files import PICTURE_SUFFIXES, Job, plan
from .pictures import background_option, format_of
from .streams import read, write

if TYPE_CHECKING:
    from ..codec.batch.operations import Decompress

__all__ = ["command", "operation"]


def _four_numbers(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int, int, int] | None:
    if value is None:
        return None
    try:
        x, y, width, height = (int(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is not four whole numbers X,Y,W,H, such as 0,0,512,512."
        ) from error
    return x, y, width, height


@click.command("decompress")
@click.argument("inputs", nargs=-1, required=True, type=console.PATH, metavar="FILE...")
@console.output_option
@click.option(
    "--region",
    metavar="X,Y,W,H",
    callback=_four_numbers,
    help="Decode this part only: left, top, width and height in pixels of the stored picture, "
    "which 'gencodec info' tells; EXIF orientation is applied after it, if at all.",
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
    """Decompress .gnc files: photo.gnc becomes photo.png beside it.

    -o NAME.jpg chooses the format by its suffix. FILE may be a folder (which needs -o DIR, whose
    tree mirrors it) or - for standard input; standard output gets PNG.
    """
    from ..codec.progress import listening

    decompress = operation(**options)
    jobs = plan(
        inputs,
        output,
        picks=decompress.picks,
        suffix=decompress.suffix,
        output_suffixes=PICTURE_SUFFIXES,
        force=force,
        skip_existing=skip_existing,
        patterns=(include, exclude),
    )
    for job in jobs:
        if job.problem is None:
            format_of(job.target)  # which refuses others

    def work(job: Job) -> dict[str, Any]:
        packed = io.BytesIO(read(job))
        # Of a single picture the parts are shown; several are counted by run_jobs.
        with console.Progress(100 if len(jobs) == 1 else 0) as bar, listening(bar.share):
            result = decompress(packed, job.target_name)
        write(job, result.data, force, preserve_times)
        console.warn_of_format(job, result.format_notes)
        return {
            "input": job.name,
            "output": job.target_name,
            **result.about,
            "width": result.width,
            "height": result.height,
            "bytes": len(result.data),
            "line": f"{job.name} -> {job.target_name}: {result.width} x {result.height}",
        }

    console.run_jobs(jobs, work, as_json)


def operation(**options: Any) -> "Decompress":
    """The operation of this command's options."""
    from ..codec.batch.operations import Decompress

    return Decompress(**{**options, "suffix": f".{options['suffix']}"})
