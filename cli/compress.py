"""``gencodec compress``: pictures to ``.gnc`` files."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from . import console
from .files import PICTURE_SUFFIXES, Job, plan
from .parameters import ByteCount, Number
from .streams import read, write

if TYPE_CHECKING:
    from ..codec.batch.operations import Compress

__all__ = ["command", "operation"]

TARGETS = "target_size", "target_bpp", "target_psnr"


def _known_codec(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from ..codec.api import AUTO, CODECS  # imports the runtime, which this command needs anyway

    if value is not None and value not in (AUTO, *CODECS):
        raise click.BadParameter(f"{value!r} is unknown; there is {AUTO}, {', '.join(CODECS)}.")
    return value


def _refuse_other_suffix(output: str | None) -> None:
    """Refuses an ``-o`` that names a picture of another format: it would hold ``.gnc`` data."""
    path = Path(output or "")
    if path.suffix.lower() in PICTURE_SUFFIXES and not (
        os.path.isdir(path) or str(output)[-1] in "/\\"
    ):
        raise click.UsageError(
            f"{output} would hold .gnc data under the name of another format; end it in .gnc."
        )


def _size(image: Path | io.BytesIO) -> int:
    return image.stat().st_size if isinstance(image, Path) else image.getbuffer().nbytes


@click.command("compress")
@click.argument("inputs", nargs=-1, required=True, type=console.PATH, metavar="IN...")
@console.output_option
@click.option(
    "--codec",
    metavar="NAME",
    callback=_known_codec,
    help="auto (the default) takes the one that suits the picture: graphics for screenshots and "
    "drawings, else autoencoder, or flow with --lossless; 'gencodec models' lists all.",
)
@click.option(
    "-q",
    "--quality",
    type=Number(0, 100),
    default=50,
    show_default=True,
    metavar="0..100",
    help="0 is the smallest file, 100 the best picture; any number between.",
)
@click.option(
    "--target-size",
    type=ByteCount(),
    metavar="BYTES",
    help="Take the largest quality whose file has at most so many bytes (5000, 5kB, 4.5KiB).",
)
@click.option(
    "--target-bpp",
    type=Number(min=0, min_open=True),
    metavar="B",
    help="The same, in bits per pixel.",
)
@click.option(
    "--target-psnr",
    type=Number(min=0, min_open=True),
    metavar="DB",
    help="Take the least quality whose picture has this PSNR.",
)
@click.option(
    "--tune",
    type=click.Choice(["visual", "psnr"]),
    help="Whose eyes the picture is for: people's (the default) or PSNR's.  [autoencoder]",
)
@click.option("--lossless", is_flag=True, help="Keep every bit (codecs flow and graphics).")
@click.option("--denoise", is_flag=True, help="Take the noise out first, which saves its bits.")
@click.option("--strip", is_flag=True, help="Leave out ICC profile, EXIF and XMP.")
@click.option("--keep-suffix", is_flag=True, help="Make photo.jpg.gnc of photo.jpg.")
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
    """Compress pictures: photo.jpg becomes photo.gnc beside it.

    IN is a picture, a folder of pictures (which needs -o DIR, whose tree mirrors it), or - for
    standard input. A file that fails is reported, the others go on, and the exit code is 1.
    """
    from ..codec.progress import listening

    compress = operation(**options)
    _refuse_other_suffix(output)
    jobs = plan(
        inputs,
        output,
        picks=compress.picks,
        suffix=compress.suffix,
        output_suffixes=(".gnc",),
        force=force,
        keep_suffix=compress.keep_suffix,
        skip_existing=skip_existing,
        patterns=(include, exclude),
    )
    searched = any(options[name] is not None for name in TARGETS)

    def work(job: Job) -> dict[str, Any]:
        if job.source is not None and job.source.is_file():
            image = job.source
        else:  # standard input or a pipe; what is missing is refused here
            image = io.BytesIO(read(job))
        # Of a single picture the parts are shown; several are counted by run_jobs.
        with console.Progress(100 if len(jobs) == 1 else 0) as bar, listening(bar.share):
            result = compress(image, job.target_name)
        size = len(result.data)
        source_bytes = _size(image)
        write(job, result.data, force, preserve_times)
        for note in result.notes:
            console.warn(f"{job.name}: {note}")
        if size > source_bytes:
            remedy = "leave out --lossless" if compress.lossless else "lower -q"
            console.warn(
                f"{job.target_name} ({size:,} bytes) is larger than {job.name} "
                f"({source_bytes:,} bytes); keep the original, or {remedy}."
            )
        about = result.about
        quality = f", quality {about['quality']:g}" if searched else ""
        why = f": {about['why']}" if about["why"] else ""
        return {
            "input": job.name,
            "output": job.target_name,
            **about,
            "width": result.width,
            "height": result.height,
            "source_bytes": source_bytes,
            "bytes": size,
            "bpp": result.bpp,
            "notes": list(result.notes),
            "line": f"{job.name} -> {job.target_name}: {size:,} bytes, "
            f"{result.bpp:.3f} bits per pixel{quality}, {about['codec']}{why}",
        }

    console.run_jobs(jobs, work, as_json)


def operation(**options: Any) -> "Compress":
    """The operation of this command's options; UsageError for those that do not go together."""
    from ..codec.api import AUTO
    from ..codec.batch.operations import Compress

    given = click.get_current_context().get_parameter_source("quality")
    asked = [given is not ParameterSource.DEFAULT, *(options[n] is not None for n in TARGETS)]
    if sum(asked) > 1:
        raise click.UsageError("Give one of -q, --target-size, --target-bpp and --target-psnr.")
    if options["lossless"] and any(asked):
        raise click.UsageError("--lossless leaves no choice; leave out -q and the target.")
    codec = options["codec"]
    if options["lossless"] and codec not in (None, AUTO, "flow", "graphics"):
        raise click.UsageError(f"--lossless goes with flow and graphics, not with {codec}.")
    if options["lossless"] and options["denoise"]:
        raise click.UsageError("--lossless keeps the noise; leave out --denoise.")
    return Compress(**options)
