"""``gencodec export``: a training run's weights to model files (needs the extra ``train``)."""

from pathlib import Path

import click

from . import console

__all__ = ["command"]


@click.command("export")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for the encoder's and the decoder's file.",
)
def command(run: Path, out: Path) -> None:
    """Export the training run in the folder RUN to ONNX model files that gencodec reads."""
    with console.needs_training("export"), console.fail_on_error():
        from ..training import export

        export.run(run, out)
