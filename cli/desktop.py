"""``gencodec desktop``: file managers on Linux know .gnc files and show thumbnails of them.

References:
    freedesktop.org's Shared MIME-info Database and XDG Base Directory specifications; the
    thumbnailer entries of GNOME, which KDE's and Xfce's file managers read too.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from . import console

__all__ = ["command"]

TYPE = "image/x-gencodec"
MIME_INFO = f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{TYPE}">
    <comment>gencodec picture</comment>
    <generic-icon name="image-x-generic"/>
    <magic priority="60">
      <match type="big32" offset="0" value="0x89474E43"/>
    </magic>
    <glob pattern="*.gnc"/>
  </mime-type>
</mime-info>
"""
# -P: a file manager's working folder is not where modules come from.
THUMBNAILER = """[Thumbnailer Entry]
TryExec={python}
Exec={command} -P -m gencodec desktop thumbnail --size %s -- %i %o
MimeType={type};
"""


@click.group("desktop")
def command() -> None:
    """Have file managers on Linux know .gnc files and show thumbnails of them.

    The files go into your own folders, below $XDG_DATA_HOME or ~/.local/share.
    """


@command.command("install")
def install() -> None:
    """Add the type of .gnc files and a thumbnailer for them."""
    if os.name != "posix" or sys.platform == "darwin":
        raise click.ClickException("This is for desktops of freedesktop.org, as on Linux.")
    python = sys.executable
    entry = THUMBNAILER.format(
        python=python, command=shlex.quote(python).replace("%", "%%"), type=TYPE
    )
    with console.fail_on_error():
        for path, text in zip(_places(), (MIME_INFO, entry), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            click.echo(f"wrote {click.format_filename(path)}")
    _update_types()


@command.command("uninstall")
def uninstall() -> None:
    """Take away what install added."""
    with console.fail_on_error():
        for path in _places():
            if path.exists():
                path.unlink()
                click.echo(f"removed {click.format_filename(path)}")
    _update_types()


@command.command("thumbnail")
@click.option("--size", type=click.IntRange(1, 4096), default=128, show_default=True, metavar="N")
@click.argument("source", type=console.PATH, metavar="FILE|URI")
@click.argument("target", type=console.PATH, metavar="OUT")
def thumbnail(source: str, target: str, size: int) -> None:
    """Write a PNG of at most N pixels a side: what the thumbnailer runs."""
    with console.fail_on_error(source):
        from PIL import ImageOps

        from ..codec.api import decompress

        if source.startswith("file://"):
            source = unquote(urlsplit(source).path)
        image = ImageOps.exif_transpose(decompress(source, threads=1))
        image.thumbnail((size, size))
        image.info.pop("exif", None)  # which would have it turned again
        image.save(target, "PNG")


def _places() -> tuple[Path, Path]:
    """Where the type and the thumbnailer are described."""
    named = os.environ.get("XDG_DATA_HOME", "")
    data = Path(named) if os.path.isabs(named) else Path.home() / ".local" / "share"
    return data / "mime" / "packages" / "gencodec.xml", data / "thumbnailers/gencodec.thumbnailer"


def _update_types() -> None:
    """Has the desktop read its types again; one that has no such command does so by itself."""
    types = _places()[0].parent
    if types.is_dir() and (update := shutil.which("update-mime-database")):
        subprocess.run([update, str(types.parent)], check=False, capture_output=True)
