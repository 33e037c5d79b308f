"""``gencodec viewer``: a page that shows .gnc files in a browser."""

from pathlib import Path

import click

from . import console

__all__ = ["command"]


@click.command("viewer")
@console.out_folder_option("Folder for the page.")
@click.option(
    "--runtime",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where npm put onnxruntime-web; by default npm fetches it.",
)
@console.force_option
def command(out: Path, runtime: Path | None, force: bool) -> None:
    """Build a page that shows .gnc files in a browser: drop one on it, or name it by ?src=URL.

    Any web server can serve the folder DIR, python -m http.server too; it needs no special headers.
    """
    from ..codec import viewer

    with console.fail_on_error():
        viewer.build(out, runtime, force)
    click.echo(click.format_filename(out / "index.html"))
