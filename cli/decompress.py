"""``gencodec decompress``: ``.gnc`` files back to pictures in any format that Pillow writes."""

from typing import Any

import click

from . import console
from .files import PICTURE_SUFFIXES, Job, plan
from .pictures import background_option, encode, format_of
from .streams import read, write

__all__ = ["command"]


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
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...")
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
@console.skip_option
@console.run_options
def command(
    inputs: tuple[str, ...],
    output: str | None,
    region: tuple[int, int, int, int] | None,
    suffix: str,
    background: tuple[int, int, int] | None,
    skip_existing: bool,
    device: str,
    threads: int | None,
    model: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Decompress .gnc files: photo.gnc becomes photo.png beside it.

    -o NAME.jpg chooses the format by its suffix. FILE may be a folder (which needs -o DIR, whose
    tree mirrors it) or - for standard input; standard output gets PNG.
    """
    from ..codec.api import decompress
    from ..codec.progress import listening

    jobs = plan(
        inputs,
        output,
        picks=(".gnc",),
        suffix=f".{suffix}",
        output_suffixes=PICTURE_SUFFIXES,
        force=force,
        skip_existing=skip_existing,
    )
    formats = {job: format_of(job.target) for job in jobs if job.problem is None}

    def work(job: Job) -> dict[str, Any]:
        packed = read(job)
        # Of a single picture the parts are shown; several are counted by run_jobs.
        with console.Progress(100 if len(jobs) == 1 else 0) as bar, listening(bar.share):
            image = decompress(packed, region=region, device=device, threads=threads, model=model)
        data = encode(image, formats[job], job.target_name, threads, background)
        write(job, data, force)
        return {
            "input": job.name,
            "output": job.target_name,
            "format": formats[job],
            "mode": image.mode,
            "width": image.width,
            "height": image.height,
            "bytes": len(data),
            "line": f"{job.name} -> {job.target_name}: {image.width} x {image.height}",
        }

    console.run_jobs(jobs, work, as_json)
