"""``gencodec sample``: pictures drawn from the vqvae codec's priors, new or completed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from . import console
from .files import Job, output, outputs
from .parameters import Number
from .pictures import encode, format_of
from .streams import write

__all__ = ["command"]


class _Size(click.ParamType):
    """``WxH``, two whole numbers from 1."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        width, _, height = value.partition("x")
        if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
            self.fail(f"{value!r} is not WxH, such as 384x256.", param, ctx)
        if int(width) < 1 or int(height) < 1:
            self.fail(f"{value!r} has no pixels.", param, ctx)
        return int(width), int(height)


@click.command("sample")
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many pictures to draw; default: 1.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="The same seed draws the same pictures.",
)
@click.option("--size", type=_Size(), metavar="WxH", help="Of each picture; default: 256x256.")
@click.option(
    "--temperature",
    type=Number(0.05, 20),
    default=1.0,
    show_default=True,
    metavar="T",
    help="Below 1 for likelier, smoother pictures; above 1 for stranger ones.",
)
@click.option(
    "--complete",
    "picture",
    metavar="IMG",
    type=click.Path(path_type=Path),
    help="Keep a part of this picture and draw the rest of it.",
)
@click.option(
    "--keep", type=_Size(), metavar="WxH", help="With --complete: the part, from the top left."
)
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    metavar="DIR|OUT",
    help="Folder for the pictures; with --complete the file to write.",
)
@console.run_options
def command(
    count: int | None,
    seed: int,
    size: tuple[int, int] | None,
    temperature: float,
    picture: Path | None,
    keep: tuple[int, int] | None,
    target: str,
    device: str,
    threads: int | None,
    model: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Draw pictures that the vqvae codec finds likely, into a folder: sample-SEED-1.png and so on.

    They show texture and shapes, not things. With --complete IMG --keep WxH the top left part of a
    picture stands, in blocks of 16 pixels and as the codec would show it, and the rest is drawn.
    """
    if (picture is None) != (keep is None):
        raise click.UsageError("--complete IMG and --keep WxH go together.")
    if picture is not None and (count is not None or size is not None):
        raise click.UsageError("-n and --size do not go with --complete.")
    if picture is not None and target == "-":
        raise click.UsageError("--complete needs a file for its output: -o OUT.")
    options: dict[str, Any] = {"device": device, "threads": threads, "model": model}
    with console.fail_on_error():
        from ..codec.api import complete, sample

        if picture is not None and keep is not None:
            jobs = [replace(output(target, force), source=picture)]  # no more open than its source
        else:
            names = [f"sample-{seed}-{number}.png" for number in range(1, (count or 1) + 1)]
            jobs = outputs(target, names, force)
        formats = [format_of(job.target) for job in jobs]
        with console.Progress(100) as bar:
            options["progress"] = lambda part: bar.advance(int(100 * part) - bar.done)
            if picture is not None and keep is not None:
                made = [complete(picture, keep, seed, temperature, **options)]
            else:
                made = sample(count or 1, size or (256, 256), seed, temperature, **options)
        for job, image, name in zip(jobs, made, formats, strict=True):
            write(job, encode(image, name, job.target_name), force)
            if not as_json:
                click.echo(f"{job.target_name}: {image.width} x {image.height}", err=True)
    if as_json:
        console.print_json(
            [_row(job, seed, image.size) for job, image in zip(jobs, made, strict=True)]
        )


def _row(job: Job, seed: int, size: tuple[int, int]) -> dict[str, Any]:
    return {"output": job.target_name, "seed": seed, "width": size[0], "height": size[1]}
