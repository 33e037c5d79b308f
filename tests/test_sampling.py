"""Pictures drawn from the priors: the seed decides, and what is kept stays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.cli import cli
from gencodec.codec.errors import InputError
from gencodec.codec.schemes.tiling import boxes
from gencodec.codec.schemes.vqvae import sampling
from gencodec.codec.schemes.vqvae.codec import Vqvae
from gencodec.codec.schemes.vqvae.contract import TOTAL
from gencodec.codec.session import Runtime

(MODEL,) = (Path(__file__).parent / "golden" / "vqvae-1").glob("*-encoder.onnx")
SIZE = (70, 50)


def drawn(count: int = 1, **options: Any) -> list[NDArray]:
    options = {"size": SIZE, "model": MODEL, "threads": 1} | options
    return [np.asarray(image) for image in gencodec.sample(count, **options)]


def test_a_seed_draws_its_pictures_again() -> None:
    first = drawn(2, seed=5)
    assert all(picture.shape == (50, 70, 3) for picture in first)
    assert not np.array_equal(first[0], first[1])
    again = drawn(2, seed=5, threads=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], drawn(1, seed=6)[0])


def test_a_picture_does_not_depend_on_how_many_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    together = drawn(3, seed=2)
    monkeypatch.setattr(sampling, "TOGETHER", 1)
    for number, picture in enumerate(drawn(3, seed=2)):
        assert np.array_equal(picture, together[number])
    assert np.array_equal(drawn(1, seed=2)[0], together[0])


def test_draws_follow_the_frequencies() -> None:
    frequencies = np.array([[1, 3, 4], [8, 0, 0]])
    scale = TOTAL // 8
    for eighth, wanted in enumerate([0, 1, 1, 1, 2, 2, 2, 2]):
        for number in (eighth * scale, (eighth + 1) * scale - 1):
            found = sampling._pick(frequencies, np.array([number, number]))
            assert found.tolist() == [wanted, 0]


def test_temperature_favours_likely_codes() -> None:
    frequencies = np.array([[1000, 200, 50]])
    shares = [(lambda f: f[0, 0] / f.sum())(sampling._temper(frequencies, t)) for t in (0.3, 1, 5)]
    assert shares[0] > shares[1] > shares[2] > 1 / 3
    assert shares[1] == pytest.approx(0.8, abs=1e-4)
    assert not np.array_equal(drawn(1, temperature=0.1), drawn(1, temperature=10.0))


def test_codes_of_the_kept_part_are_those_of_a_file(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is beside it has no part in them."""
    picture = np.array(Image.open(cat).convert("RGB"))[60:140, 100:228]
    seen: list[NDArray] = []
    whole = Vqvae.pixels
    monkeypatch.setattr(
        Vqvae, "pixels", lambda self, c, *rest: seen.append(c) or whole(self, c, *rest)
    )
    one = np.asarray(gencodec.complete(picture, (64, 50), 1, model=MODEL))
    assert one.shape == picture.shape
    picture[:, 64:] = 0
    picture[48:] = 255
    two = np.asarray(gencodec.complete(picture, (64, 50), 1, model=MODEL))
    assert np.array_equal(one, two)
    other = np.asarray(gencodec.complete(picture, (64, 50), 2, model=MODEL))
    assert not np.array_equal(one, other)
    assert np.array_equal(seen[0][:, :3, :4], seen[2][:, :3, :4])
    # The part alone, cut out and compressed, has these codes too.
    vqvae = Vqvae.open(MODEL)
    coded = vqvae.encode(picture[:48, :64].copy(), 10000, Runtime("cpu", 1))
    levels = vqvae.levels_sent(10000)
    (codes,) = vqvae.decode_codes(coded.segments, boxes(3, 4), [0], levels)
    assert np.array_equal(codes, seen[0][:, :3, :4])


def test_a_picture_kept_whole_is_a_decoded_file(cat: Path) -> None:
    picture = Image.open(cat).convert("RGB").crop((0, 0, 70, 40))
    data = gencodec.compress(picture, "vqvae", 100, model=MODEL)
    kept = gencodec.complete(picture, (70, 40), model=MODEL)
    assert np.array_equal(np.asarray(kept), np.asarray(gencodec.decompress(data, model=MODEL)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"count": 0}, "at least 1"),
        ({"size": (0, 5)}, "0x5"),
        ({"size": (5000, 5000)}, "5000x5000"),
        ({"seed": -1}, "seed"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
    ],
)
def test_wrong_arguments_are_named(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        drawn(**options)
    if "count" not in options and "size" not in options:
        with pytest.raises(InputError, match=text):
            gencodec.complete(np.zeros((32, 32), np.uint8), (16, 16), model=MODEL, **options)


def test_nothing_kept_is_an_error() -> None:
    with pytest.raises(InputError, match="keep more"):
        gencodec.complete(np.zeros((32, 32), np.uint8), (15, 32), model=MODEL)


# ---- the command -----------------------------------------------------------------------------


def command(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["sample", *arguments, "--model", str(MODEL)])
    assert result.exit_code == code, result.output
    return result.output


def test_samples_into_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    command("-n", "2", "--seed", "3", "--size", "40x24", "-o", str(folder))
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["sample-3-1.png", "sample-3-2.png"]
    with Image.open(folder / names[1]) as image:
        assert np.array_equal(np.asarray(image), drawn(2, seed=3, size=(40, 24))[1])
    assert "exists already" in command("--seed", "3", "-o", str(folder), code=1)
    command("--seed", "3", "--size", "16x16", "-o", str(folder), "-f")


def test_completes_a_file(tmp_path: Path, photo: Path) -> None:
    out = tmp_path / "done.png"
    text = command("--complete", str(photo), "--keep", "48x64", "-o", str(out), "--json")
    assert '"width": 96' in text
    with Image.open(out) as image:
        assert image.size == (96, 64)
    assert "missing.jpg" in command(
        "--complete", str(tmp_path / "missing.jpg"), "--keep", "9x9", "-o", "x.png", code=1
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "40", "-o", "x"],
        ["--size", "0x9", "-o", "x"],
        ["--keep", "32x32", "-o", "x.png"],
        ["--complete", "a.png", "-o", "x.png"],
        ["--complete", "a.png", "--keep", "32x32", "-n", "2", "-o", "x.png"],
        ["-n", "2"],
        ["--temperature", "0", "-o", "x"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    command(*arguments, code=2)
