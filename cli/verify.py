"""``gencodec verify``: decodes everything that a file's checksums cover, and writes nothing."""

from typing import Any

import click

from . import console
from .files import Job, gather
from .streams import read

__all__ = ["command"]


@click.command("verify")
@click.argument("files", nargs=-1, required=True, type=console.PATH, metavar="FILE...")
@console.model_option
def command(files: tuple[str, ...], model: str | None) -> None:
    """Check that .gnc files are whole and can be decoded here; prints OK for each that is.

    FILE may be a folder: all .gnc files in it.
    """
    from ..codec.api import verify

    if "-" in files and len(files) > 1:
        raise click.UsageError("'-' (standard input) must be the only input.")

    def work(job: Job) -> dict[str, Any]:
        verify(read(job), model=model)
        click.echo(f"{job.name}: OK")
        return {}

    console.run_jobs(gather(files, frozenset({".gnc"})), work)
