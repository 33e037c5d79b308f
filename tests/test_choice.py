"""Which codec a picture is compressed with where none is named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gencodec.codec import api, library, metrics
from gencodec.codec.errors import InputError
from gencodec.codec.schemes.graphics.choice import exact_may_be_larger, least_ssimulacra2, look
from gencodec.codec.schemes.graphics.codec import Graphics
from helpers.pictures import drawing, noise

Pixels = NDArray[np.uint8]
DRAWING = drawing(320, 240)


@pytest.fixture(scope="module")
def photo_pixels(cat: Path) -> Pixels:
    with Image.open(cat) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def page(photo_pixels: Pixels) -> Pixels:
    return text_beside(photo_pixels[40:180, 100:260])


def text_beside(photo: Pixels, ink: str = "black") -> Pixels:
    """A page with a photo at its right."""
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    for line in range(14):
        draw.text((4, 18 * line), "text beside a photo, and more of it under it", ink)
    image.paste(Image.fromarray(photo), (310 - photo.shape[1], 20))
    return np.asarray(image)


@pytest.fixture(scope="module")
def captioned(photo_pixels: Pixels) -> Pixels:
    """A page of which the photo costs nearly all."""
    height, width = photo_pixels.shape[:2]
    image = Image.new("RGB", (width, height + 200), "white")
    image.paste(Image.fromarray(photo_pixels))
    draw = ImageDraw.Draw(image)
    for line in range(10):
        draw.text((4, height + 4 + 18 * line), 3 * "a caption under a photo, ", "black")
    return np.asarray(image)


@pytest.fixture(scope="module")
def half_white(photo_pixels: Pixels) -> Pixels:
    """What may be a page, or a photo before a white wall."""
    half = photo_pixels.copy()
    half[:, 220:] = 255
    return half


def soft_shapes(photo: Pixels, side: int) -> Pixels:
    """A photo of 48 x 32 pixels, enlarged softly, in 85 greys."""
    image = Image.fromarray(photo).resize((48, 32))
    grey = image.resize((48 * side, 32 * side), Image.Resampling.BICUBIC).convert("L")
    return (np.asarray(grey) // 3 * 3)[..., None].repeat(3, 2).astype(np.uint8)


# --- the look -------------------------------------------------------------------------------------


def test_kinds(photo_pixels: Pixels, page: Pixels, captioned: Pixels, half_white: Pixels) -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    kinds = {
        "photo": [photo_pixels, photo_pixels[80:144, 150:246], noise(5, 7, 3), noise(400, 1, 3)],
        "graphics": [
            DRAWING,
            np.zeros((1, 1, 3), np.uint8),
            np.full((30, 4000, 3), 9, np.uint8),
            np.where(noise(64, 64, 1) > 128, 255, 0).astype(np.uint8).repeat(3, 2),  # dithered
            np.broadcast_to(ramp[:, None], (300, 512, 3)),
            Image.fromarray(noise(20, 30, 3)).resize((480, 320), Image.Resampling.NEAREST),
        ],
        "page": [page, captioned],
        "unsure": [half_white],
    }
    for kind, pictures in kinds.items():
        for number, picture in enumerate(pictures):
            assert look(np.asarray(picture)).kind == kind, number


def test_what_alpha_hides_is_passed_over(photo_pixels: Pixels) -> None:
    half = photo_pixels.copy()
    half[:, 220:] = 0
    alpha = np.full(half.shape[:2], 255, np.uint8)
    assert look(half, alpha).kind == "unsure"
    alpha[:, 220:] = 0
    assert look(half, alpha).kind == "photo"
    assert look(half, np.zeros_like(alpha)).kind == "photo"  # of which nothing is seen


def test_a_look_is_at_few_pixels() -> None:
    """However large the picture: a view that has no memory of its own takes no time."""
    large = np.broadcast_to(np.uint8(7), (1 << 15, 1 << 15, 3))
    assert look(large).flat == 1


@pytest.mark.parametrize(("quality", "times"), [(0, 1), (50, 5), (100, 9)])
def test_how_much_larger_an_exact_file_may_be(quality: float, times: float) -> None:
    assert exact_may_be_larger("graphics", quality) == times
    assert exact_may_be_larger("page", quality) == 1 + quality / 100
    assert exact_may_be_larger("unsure", quality) == 1.3
    assert exact_may_be_larger("photo", quality) == 0


@pytest.mark.parametrize(("quality", "page"), [(0, 30), (20, 50), (50, 80), (100, 80)])
def test_how_good_a_learned_file_must_be(quality: float, page: float) -> None:
    assert least_ssimulacra2("graphics", quality) == 80
    assert least_ssimulacra2("page", quality) == page
    assert least_ssimulacra2("photo", quality) == least_ssimulacra2("unsure", quality) < -1e9


# --- files ----------------------------------------------------------------------------------------


def test_a_photo_is_as_before_and_pays_for_no_other_file(
    photo_pixels: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graphics, "encode", lambda *_: pytest.fail("written"))
    monkeypatch.setattr(Graphics, "quick_size", lambda *_: pytest.fail("tried"))
    for quality in (20, 50):
        chosen = api.compress_detailed(photo_pixels, quality=quality)
        assert chosen.codec == "autoencoder"
        assert chosen.why.startswith("looks like a photo")
        assert chosen.data == api.compress(photo_pixels, "autoencoder", quality)
    assert api.compress(photo_pixels, "auto", 50) == chosen.data
    size = len(chosen.data)
    limited = api.compress_detailed(photo_pixels, target_size=40 * size)
    assert (limited.codec, limited.quality) == ("autoencoder", 100)
    small = photo_pixels[:64, :96]
    exact = api.compress_detailed(small, lossless=True)
    assert exact.codec == "flow"
    assert exact.data == api.compress(small, "flow", lossless=True)


def test_a_drawing_is_kept_exactly() -> None:
    for chosen in (
        api.compress_detailed(DRAWING),
        api.compress_detailed(DRAWING, quality=5),
        api.compress_detailed(DRAWING, lossless=True),
        api.compress_detailed(DRAWING, "auto"),
    ):
        assert (chosen.codec, chosen.quality, chosen.lossless) == ("graphics", 100, True)
        assert "looks like graphics" in chosen.why
        assert np.array_equal(np.asarray(api.decompress(chosen.data)), DRAWING)
    assert api.compress_detailed(DRAWING, "graphics").why == ""


def test_a_target_is_kept(photo_pixels: Pixels) -> None:
    exact = api.compress_detailed(DRAWING)
    size = len(exact.data)
    fits = api.compress_detailed(DRAWING, target_size=size)
    assert (fits.data, fits.codec) == (exact.data, "graphics")
    assert "it fits" in fits.why
    soft = soft_shapes(photo_pixels, 4)
    small = api.compress_detailed(soft, target_size=len(api.compress(soft, "graphics")) - 1)
    assert small.codec == "autoencoder"
    with pytest.raises(InputError, match="bytes at quality 0, the lowest"):
        api.compress(DRAWING, target_size=40)


def test_what_only_learned_codecs_do() -> None:
    assert api.compress_detailed(DRAWING, tune="visual").codec == "autoencoder"
    assert api.compress_detailed(DRAWING, tune="psnr").codec == "autoencoder"
    assert api.compress_detailed(DRAWING, denoise=True).codec == "autoencoder"
    for codec in ("flow", "vqvae"):
        entry = library.shipped()[codec]
        model = library.PRETRAINED / entry.get(
            "encoder", entry["decoders"][entry["default"]]["file"]
        )
        assert api.compress_detailed(DRAWING[:32, :32], model=model).codec == codec


def test_of_what_is_unsure_the_smaller(photo_pixels: Pixels, half_white: Pixels) -> None:
    pale = text_beside((photo_pixels[60:108, 150:214] // 2 + 96).astype(np.uint8), "#909090")
    taken = set()
    for picture in (half_white, pale):
        chosen = api.compress_detailed(picture)
        assert "may be a photo or graphics" in chosen.why
        learned = api.compress(picture, "autoencoder")
        exact = api.compress(picture, "graphics")
        assert chosen.data == (exact if len(exact) <= 1.3 * len(learned) else learned)
        taken.add(chosen.codec)
    assert taken == {"autoencoder", "graphics"}


def test_a_page_is_exact_where_that_costs_little(page: Pixels) -> None:
    chosen = api.compress_detailed(page, quality=80)
    assert chosen.data == api.compress(page, "graphics")
    assert "looks like a page with photos" in chosen.why and "exact, and" in chosen.why


@pytest.mark.parametrize("quality", [15, 50])
def test_the_text_of_a_page_raises_the_quality(captioned: Pixels, quality: float) -> None:
    chosen = api.compress_detailed(captioned, quality=quality)
    least = least_ssimulacra2("page", quality)
    plain = np.asarray(api.decompress(api.compress(captioned, "autoencoder", quality)))
    assert metrics.ssimulacra2(captioned, plain) < least
    decoded = np.asarray(api.decompress(chosen.data))
    assert least <= metrics.ssimulacra2(captioned, decoded) < least + 4
    assert (chosen.codec, api.info(chosen.data).quality) == ("autoencoder", chosen.quality)
    assert chosen.quality > quality
    assert f"at quality {chosen.quality:g}, which its text needs" in chosen.why
    assert chosen.data == api.compress(captioned, "autoencoder", chosen.quality)


def test_who_names_a_psnr_gets_it_of_a_page(captioned: Pixels) -> None:
    chosen = api.compress_detailed(captioned, target_psnr=30)
    assert chosen.codec == "autoencoder"
    assert chosen.data == api.compress(captioned, "autoencoder", target_psnr=30)


def test_of_what_is_exact_the_smaller(page: Pixels) -> None:
    flow = api.compress(page, "flow", lossless=True)
    exact = api.compress(page, "graphics")
    kept = api.compress_detailed(page, lossless=True)
    assert kept.data == min(flow, exact, key=len)
    assert f"smaller than {'flow' if kept.codec == 'graphics' else 'graphics'}" in kept.why


def test_the_learned_file_of_graphics_is_good_or_is_not_taken(photo_pixels: Pixels) -> None:
    """Soft shapes, which look drawn and cost many bits exactly."""
    taken = set()
    for side in (4, 6):
        picture = soft_shapes(photo_pixels, side)
        assert look(picture).kind == "graphics"
        for quality in (0, 50):
            chosen = api.compress_detailed(picture, quality=quality)
            learned = api.compress_detailed(picture, "autoencoder", quality)
            exact = api.compress(picture, "graphics")
            decoded = np.asarray(api.decompress(learned.data).convert("RGB"))
            score = metrics.ssimulacra2(picture, decoded)
            larger = len(exact) > exact_may_be_larger("graphics", quality) * len(learned.data)
            wanted = "autoencoder" if larger and score >= 80 else "graphics"
            assert chosen.codec == wanted, (side, quality, len(exact), len(learned.data), score)
            if larger and score < 80:
                assert "would have SSIMULACRA2" in chosen.why
            taken.add((larger, score >= 80))
    assert (True, False) in taken, taken


def test_hidden_colours(photo_pixels: Pixels) -> None:
    """Kept where the file is exact; made cheap where it is not, as by the codec's name."""
    alpha = np.full((240, 320, 1), 255, np.uint8)
    alpha[:, 160:] = 0
    for colours, codec in ((DRAWING, "graphics"), (photo_pixels[:240, :320], "autoencoder")):
        picture = np.concatenate([colours, alpha], 2)
        chosen = api.compress_detailed(picture)
        assert chosen.codec == codec
        assert chosen.data == api.compress(picture, codec)
        if codec == "graphics":
            assert np.array_equal(np.asarray(api.decompress(chosen.data)), picture)


