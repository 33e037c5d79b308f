"""``gencodec denoise``: pictures without their noise, in any format that Pillow writes."""

import io
from pathlib import Path
from typing import Any

import click

from . import console
from .files import PICTURE_SUFFIXES, Job, plan
from .parameters import Number
from .pictures import background_option, encode, format_of
from .streams import read, write

__all__ = ["command"]


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
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
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
@console.skip_option
@console.run_options
def command(
    inputs: tuple[str, ...],
    output: str | None,
    sigma: float | None,
    strength: float,
    suffix: str,
    background: tuple[int, int, int] | None,
    skip_existing: bool,
    device: str,
    threads: int | None,
    model: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Take the noise out of pictures: photo.jpg becomes photo-denoised.png beside it.

    -o NAME.jpg chooses the format by its suffix. IN may be a folder (which needs -o DIR, whose tree
    mirrors it) or - for standard input; standard output gets PNG. The input is never overwritten.
    """
    from PIL import Image

    from ..codec.api import denoise_detailed

    jobs = plan(
        inputs,
        output,
        picks=PICTURE_SUFFIXES,
        suffix=f".{suffix}",
        output_suffixes=PICTURE_SUFFIXES,
        force=force,
        skip_existing=skip_existing,
        tag="-denoised",
    )
    formats = {job: format_of(job.target) for job in jobs if job.problem is None}

    def work(job: Job) -> dict[str, Any]:
        if job.source is not None and job.source.is_file():
            image: Path | io.BytesIO = job.source
        else:  # standard input or a pipe; what is missing is refused here
            image = io.BytesIO(read(job))
        # Of a single picture the parts are shown; several are counted by run_jobs.
        with console.Progress(100 if len(jobs) == 1 else 0) as bar:
            result = denoise_detailed(
                image,
                sigma,
                strength,
                device,
                threads,
                model=model,
                progress=lambda part: bar.advance(round(100 * part) - bar.done),
            )
        picture = result.image
        assert isinstance(picture, Image.Image)  # a file was given, not an array
        data = encode(picture, formats[job], job.target_name, threads, background)
        write(job, data, force)
        for note in result.notes:
            console.warn(f"{job.name}: {note}")
        return {
            "input": job.name,
            "output": job.target_name,
            "format": formats[job],
            "mode": picture.mode,
            "width": result.width,
            "height": result.height,
            "sigma": round(result.sigma, 2),
            "sigma_estimated": sigma is None,
            "strength": strength,
            "bytes": len(data),
            "notes": list(result.notes),
            "line": f"{job.name} -> {job.target_name}: "
            f"{'estimated ' if sigma is None else ''}sigma {result.sigma:.1f}",
        }

    console.run_jobs(jobs, work, as_json)
