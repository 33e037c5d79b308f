"""``gencodec info``: what a ``.gnc`` file says of itself."""

import dataclasses
from pathlib import Path

import click

from . import console
from .files import Job, read

__all__ = ["command"]


@click.command("info")
@click.argument("file", metavar="FILE")
@console.json_option
def command(file: str, as_json: bool) -> None:
    """Show codec, size, quality, decoder and metadata of a .gnc file; - is standard input."""
    from ..codec import api, container

    job = Job(None if file == "-" else Path(file))
    with console.fail_on_error(job.name):
        data = read(job)
        info = api.info(data)
        header = container.describe(container.read_header(data))
    if as_json:
        console.print_json({"file": job.name, **dataclasses.asdict(info)})
        return
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
        ("alpha", "yes, exact" if info.alpha else "no"),
        ("metadata", metadata or "none"),
    ]
    console.print_table(rows)
