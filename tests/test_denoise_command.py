"""``gencodec denoise``: files in, files out, messages and exit codes."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from gencodec.cli import cli

(MODEL,) = (Path(__file__).parent / "golden" / "denoiser").glob("denoiser-*.onnx")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``run("photo.jpg", code=1)`` is ``gencodec denoise photo.jpg --model ...``."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0, stdin: bytes = b"") -> Result:
        whole = ["denoise", *arguments]
        if "--model" not in arguments:
            whole += ["--model", str(MODEL)]
        result = CliRunner().invoke(cli, whole, stdin, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


Run = Callable[..., Result]


def test_the_default_output(run: Run, photo: Path) -> None:
    before = photo.read_bytes()
    assert run("photo.jpg").output == ""
    assert sorted(os.listdir()) == ["photo-denoised.png", "photo.jpg"]
    with Image.open("photo-denoised.png") as image:
        assert (image.size, image.mode, image.format) == ((96, 64), "RGB", "PNG")
    assert "photo-denoised.png exists" in run("photo.jpg", code=1).stderr
    run("photo.jpg", "-f")
    assert photo.read_bytes() == before


def test_the_input_is_never_overwritten(run: Run, photo: Path) -> None:
    before = photo.read_bytes()
    os.symlink("photo.jpg", "link.jpg")
    for arguments in (
        ["photo.jpg", "-o", "photo.jpg"],
        ["photo.jpg", "-o", "./photo.jpg"],
        ["photo.jpg", "-o", "link.jpg"],
        ["link.jpg", "-o", "photo.jpg"],
    ):
        assert "input" in run(*arguments, "-f", code=2).stderr
        assert photo.read_bytes() == before
    os.mkdir("same")
    Path("same/a.png").write_bytes(before)
    run("same", "-o", "same", "-f")
    assert sorted(os.listdir("same")) == ["a-denoised.png", "a.png"]
    assert Path("same/a.png").read_bytes() == before


def test_json_tells_the_level(run: Run, photo: Path) -> None:
    (told,) = json.loads(run("photo.jpg", "--json").stdout)
    assert told["output"] == "photo-denoised.png"
    assert 0 <= told["sigma"] < 75
    assert told["sigma_estimated"]
    (told,) = json.loads(run("photo.jpg", "--json", "-f", "--sigma", "7.5").stdout)
    assert (told["sigma"], told["sigma_estimated"]) == (7.5, False)
    bad, good = json.loads(run("no.jpg", "photo.jpg", "--json", "-o", "out/", code=1).stdout)
    assert "no.jpg" in bad["error"]
    assert good["output"] == os.path.join("out", "photo-denoised.png")


def test_folders_suffixes_and_streams(run: Run, photo: Path) -> None:
    os.makedirs("in/sub")
    for name in ("in/a.jpg", "in/sub/b.jpg"):
        Path(name).write_bytes(photo.read_bytes())
    run("in", "-o", "out", "--strength", "0.5")
    assert sorted(os.listdir("out")) == ["a-denoised.png", "sub"]
    run("photo.jpg", "-o", "done.webp", "--sigma", "auto")
    with Image.open("done.webp") as image:
        assert image.format == "WEBP"
    piped = run("-", stdin=photo.read_bytes()).stdout_bytes
    with Image.open(io.BytesIO(piped)) as image:
        assert image.size == (96, 64)


def test_metadata_and_alpha_are_kept(run: Run, photo: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save("rich.png", exif=exif, icc_profile=b"a profile of no meaning")
        alpha = image.getchannel("A").tobytes()
    run("rich.png")
    with Image.open("rich-denoised.png") as image:
        assert image.getchannel("A").tobytes() == alpha
        assert image.getexif()[0x0112] == 6
        assert image.info["icc_profile"] == b"a profile of no meaning"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.jpg"], 1, "missing.jpg"),
        (["text.jpg"], 1, "text.jpg"),
        (["photo.jpg", "--model", "text.jpg"], 1, "text.jpg"),
        (["photo.jpg", "-o", "nowhere/x.png"], 1, "nowhere"),
        (["folder", "-o", "out"], 1, "folder"),
        (["folder"], 2, "-o DIR"),
        (["photo.jpg", "--sigma", "76"], 2, "75"),
        (["photo.jpg", "--sigma", "nan"], 2, "nan"),
        (["photo.jpg", "--sigma", "much"], 2, "much"),
        (["photo.jpg", "--strength", "2"], 2, "2"),
        (["photo.jpg", "-o", "x.xyz"], 2, ".xyz"),
        ([], 2, "IN"),
    ],
)
def test_bad_usage(run: Run, photo: Path, arguments: list[str], code: int, words: str) -> None:
    Path("text.jpg").write_text("These are words, not a picture.")
    os.mkdir("folder")
    before = sorted(os.listdir())
    stderr = run(*arguments, code=code).stderr
    assert words in stderr
    assert "Error: " in stderr
    if code == 1:
        assert len(stderr.splitlines()) == 1
    assert sorted(os.listdir()) == before