def test_metadata_does_not_sway_the_choice(half_white: Pixels) -> None:
    image = Image.fromarray(half_white)
    image.info["icc_profile"] = noise(200_000).tobytes()
    assert api.compress_detailed(image).codec == "autoencoder"


# --- on the command line --------------------------------------------------------------------------


def test_a_folder_is_told_of_each(run: Callable[..., Result], photo: Path) -> None:
    folder = Path("in")
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    Image.fromarray(DRAWING).save(folder / "b.png")
    told = json.loads(run("compress", "in", "-o", "out", "--json").stdout)
    assert [row["codec"] for row in told] == ["autoencoder", "graphics"]
    assert [row["lossless"] for row in told] == [False, True]
    assert told[0]["why"].startswith("looks like a photo")
    assert told[1]["why"].startswith("looks like graphics")
    (named,) = json.loads(
        run("compress", "in/b.png", "-o", "c.gnc", "--codec", "autoencoder", "--json").stdout
    )
    assert (named["codec"], named["why"]) == ("autoencoder", "")
    same = run("compress", "in/b.png", "-o", "-", "--codec", "auto").stdout_bytes
    assert same == Path("out/b.gnc").read_bytes()
    about = json.loads(run("info", "out/b.gnc", "--json").stdout)
    assert (about["codec"], about["suits"][:11]) == ("graphics", "screenshots")
    run("decompress", "out", "-o", "back")
    with Image.open("back/b.png") as back:
        assert back.tobytes() == DRAWING.tobytes()
