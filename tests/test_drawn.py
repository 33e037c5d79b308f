"""What was drawn is left alone by the denoiser; what has noise is never taken for it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import gencodec
from gencodec.codec import api
from gencodec.codec.image.drawn import is_drawn
from helpers.pictures import drawing, saved

FIELD = Path(__file__).parent / "data" / "field"
Bytes = NDArray[np.uint8]
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def scene(cat: Path) -> NDArray[np.float32]:
    with Image.open(cat) as image:
        small = image.convert("RGB").resize((226, 150), Image.Resampling.LANCZOS)
        return np.asarray(small).astype(np.float32)


def to_bytes(values: NDArray) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def again(pixels: Bytes, format_: str, **options) -> Bytes:
    with Image.open(saved(Image.fromarray(pixels), format_, **options)) as image:
        return np.asarray(image)


def psnr(a: NDArray, b: NDArray) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error) if error else np.inf


# --- drawn ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["pixel_art", "dithered", "thin_lines", "bands_6x6", "white_page", "plain.pbm"]
)
def test_what_was_drawn_is_left_alone(name: str) -> None:
    path = FIELD / (name if "." in name else f"{name}.png")
    result = api.denoise_detailed(path)
    assert isinstance(result.image, Image.Image)
    with Image.open(path) as image:
        wanted = np.asarray(image.convert("RGB"))
    assert psnr(np.asarray(result.image.convert("RGB")), wanted) >= 40
    assert result.sigma < 1


def test_text_pages_and_their_kin_are_left_alone() -> None:
    page = Image.new("RGB", (320, 200), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for y in range(0, 200, 13):
        draw.text((3, y), "Six fine lines of text, 0123456789, all over the page", "black", font)
    dark = (255 - np.asarray(page)).astype(np.uint8)
    pictures: list[NDArray[np.uint8]] = [np.asarray(page), dark, np.asarray(page.convert("L"))]
    for picture in (*pictures, drawing(300, 200).astype(np.uint8)):
        floats = picture.astype(np.float32) / np.float32(255)
        assert np.array_equal(gencodec.denoise(picture), picture)
        assert np.array_equal(gencodec.denoise(floats), floats)


@pytest.mark.parametrize("levels", [2, 3, 4, 8, 16])
def test_dithers(scene: NDArray, levels: int) -> None:
    step = 255 / (levels - 1)
    grey = scene.mean(axis=2)
    whiteness = RNG.random(scene.shape)
    for values, noise in (
        (grey, whiteness[..., 0]),
        (scene, whiteness),
        (scene, whiteness[..., :1]),
    ):
        assert is_drawn(to_bytes(np.floor(values / step + noise) * step))


def test_palettes(scene: NDArray) -> None:
    image = Image.fromarray(to_bytes(scene))
    palette = image.quantize(200)
    for paletted in (
        image.convert("P"),
        image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG),
    ):
        picture = np.asarray(paletted.convert("RGB"))
        assert np.array_equal(gencodec.denoise(picture), picture)


@pytest.mark.parametrize("cell", [1, 3, 8])
@pytest.mark.parametrize("colours", [2, 16, 64])
def test_pixel_art(cell: int, colours: int) -> None:
    palette = RNG.integers(0, 64, (colours, 3)) * 4
    art = palette[RNG.integers(0, colours, (20, 30))].astype(np.uint8)
    assert is_drawn(art.repeat(cell, axis=0).repeat(cell, axis=1))


def test_one_colour_and_one_pixel() -> None:
    for value in (0, 7, 255):
        assert is_drawn(np.full((40, 30, 3), value, np.uint8))
        assert is_drawn(np.full((1, 1), value, np.uint8))


def test_a_level_that_is_given_counts(scene: NDArray) -> None:
    page = drawing(200, 120)
    assert not np.array_equal(gencodec.denoise(page, sigma=25), page)
    assert np.array_equal(gencodec.denoise(page), page)


# --- not drawn ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1, 2, 5, 10, 20, 50])
@pytest.mark.parametrize("grey", [False, True])
def test_noise_is_seen(scene: NDArray, sigma: float, grey: bool) -> None:
    values = scene.mean(axis=2) if grey else scene
    noise = RNG.normal(0, sigma, values.shape)
    bright = np.where(np.arange(150)[:, None] < 75, 300, 90)  # a clipped sky
    bright = bright if grey else bright[..., None]
    for picture in (
        values + noise,
        values * 0.1 + noise,  # a night, much of it clipped at black
        values * 0.3 - 30 + noise,
        values * 2 + noise,
        bright + 0.2 * values + noise,
        (values + noise) // 4 * 4,  # brightened after it was made 8-bit
    ):
        assert not is_drawn(to_bytes(picture))
        assert not is_drawn(to_bytes(picture)[60:92, 90:122])


@pytest.mark.parametrize("sigma", [10, 25, 50])
@pytest.mark.parametrize("quality", [40, 75, 95])
def test_noise_is_seen_through_jpeg_and_webp(scene: NDArray, sigma: float, quality: int) -> None:
    noisy = to_bytes(scene + RNG.normal(0, sigma, scene.shape))
    for picture in (
        again(noisy, "JPEG", quality=quality),
        again(noisy[..., 1], "JPEG", quality=quality),
        again(noisy, "WEBP", quality=quality),
    ):
        assert not is_drawn(picture)


@pytest.mark.parametrize("peak", [5, 20, 60])
def test_the_noise_of_single_photons_is_seen(scene: NDArray, peak: int) -> None:
    for values in (scene, scene.mean(axis=2)):
        assert not is_drawn(to_bytes(RNG.poisson(values / 255 * peak) / peak * 255))


def test_a_noisy_photo_in_a_page_is_seen(scene: NDArray) -> None:
    page = np.full((500, 400, 3), 240, np.uint8)
    page[20:170, 20:246] = to_bytes(scene + RNG.normal(0, 15, scene.shape))
    page[200:440, 30:330] = drawing(300, 240)
    assert not is_drawn(page)
    for frame in (0, 18, 255):
        boxed = np.full((700, 800, 3), frame, np.uint8)
        boxed[200:350, 200:426] = page[20:170, 20:246]
        assert not is_drawn(boxed)


def test_photos_are_not_drawn(scene: NDArray) -> None:
    clean = to_bytes(scene)
    assert not is_drawn(clean)
    assert not is_drawn(scene / np.float32(255))
    assert not is_drawn(again(clean, "JPEG", quality=30))
    noisy = to_bytes(scene + RNG.normal(0, 10, scene.shape))
    assert not is_drawn(noisy.repeat(2, axis=0).repeat(2, axis=1))
