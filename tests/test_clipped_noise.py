"""The denoiser gives dark and bright areas back as they were before their noise was clipped."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.codec import denoiser
from gencodec.codec.image import clipped_noise
from gencodec.codec.image.clipped_noise import unclip_means

Bytes = NDArray[np.uint8]


def stored(picture: NDArray, sigma: float, seed: int = 0) -> Bytes:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def psnr(a: NDArray, b: NDArray) -> float:
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    """A picture denoised as if nothing were known of clipping."""

    def denoise(picture: NDArray, **options) -> NDArray:
        with monkeypatch.context() as patched:
            patched.setattr(denoiser, "unclip_means", lambda *_: None)
            return gencodec.denoise(picture, **options)

    return denoise


# --- the denoiser ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "channels"), [(7.8, (3,)), (7.8, ()), (2, (3,)), (247.2, (3,))])
def test_flat_areas_come_back(without, value: float, channels: tuple[int, ...]) -> None:
    noisy = stored(np.full((96, 128, *channels), value), 20)
    for picture in (noisy, noisy.astype(np.float32) / np.float32(255)):
        scale = 1 if picture.dtype == np.uint8 else 255
        assert abs(without(picture).mean() * scale - value) > 3
        assert abs(gencodec.denoise(picture).mean() * scale - value) < 1


def test_a_night_comes_back_and_its_bright_parts_stay(cat: Path, without) -> None:
    with Image.open(cat) as image:
        day = np.asarray(image.convert("RGB"))[60:220, 100:292].astype(float)
    night = np.maximum(day * 0.3 - 15, 0)
    noisy = stored(night, 25)
    assert psnr(gencodec.denoise(noisy), night) > psnr(without(noisy), night) + 1
    half = np.concatenate([night, np.clip(day, 90, 160)], axis=1)
    noisy = stored(half, 20)
    bright = np.s_[:, day.shape[1] + 8 :]
    assert np.array_equal(gencodec.denoise(noisy)[bright], without(noisy)[bright])


def test_noise_that_was_not_clipped_is_as_before(cat: Path, without) -> None:
    with Image.open(cat) as image:
        picture = np.asarray(image.convert("RGB"))[60:160, 100:220].astype(np.float32)
    floats = picture / np.float32(255) * np.float32(0.2)
    floats += np.random.default_rng(0).normal(0, 0.1, floats.shape).astype(np.float32)
    assert floats.min() < 0  # its ends are open
    assert np.array_equal(gencodec.denoise(floats), without(floats))
    between = stored(100 + picture / 5, 10)
    assert 0 < between.min() < between.max() < 255
    assert np.array_equal(gencodec.denoise(between), without(between))


def test_clean_pictures_are_as_before(cat: Path, without) -> None:
    with Image.open(cat) as image:
        small = image.convert("RGB").resize((226, 150), Image.Resampling.LANCZOS)
    picture = np.asarray(small).astype(float)  # without the grain that the photo has
    for clean in (picture, picture * 1.6 - 60, picture * 0.4 - 20):
        pixels = stored(clean, 0)
        assert np.array_equal(gencodec.denoise(pixels), without(pixels))
    frame = np.zeros((240, 300, 3), np.uint8)  # black bars around noise that is not clipped
    frame[40:190, 50:276] = stored(100 + picture / 5, 10)
    assert np.array_equal(gencodec.denoise(frame), without(frame))


# --- the correction by itself ---------------------------------------------------------------------


def test_strips_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = np.linspace(-10, 60, 90)[:, None] + np.zeros((1, 70))
    noisy = stored(ramp, 20)[..., None] / np.float32(255)
    means = np.maximum(ramp, 4)[..., None].astype(np.float32) / np.float32(255)
    whole, strips = means.copy(), means.copy()
    unclip_means(noisy, whole, 20 / 255)
    monkeypatch.setattr(clipped_noise, "STRIP", 1)
    unclip_means(noisy, strips, 20 / 255)
    assert not np.array_equal(whole, means)
    assert np.allclose(whole, strips, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (9, 20)])
def test_small_pictures(shape: tuple[int, int]) -> None:
    noisy = stored(np.full((*shape, 1), 3.0), 20) / np.float32(255)
    means = np.full_like(noisy, 0.04)
    unclip_means(noisy, means, 20 / 255)
    assert np.isfinite(means).all()
    assert means.min() >= 0
    assert means.max() <= np.float32(0.04)


def test_other_things_than_noise_are_left_alone() -> None:
    shape = (64, 64, 1)
    noisy = stored(np.full(shape, 7.8), 20) / np.float32(255)
    means = np.full(shape, 12.5 / 255, np.float32)
    for level, changed in ((20, True), (14, True), (3, False), (float("inf"), True)):
        result = means.copy()
        unclip_means(noisy, result, level / 255)
        assert np.array_equal(result, means) != changed
    black = np.zeros(shape, np.float32)
    result = means.copy()
    unclip_means(black, result, 20 / 255)
    assert np.array_equal(result, means)
    near = means.copy()  # many a sample is 0, the others are hardly away from their means
    samples = np.where(np.indices(shape[:2])[1][..., None] % 4 == 0, 0, means).astype(np.float32)
    means[samples == 0] = near[samples == 0] = 0.5 / 255
    unclip_means(samples, near, 20 / 255)
    assert np.array_equal(near, means)
