"""``gencodec info``: what a ``.gnc`` file says of itself."""

import dataclasses
import os
from pathlib import Path

import click

from . import console
from .files import Job, gather
from .streams import read

__all__ = ["command"]


@click.command("info")
@click.argument("files", nargs=-1, required=True, type=console.PATH, metavar="FILE...")
@console.json_option
def command(files: tuple[str, ...], as_json: bool) -> None:
    """Show codec, size, quality, decoder and metadata of .gnc files; - is standard input.

    Width and height are those of the picture as it is stored: EXIF may say that it is shown turned.
    With --json one file is an object, several (or a folder) are a list.
    """
    single = len(files) == 1 and not os.path.isdir(files[0])
    if single:
        job = Job(None if files == ("-",) else Path(files[0]))
        with console.fail_on_error(job.name):
            about = _about(job, as_json)
        if as_json:
            console.print_json(about)
        return

    def work(job: Job) -> dict[str, object]:
        about = _about(job, as_json)
        if not as_json:
            click.echo()
        return about

    console.run_jobs(gather(files, frozenset({".gnc"})), work, as_json)


def _about(job: Job, as_json: bool) -> dict[str, object]:
    """What a file says; printed unless it goes into JSON."""
    from ..codec import api, container

    data = read(job)
    info = api.info(data)
    if as_json:
        return {"file": job.name, **dataclasses.asdict(info)}
    header = container.describe(container.read_header(data))
    place = info.decoder_file or (
        "no model needed" if info.known else "not in this version; decompressing needs --model FILE"
    )
    carried = (("ICC profile", info.icc), ("EXIF", info.exif), ("XMP", info.xmp))
    metadata = ", ".join(f"{name} {size:,} bytes" for name, size in carried if size)
    rows = [
        ("file", job.name),
        ("codec", f"{info.codec}: {info.suits}" if info.suits else info.codec),
        *header,
        ("decoder file", f"{info.decoder}: {place}"),
        ("segments", f"{info.segments:,}"),
        ("size", f"{info.bytes:,} bytes, {info.bpp:.3f} bits per pixel"),
        ("memory", f"about {info.memory / 2**20:,.0f} MiB to decompress" if info.memory else "?"),
        ("alpha", "yes, exact" if info.alpha else "no"),
        ("metadata", metadata or "none"),
        *([("resolution", f"{info.dpi[0]:g} x {info.dpi[1]:g} dots an inch")] if info.dpi else []),
    ]
    console.print_table(rows)
    return {}
