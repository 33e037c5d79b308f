"""`gencodec desktop`: what it installs, run as a file manager would."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

import gencodec
from gencodec.codec.container import MAGIC

Run = Callable[..., Result]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no such desktops here")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for data, with a file of somebody else."""
    folder = tmp_path / "user's data"
    (folder / "thumbnailers").mkdir(parents=True)
    (folder / "thumbnailers" / "other.thumbnailer").write_text("other")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


def test_what_is_installed_goes_again(run: Run, data: Path) -> None:
    ours = data / "mime/packages/gencodec.xml", data / "thumbnailers/gencodec.thumbnailer"
    for _ in range(2):
        assert run("desktop", "install").stdout.splitlines() == [f"wrote {path}" for path in ours]
    type_ = ElementTree.parse(ours[0]).getroot()[0]
    assert type_.get("type") == "image/x-gencodec"
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    magic = next(type_.iter(f"{space}match")).get("value") or ""
    assert int(magic, 16).to_bytes(4, "big") == MAGIC
    if shutil.which("update-mime-database"):
        assert "image/x-gencodec:*.gnc" in (data / "mime/globs2").read_text()
    run("desktop", "uninstall")
    assert not any(path.exists() for path in ours)
    assert (data / "thumbnailers/other.thumbnailer").read_text() == "other"
    if shutil.which("update-mime-database"):
        assert (
            not (data / "mime/globs2").exists() or "gnc" not in (data / "mime/globs2").read_text()
        )
    assert run("desktop", "uninstall").output == ""


@pytest.mark.parametrize("by", ["%i", "%u"])
def test_the_thumbnailer(run: Run, data: Path, photo: Path, tmp_path: Path, by: str) -> None:
    run("desktop", "install")
    entry = configparser.ConfigParser(interpolation=None)
    entry.read(data / "thumbnailers" / "gencodec.thumbnailer")
    about = entry["Thumbnailer Entry"]
    assert about["MimeType"] == "image/x-gencodec;"
    assert os.access(about["TryExec"], os.X_OK)
    with Image.open(photo) as image:
        exif = image.getexif()
        exif[274] = 6  # to be turned by a quarter
        image.save(tmp_path / "turned.jpg", exif=exif)
    packed = tmp_path / "my photo's ü%20.gnc"
    packed.write_bytes(gencodec.compress(tmp_path / "turned.jpg"))
    values = {"%i": str(packed), "%u": packed.as_uri(), "%o": str(tmp_path / "o"), "%s": "48"}
    line = [values.get(word, word) for word in shlex.split(about["exec"].replace("%i", by))]
    subprocess.run(line, check=True, cwd="/", timeout=120)
    with Image.open(tmp_path / "o") as made:
        assert (made.format, made.size) == ("PNG", (32, 48))


def test_a_broken_file_has_no_thumbnail(run: Run) -> None:
    Path("x.gnc").write_bytes(b"nonsense")
    error = run("desktop", "thumbnail", "x.gnc", "o", code=1).stderr
    assert error.startswith("Error: x.gnc")
    assert not Path("o").exists()
