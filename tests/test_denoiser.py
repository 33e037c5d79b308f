"""The denoiser on a tiny model: what goes in comes out, less its noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.cli import cli
from gencodec.codec import api, denoiser, library
from gencodec.codec.errors import DeviceError, InputError, ModelError
from gencodec.codec.session import Runtime

GOLDEN = Path(__file__).parent / "golden"
(MODEL,) = (GOLDEN / "denoiser").glob("denoiser-*.onnx")
(CODEC,) = GOLDEN.glob("autoencoder-1/*-encoder.onnx")
SIZES = [(1, 1), (1, 9), (7, 5), (16, 24), (33, 50)]
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def clean(cat: Path) -> Pixels:
    with Image.open(cat) as image:
        return np.asarray(image.convert("RGB"))[60:220, 100:292]


def with_noise(picture: NDArray, level: float, seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal(picture.shape).astype(np.float32)
    return picture.astype(np.float32) / np.float32(255) + noise * np.float32(level / 255)


def to_bytes(x: NDArray[np.float32]) -> Pixels:
    return np.floor(np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def psnr(a: NDArray, b: NDArray) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error) if error else np.inf


def gap(a: NDArray, b: NDArray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


# ---- arrays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_an_array_comes_back_alike(size: tuple, channels: tuple, kind: type) -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, size + channels, np.uint8)
    if kind is np.float32:
        picture = picture.astype(np.float32) / np.float32(255)
    before = picture.copy()
    result = gencodec.denoise(picture, model=MODEL)
    assert result.shape == picture.shape
    assert result.dtype == kind
    assert np.isfinite(result).all()
    assert np.array_equal(picture, before)  # the caller's own is left alone
    assert not np.shares_memory(result, picture)
    assert np.array_equal(result, gencodec.denoise(picture, model=MODEL))


@pytest.mark.parametrize("level", [15, 25, 50])
def test_noise_is_taken_out(clean: Pixels, level: int) -> None:
    noisy = with_noise(clean, level)
    result = to_bytes(gencodec.denoise(noisy, model=MODEL))
    assert psnr(result, clean) > psnr(to_bytes(noisy), clean) + 3
    grey = clean[..., 1]
    result = to_bytes(gencodec.denoise(with_noise(grey, level), model=MODEL))
    assert psnr(result, grey) > psnr(to_bytes(with_noise(grey, level)), grey) + 2


def test_bytes_and_floats_agree(clean: Pixels) -> None:
    noisy = to_bytes(with_noise(clean, 20))
    floats = gencodec.denoise(noisy.astype(np.float32) / np.float32(255), model=MODEL)
    assert gap(to_bytes(floats), gencodec.denoise(noisy, model=MODEL)) <= 1


def test_float_values_may_lie_outside(clean: Pixels) -> None:
    bright = with_noise(np.full_like(clean, 255), 30)
    assert bright.max() > 1.1
    result = gencodec.denoise(bright, model=MODEL)
    assert abs(float(result.mean()) - 1) < 0.05
    assert result.max() > 1  # not clipped


def test_a_clean_picture_is_left_alone(clean: Pixels) -> None:
    assert psnr(gencodec.denoise(clean, model=MODEL), clean) > 36


def test_alpha_and_what_it_hides_are_untouched(clean: Pixels) -> None:
    alpha = np.random.default_rng(1).integers(0, 3, clean.shape[:2], np.uint8) * 127
    picture = np.dstack([to_bytes(with_noise(clean, 30)), alpha]).astype(np.uint8)
    result = gencodec.denoise(picture, model=MODEL)
    assert np.array_equal(result[..., 3], alpha)
    assert np.array_equal(result[alpha == 0], picture[alpha == 0])
    assert not np.array_equal(result[alpha > 0], picture[alpha > 0])
    floats = picture.astype(np.float32) / np.float32(255)
    assert np.array_equal(gencodec.denoise(floats, model=MODEL)[..., 3], floats[..., 3])


def test_a_grey_picture_in_colour_stays_grey(clean: Pixels) -> None:
    grey = to_bytes(with_noise(clean[..., 0], 25))
    result = gencodec.denoise(np.dstack([grey, grey, grey]), model=MODEL)
    assert np.ptp(result.astype(int), axis=2).max() == 0
    assert np.array_equal(result[..., 0], gencodec.denoise(grey, model=MODEL))


# ---- level and strength ----------------------------------------------------------------------


def test_the_level_is_estimated(clean: Pixels) -> None:
    found = [api.denoise_detailed(with_noise(clean, level)).sigma for level in (10, 25, 50)]
    assert found == pytest.approx([10, 25, 50], rel=0.15)
    assert api.denoise_detailed(clean, sigma=12, model=MODEL).sigma == 12


@pytest.mark.parametrize("auto", ["blind", "estimate"])
def test_the_result_is_one_whether_the_level_is_reported_or_not(
    clean: Pixels, monkeypatch: pytest.MonkeyPatch, auto: str
) -> None:
    network = library.load(MODEL)
    monkeypatch.setitem(network.file.settings, "auto", auto)
    asked = []
    estimate = denoiser.estimate
    monkeypatch.setattr(denoiser, "estimate", lambda *of: asked.append(1) or estimate(*of))
    noisy = with_noise(clean, 25)
    quiet = gencodec.denoise(noisy, model=MODEL)
    assert len(asked) == (auto == "estimate")  # a network that is blind needs none
    told = api.denoise_detailed(noisy, model=MODEL)
    assert np.array_equal(quiet, np.asarray(told.image))
    assert 0 < told.sigma < 75


def test_strength_blends(clean: Pixels) -> None:
    noisy = to_bytes(with_noise(clean, 25))
    whole = gencodec.denoise(noisy, model=MODEL)
    half = gencodec.denoise(noisy, strength=0.5, model=MODEL)
    assert gap(half, np.rint((whole.astype(float) + noisy) / 2)) <= 1
    assert np.array_equal(gencodec.denoise(noisy, strength=0, model=MODEL), noisy)
    assert np.array_equal(gencodec.denoise(noisy, sigma=0, model=MODEL), noisy)


def test_a_given_level_matters(clean: Pixels) -> None:
    noisy = to_bytes(with_noise(clean, 25))
    results = [gencodec.denoise(noisy, sigma=s, model=MODEL) for s in (5, 25, 75)]
    weak, right, strong = (psnr(result, noisy) for result in results)
    assert weak > right + 0.3 > strong + 0.6  # more is taken out
    weak, right, strong = (psnr(result, clean) for result in results)
    assert right > max(weak + 0.4, strong + 2)  # the right level is the best


# ---- tiles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, MODEL])
def test_tiles_start_on_the_coarsest_grid(path: Path | None) -> None:
    settings = library.default_single("denoiser", path).file.settings
    assert denoiser.TILE % settings["step"] == settings["halo"] % settings["step"] == 0


@pytest.mark.parametrize("tile", [32, 64, 112])
def test_tiled_is_whole(clean: Pixels, monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    noisy = to_bytes(with_noise(clean[:157, :187], 25))
    whole = gencodec.denoise(noisy, sigma=25, model=MODEL)
    monkeypatch.setattr(denoiser, "WHOLE", 1000)
    monkeypatch.setattr(denoiser, "TILE", tile)
    parts: list[float] = []
    tiled = api.denoise_detailed(noisy, sigma=25, model=MODEL, progress=parts.append).image
    assert gap(np.asarray(tiled), whole) <= 1
    assert parts == sorted(parts)
    assert parts[-1] == pytest.approx(1)


def test_a_large_picture_is_estimated_from_patches(
    clean: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, model, runtime = with_noise(clean, 25), library.load(MODEL), Runtime("cpu", 1)
    whole = denoiser.estimate(noisy, model, runtime)
    monkeypatch.setattr(denoiser, "PATCHES", ((1000, 4),))
    monkeypatch.setattr(denoiser, "PATCH", 64)
    assert denoiser.estimate(noisy, model, runtime) == pytest.approx(whole, rel=0.35)
    assert denoiser.estimate(noisy[:8], model, runtime) > 0  # lower than a patch


def test_threads_do_not_matter(clean: Pixels) -> None:
    noisy = to_bytes(with_noise(clean, 25))
    one, two = (gencodec.denoise(noisy, device="cpu", threads=n, model=MODEL) for n in (1, 2))
    assert gap(one, two) <= 1


# ---- PIL images and files --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "wanted"), [("L", "L"), ("LA", "LA"), ("RGB", "RGB"), ("RGBA", "RGBA"), ("P", "RGB")]
)
def test_a_pil_image_comes_back(clean: Pixels, mode: str, wanted: str) -> None:
    image = Image.fromarray(to_bytes(with_noise(clean, 25))).convert(mode)
    image.info["icc_profile"] = b"a profile of no meaning"
    result = gencodec.denoise(image, model=MODEL)
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size) == (wanted, image.size)
    assert result.info["icc_profile"] == b"a profile of no meaning"
    # What has a palette was dithered, and that is no noise.
    assert (result.tobytes() == image.convert(wanted).tobytes()) == (mode == "P")


def test_paths_and_files_become_images(photo: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as image:
        image.save(photo, exif=exif)
    result = gencodec.denoise(photo, model=MODEL)
    assert result.size == (96, 64)  # orientation stays metadata
    assert result.getexif()[0x0112] == 6
    with open(photo, "rb") as file:
        assert gencodec.denoise(file, model=MODEL).tobytes() == result.tobytes()


# ---- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((3, 8, 8), np.uint8), "(3, 8, 8)"),
        (np.zeros((8, 8, 2), np.uint8), "(8, 8, 2)"),
        (np.zeros((8, 8, 3), np.float64), "float64"),
        (np.zeros((8, 8, 3), np.uint16), "uint16"),
        (np.zeros(8, np.uint8), "(8,)"),
        (np.zeros((0, 8, 3), np.uint8), "0"),
        (np.full((8, 8), np.nan, np.float32), "nan"),
        (np.full((8, 8, 4), np.inf, np.float32), "inf"),
        (b"bytes", "BytesIO"),
        ("missing.jpg", "missing.jpg"),
    ],
)
def test_bad_pictures(picture: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        gencodec.denoise(picture, model=MODEL)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma": -1},
        {"sigma": 76},
        {"sigma": float("nan")},
        {"sigma": "much"},
        {"sigma": True},
        {"strength": 1.5},
        {"strength": None},
        {"strength": -0.1},
    ],
)
def test_bad_arguments(wrong: dict) -> None:
    with pytest.raises(InputError, match="|".join(wrong)):
        gencodec.denoise(np.zeros((8, 8), np.uint8), model=MODEL, **wrong)
    with pytest.raises(DeviceError):
        gencodec.denoise(np.zeros((8, 8), np.uint8), device="tpu", model=MODEL)


def test_models_are_not_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    dot = np.zeros((8, 8), np.uint8)
    with pytest.raises(ModelError, match="is a model of autoencoder, not denoiser"):
        gencodec.denoise(dot, model=CODEC)
    with pytest.raises(ModelError, match="is a model of denoiser, not autoencoder"):
        gencodec.compress(dot, model=MODEL)
    data = gencodec.compress(dot, model=CODEC)
    with pytest.raises(ModelError, match="denoiser"):
        api.decompress(data, model=MODEL)
    monkeypatch.setattr(library, "shipped", dict)
    with pytest.raises(ModelError, match="ships no model for the denoiser; pass --model FILE"):
        gencodec.denoise(dot)


@pytest.mark.parametrize("name", ["auto", "halo", "step"])
def test_a_model_of_another_version(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delitem(library.load(MODEL).file.settings, name)
    with pytest.raises(
        ModelError, match=rf"denoiser-.* has no setting '{name}': .*export it again"
    ):
        gencodec.denoise(np.zeros((8, 8), np.uint8), model=MODEL)


def test_compress_without_noise(
    clean: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = tmp_path / "noisy.png"
    Image.fromarray(to_bytes(with_noise(clean, 25))).save(noisy)
    single = library.default_single
    monkeypatch.setattr(
        library, "default_single", lambda scheme, path=None: single(scheme, path or MODEL)
    )
    arguments = ["compress", str(noisy), "--denoise", "-q", "80", "--model", str(CODEC)]
    assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    denoised = gencodec.denoise(noisy, model=MODEL)
    wanted = gencodec.compress(denoised, quality=80, model=CODEC)
    assert noisy.with_suffix(".gnc").read_bytes() == wanted
    assert wanted != gencodec.compress(noisy, quality=80, model=CODEC)


def test_a_subclass_of_arrays_is_its_array(clean: Pixels) -> None:
    result = gencodec.denoise(np.ma.array(clean[:8, :8, 0]), sigma=10, model=MODEL)
    assert type(result) is np.ndarray
    assert result.shape == (8, 8)
