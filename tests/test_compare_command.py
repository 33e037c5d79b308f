"""``gencodec compare``: tables, JSON, plots, and inputs that fail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import gencodec
from gencodec import cli
from gencodec.codec import api
from helpers.pictures import noise

# A tiny model of its own: nothing here depends on how good the shipped one is.
(MODEL,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-encoder.onnx")


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``gencodec compare --model MODEL`` in `tmp_path` and checks its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0, stdin: bytes = b"") -> Result:
        command = ["compare", "--model", str(MODEL), "--threads", "2", *arguments]
        result = CliRunner().invoke(cli.cli, command, stdin, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


def test_table_of_one_picture(run: Run, photo: Path) -> None:
    output = run(str(photo), "--against", "jpeg,avif").output
    assert output.startswith("photo.jpg, 96 x 64\n")
    for text in ("quality", "at least the same PSNR", "JPEG 4:2:0", "AVIF 4:4:4", " dB"):
        assert text in output
    assert "WebP" not in output
    assert "Note: MS-SSIM is left out" in output
    assert "libavif" in output


def test_several_pictures_and_folders(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    Image.fromarray(noise(30, 30)).save(tmp_path / "more" / "grey.png")
    (tmp_path / "more" / "notes.txt").write_text("no picture")
    output = run(str(photo), "more", "--against", "jpeg").output
    assert "Of each picture, at equal PSNR" in output
    assert "Of each picture, at equal SSIMULACRA2" in output
    assert "photo.jpg" in output and "grey.png" in output
    assert "JPEG 4:2:0" in output and "JPEG grey" in output


def test_json(run: Run, photo: Path) -> None:
    Image.new("RGB", (1, 1)).save("dot.png")
    found = json.loads(run(str(photo), "dot.png", "--against", "jpeg", "--json").stdout)
    assert [each["name"] for each in found["pictures"]] == ["photo.jpg", "dot.png"]
    assert found["errors"] == []
    assert found["curves"][0]["points"][0].keys() >= {"psnr", "ms_ssim", "ssimulacra2"}
    scores = [point["ssimulacra2"] for point in found["pictures"][0]["curves"][0]["points"]]
    assert len(scores) == 11 and all(score < 100 for score in scores)
    assert (
        found["versions"]["gencodec autoencoder"]
        == api.info(gencodec.compress(photo, model=MODEL)).decoder
    )
    text = json.dumps(found)
    assert "Infinity" not in text and "NaN" not in text


def test_a_picture_that_fails_leaves_the_others(run: Run, photo: Path) -> None:
    Path("bad.png").write_bytes(b"\x89PNG nothing")
    result = run("bad.png", str(photo), "gone.png", "--against", "jpeg", "--json", code=1)
    assert result.stderr.count("Error: ") == 2
    found = json.loads(result.stdout)
    assert [each["name"] for each in found["pictures"]] == ["photo.jpg"]
    assert [each["input"] for each in found["errors"]] == ["bad.png", "gone.png"]
    assert json.loads(run("gone.png", "--json", code=1).stdout)["pictures"] == []


def test_standard_input(run: Run, photo: Path) -> None:
    output = run("-", "--against", "jpeg", stdin=photo.read_bytes()).output
    assert output.startswith("standard input, 96 x 64")
    assert "once" in run("-", "-", code=2).output


@pytest.mark.parametrize("name", ["curves.png", "curves.SVG"])
def test_plot(run: Run, photo: Path, name: str) -> None:
    run(str(photo), "--against", "jpeg", "--plot", name)
    data = Path(name).read_bytes()
    assert data.startswith(b"\x89PNG") if name.endswith("png") else b"<svg" in data
    assert "exists" in run(str(photo), "--plot", name, code=1).stderr
    run(str(photo), "--against", "jpeg", "--plot", name, "-f")
    assert Path(name).read_bytes() == data  # the same every time


def test_outputs_are_refused_before_the_work(run: Run, photo: Path) -> None:
    assert ".png or .svg" in run(str(photo), "--plot", "curves.pdf", code=2).output
    assert "each" in run(str(photo), "--plot", "a.png", "--html", "a.png", code=2).output
    assert "folder" in run(str(photo), "--html", "no/page.html", code=1).stderr
    assert "'gif'" in run(str(photo), "--against", "gif", code=1).stderr


def test_help_loads_click_alone(fresh_python: Callable[..., Any]) -> None:
    code = "import sys\nfrom gencodec.cli import cli\n"
    code += "cli(['compare', '--help'], standalone_mode=False)\n"
    code += "assert not {'numpy', 'PIL', 'onnxruntime', 'matplotlib'} & set(sys.modules)"
    fresh_python(code)


def test_matplotlib_only_where_it_draws(fresh_python: Callable[..., Any], photo: Path) -> None:
    code = "import sys, gencodec\n"
    code += f"gencodec.compare({str(photo)!r}, against=['jpeg'], model={str(MODEL)!r})\n"
    code += "assert 'matplotlib' not in sys.modules"
    fresh_python(code)
