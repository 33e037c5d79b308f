"""``gencodec evaluate``: rate and distortion of the installed models through real files."""

from pathlib import Path
from typing import Any

import click

from . import console

__all__ = ["command"]


@click.command("evaluate")
@click.argument("family", metavar="FAMILY|all")
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of pictures that no training saw.",
)
@console.json_option
def command(family: str, data: Path, as_json: bool) -> None:
    """Compress and decompress every picture in a folder; print mean bits and quality."""
    with console.needs_training("evaluate"), console.fail_on_error():
        from ..training import evaluate

        rows = evaluate.run(family, data)
    if as_json:
        console.print_json(rows)
    elif rows:
        names = list(rows[0])
        console.print_table([names, *([_text(row[name]) for name in names] for row in rows)])


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
