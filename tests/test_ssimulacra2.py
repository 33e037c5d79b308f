"""SSIMULACRA2 against libjxl's own scores, and laws that any such measure keeps."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from gencodec.codec.errors import InputError
from gencodec.codec.metrics import ssimulacra2

ANCHORS = Path(__file__).resolve().parents[2] / "shared" / "anchors" / "visual"
TOLERANCE = 0.3  # of a score; the largest deviation is on pictures of few colours


@pytest.fixture(scope="module")
def pixels(cat: Path) -> NDArray[np.uint8]:
    with Image.open(cat) as image:
        return np.asarray(image.convert("RGB"))


def test_equals_libjxl() -> None:
    if not ANCHORS.is_dir():
        pytest.skip("the shared picture pairs are absent")
    pairs = json.loads((ANCHORS / "scores.json").read_text())["pairs"]
    assert len(pairs) == 13
    for pair in pairs:
        reference, distorted = (
            np.asarray(Image.open(ANCHORS / pair[name]).convert("RGB"))
            for name in ("reference", "distorted")
        )
        score = ssimulacra2(reference, distorted)
        assert score == pytest.approx(pair["ssimulacra2"], abs=TOLERANCE), pair["distorted"]


def test_identical_pictures_score_100(pixels: NDArray[np.uint8]) -> None:
    assert ssimulacra2(pixels, pixels) == 100


def test_falls_with_blur_and_noise(pixels: NDArray[np.uint8]) -> None:
    image = Image.fromarray(pixels)
    blurred = [np.asarray(image.filter(ImageFilter.GaussianBlur(r))) for r in (0.5, 1, 2, 4)]
    noise = np.random.default_rng(0).normal(size=pixels.shape)
    noisy = [np.clip(pixels + s * noise, 0, 255).astype(np.uint8) for s in (2, 5, 10, 30)]
    for series in (blurred, noisy):
        scores = [ssimulacra2(pixels, one) for one in series]
        assert scores == sorted(scores, reverse=True)
        assert 60 < scores[0] < 100
        assert scores[-1] < 45


@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 15, 3), (17, 8, 3), (65, 33, 3)])
def test_small_and_odd_sides(shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert ssimulacra2(random, random) == 100
    assert ssimulacra2(random, np.invert(random)) < 50


@pytest.mark.parametrize(
    ("reference", "distorted"),
    [
        (np.zeros((16, 16, 3), np.uint8), np.zeros((16, 17, 3), np.uint8)),
        (np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8)),
        (np.zeros((7, 16, 3), np.uint8), np.zeros((7, 16, 3), np.uint8)),
        (np.zeros((16, 16, 3), np.float32), np.zeros((16, 16, 3), np.float32)),
        ([[1]], [[1]]),
    ],
)
def test_refuses_what_it_cannot_compare(reference: NDArray, distorted: NDArray) -> None:
    with pytest.raises(InputError, match="SSIMULACRA2 compares"):
        ssimulacra2(reference, distorted)
