"""Many files at a time, units of sizes, and what a new file is like."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result
from PIL import Image

import gencodec
from gencodec.cli.parameters import ByteCount

FIELD = Path(__file__).parent / "data" / "field"
Run = Callable[..., Result]
SMALL = ("--codec", "vqvae", "-q", "0")


def test_existing_outputs_are_skipped(run: Run, photo: Path) -> None:
    shutil.copy(photo, "b.jpg")
    Path("b.gnc").write_bytes(b"old")
    result = run("compress", "b.jpg", "photo.jpg", *SMALL, "--skip-existing", "--json")
    told = json.loads(result.stdout)
    assert told[0] == {"input": "b.jpg", "output": "b.gnc", "skipped": True}
    assert told[1]["output"] == "photo.gnc"
    assert Path("b.gnc").read_bytes() == b"old"
    run("decompress", "photo.gnc", "--format", "webp")
    run("decompress", "photo.gnc", "--format", "webp", "--skip-existing")
    assert "exists already" in run("decompress", "photo.gnc", "--format", "webp", code=1).stderr
    with Image.open("photo.webp") as image:
        assert image.format == "WEBP"


def test_two_of_a_name_and_what_is_skipped_in_a_folder(run: Run, photo: Path) -> None:
    os.mkdir("in")
    for name in ("a.jpg", "c.jpg"):
        shutil.copy(photo, f"in/{name}")
    with Image.open(photo) as image:
        image.save("in/a.png")
        image.save("in/d.ico")
        image.save("in/e.mpo")
    Path("in/notes.txt").write_text("x")
    result = run("compress", "in", "-o", "out", *SMALL, code=1)
    assert result.stderr.count("in/a.jpg and in/a.png would both become out/a.gnc") == 2
    assert "in: skipped notes.txt for their suffixes" in result.stderr
    assert sorted(os.listdir("out")) == ["c.gnc", "d.gnc", "e.gnc"]
    run("compress", "in", "-o", "kept", *SMALL, "--keep-suffix")
    names = ["a.jpg.gnc", "a.png.gnc", "c.jpg.gnc", "d.ico.gnc", "e.mpo.gnc"]
    assert sorted(os.listdir("kept")) == names
    result = run("verify", "kept")
    assert result.stdout.splitlines() == [f"kept/{name}: OK" for name in names]
    told = json.loads(run("info", "kept", "--json").stdout)
    assert [row["file"] for row in told] == [f"kept/{name}" for name in names]
    text = run("info", "kept/a.jpg.gnc", "kept/a.png.gnc").stdout
    assert text.count("decoder file") == 2


def test_what_was_done_is_told_when_interrupted(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(photo, "z.jpg")
    from gencodec.codec import api

    original = api.compress_detailed

    def interrupted(image, **options):
        if Path(image).name == "z.jpg":
            raise KeyboardInterrupt
        return original(image, **options)

    monkeypatch.setattr(api, "compress_detailed", interrupted)
    result = run("compress", "photo.jpg", "z.jpg", *SMALL, "--json", code=1)
    assert [row["input"] for row in json.loads(result.stdout)] == ["photo.jpg"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("5000", 5000), ("5kB", 5000), ("4.5KiB", 4608), ("1 MB", 10**6), ("2MiB", 2**21), ("9b", 9)],
)
def test_sizes_have_units(text: str, wanted: int) -> None:
    assert ByteCount().convert(text, None, None) == wanted


@pytest.mark.parametrize("text", ["", "0", "kB", "-5kB", "5 parsecs", "0.1", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no number of bytes"):
        ByteCount().convert(text, None, None)


def test_a_target_with_a_unit(run: Run, photo: Path) -> None:
    run("compress", "photo.jpg", "--target-size", "0.6kB")
    assert Path("photo.gnc").stat().st_size <= 600


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_gnc_data_under_the_name_of_another_format(run: Run, photo: Path, suffix: str) -> None:
    result = run("compress", "photo.jpg", "-o", f"out{suffix}", code=2)
    assert "end it in .gnc" in result.stderr
    assert not Path(f"out{suffix}").exists()


def test_lossless_with_a_quality(run: Run, photo: Path) -> None:
    assert "leave out -q" in run("compress", "photo.jpg", "--lossless", "-q", "30", code=2).stderr


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_new_file_is_no_more_open_than_its_source(run: Run, photo: Path) -> None:
    def mode(name: str) -> int:
        return stat.S_IMODE(os.stat(name).st_mode)

    before = os.umask(0o022)
    try:
        for source, wanted in ((0o600, 0o600), (0o640, 0o640), (0o444, 0o644), (0o666, 0o644)):
            photo.chmod(source)
            run("compress", "photo.jpg", *SMALL)
            run("decompress", "photo.gnc")
            run("denoise", "photo.jpg", "--sigma", "0")
            assert [mode("photo.gnc"), mode("photo.png"), mode("photo-denoised.png")] == [
                wanted
            ] * 3
            for name in ("photo.gnc", "photo.png", "photo-denoised.png"):
                os.unlink(name)
        Path("photo.gnc").touch(0o640)
        run("compress", "photo.jpg", *SMALL, "-f")
        assert mode("photo.gnc") == 0o640  # that of the file which it replaces
    finally:
        os.umask(before)


def test_orientation_on_the_command_line(run: Run) -> None:
    shutil.copy(FIELD / "exif_orientation6.jpg", "a.jpg")
    run("compress", "a.jpg", *SMALL)
    run("decompress", "a.gnc", "-o", "a.bmp")
    run("denoise", "a.jpg", "-o", "b.bmp")
    run("decompress", "a.gnc", "--region", "0,0,100,20", "-o", "part.bmp")
    for name, size in (("a.bmp", (96, 128)), ("b.bmp", (96, 128)), ("part.bmp", (20, 100))):
        with Image.open(name) as image:
            assert image.size == size
    assert json.loads(run("info", "a.gnc", "--json").stdout)["width"] == 128


def test_python_m(fresh_python, tmp_path: Path) -> None:
    code = "import sys, runpy; sys.argv = ['x', '--version']; runpy.run_module('gencodec', {}, "
    assert gencodec.__version__ in fresh_python(code + "'__main__')").stdout
    assert gencodec.CODECS == ("autoencoder", "flow", "vqvae") or "graphics" in gencodec.CODECS


def test_quiet_and_verbose(run: Run, photo: Path) -> None:
    with Image.open(photo) as image:
        image.save("many.gif", save_all=True, append_images=[image.rotate(90)])
    loud = run("compress", "many.gif", *SMALL, "-v")
    assert "Warning: many.gif: Only one of 2 frames was kept." in loud.stderr
    assert "many.gif -> many.gnc: " in loud.stderr
    assert run("compress", "many.gif", *SMALL, "-f", "--quiet").stderr == ""
    assert "exists" in run("compress", "many.gif", *SMALL, "--quiet", code=1).stderr
