"""``gencodec export``: a training run's weights to model files (needs the extra ``train``)."""

from pathlib import Path

import click

from . import console

__all__ = ["command"]


@click.command("export")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@console.out_folder_option("Folder for the model files.")
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Pictures to make tables and the quality scale from; by default those of the run.",
)
def command(run: Path, out: Path, data: Path | None) -> None:
    """Export the training run in the folder RUN to model files; prints their names."""
    with console.needs_training("export"), console.fail_on_error():
        from ..training import export

        for path in export.run(run, out, data):
            click.echo(click.format_filename(path))
