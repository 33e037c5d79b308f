"""The alpha plane, which comes back exactly or is refused, and the colour that it hides."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, WebPImagePlugin

from gencodec.codec.errors import FormatError
from gencodec.codec.image import alpha as alpha_module
from gencodec.codec.image import pixels
from gencodec.codec.image.alpha import fill_hidden
from helpers.pictures import ALPHA, COLOUR, GREY, RNG, saved

# --- alpha ----------------------------------------------------------------------------------------


def planes_to_code():
    y, x = np.mgrid[:40, :50]
    yield "noise", RNG.integers(0, 256, (40, 50), dtype=np.uint8)
    yield "gradient", (x * 5).astype(np.uint8)
    yield "disc", np.where((y - 20) ** 2 + (x - 25) ** 2 < 200, 255, 0).astype(np.uint8)
    yield "clear", np.zeros((40, 50), np.uint8)
    yield "opaque", np.full((40, 50), 255, np.uint8)
    yield "pixel", np.array([[7]], np.uint8)
    yield "two pixels", np.array([[0], [255]], np.uint8)
    yield "too wide for WebP", np.arange(16384, dtype=np.uint16)[None].astype(np.uint8)
    yield "not contiguous", np.asfortranarray((y + x).astype(np.uint8))[::-1]


CODED = list(planes_to_code())


@pytest.mark.parametrize("webp", [True, False])
@pytest.mark.parametrize("plane", [p for _, p in CODED], ids=[n for n, _ in CODED])
def test_alpha_comes_back_exactly(plane, webp, monkeypatch):
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", webp and WebPImagePlugin.SUPPORTED)
    data = pixels.encode_alpha(plane)
    np.testing.assert_array_equal(pixels.decode_alpha(data, plane.shape[1], plane.shape[0]), plane)
    if plane.min() == plane.max():
        assert len(data) == 1
    if not webp:
        assert not data.startswith(b"RIFF")


def test_alpha_takes_the_smaller_of_webp_and_png():
    assert pixels.encode_alpha(dict(CODED)["disc"]).startswith(b"RIFF")
    assert pixels.encode_alpha(dict(CODED)["too wide for WebP"]).startswith(b"\x89PNG")


def test_large_alpha_is_png_which_has_no_guard(monkeypatch):
    plane = dict(CODED)["disc"]
    monkeypatch.setattr(alpha_module, "WEBP_MAX_PIXELS", 1999)
    data = pixels.encode_alpha(plane)
    assert data.startswith(b"\x89PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    np.testing.assert_array_equal(pixels.decode_alpha(data, 50, 40), plane)


def alpha_payloads():
    disc = dict(CODED)["disc"]
    yield saved(Image.fromarray(disc), "PNG").getvalue()
    yield saved(Image.fromarray(disc), "WEBP", lossless=True, exact=True).getvalue()


@pytest.mark.parametrize("data", list(alpha_payloads()), ids=["PNG", "WebP"])
def test_alpha_of_another_size_is_refused_before_it_is_decoded(data, monkeypatch):
    def decode(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decode)
    monkeypatch.setattr(WebPImagePlugin, "WebPImageFile", decode)
    for size in ((50, 41), (49, 40), (40, 50), (1, 1), (2**20, 2**10)):
        with pytest.raises(FormatError, match=f"50 x 40 pixels instead of {size[0]} x {size[1]}"):
            pixels.decode_alpha(data, *size)


@pytest.mark.parametrize("data", list(alpha_payloads()), ids=["PNG", "WebP"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_alpha(data):
    plane = dict(CODED)["disc"]
    for length in range(len(data)):
        if length == 1:  # which is a whole plane of one value
            continue
        try:
            decoded = pixels.decode_alpha(data[:length], 50, 40)
        except FormatError:
            continue
        np.testing.assert_array_equal(decoded, plane)  # only what follows the pixels was missing
    for position in range(len(data)):
        for value in (0, 255, data[position] ^ 1):
            changed = data[:position] + bytes([value]) + data[position + 1 :]
            with suppress(FormatError):
                assert pixels.decode_alpha(changed, 50, 40).shape == (40, 50)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "alpha plane is damaged"),
        (b"not alpha", "alpha plane is damaged"),
        (b"RIFF", "WebP of an unknown kind"),
        (saved(Image.fromarray(COLOUR), "WEBP").getvalue(), "WebP of an unknown kind"),  # lossy
        (saved(Image.fromarray(COLOUR), "PNG").getvalue(), "PNG of mode RGB"),
        (saved(Image.fromarray(GREY.astype(np.uint16)), "PNG").getvalue(), "PNG of mode I;16"),
        (saved(Image.fromarray(GREY), "JPEG").getvalue(), "alpha plane is damaged"),
    ],
)
def test_alpha_that_is_none(data, message):
    with pytest.raises(FormatError, match=message):
        pixels.decode_alpha(data, 13, 11)


def test_webp_alpha_in_a_pillow_without_webp(monkeypatch):
    data = list(alpha_payloads())[1]
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)
    with pytest.raises(FormatError, match="built without"):
        pixels.decode_alpha(data, 50, 40)


def test_one_value_takes_no_memory():
    assert pixels.decode_alpha(b"\x80", 2**20, 2**10).nbytes == 2**30
    assert pixels.decode_alpha(b"\x80", 2**20, 2**10).strides == (0, 0)
    image = pixels.to_image(COLOUR, alpha=pixels.decode_alpha(b"\x80", 13, 11))
    assert image.getchannel("A").getextrema() == (128, 128)


# --- colour that nobody sees ----------------------------------------------------------------------


def test_visible_colour_stays_and_hidden_colour_goes():
    alpha = ALPHA.copy()
    alpha[3:8, 2:9] = 0
    filled = fill_hidden(COLOUR, alpha)
    np.testing.assert_array_equal(filled[alpha > 0], COLOUR[alpha > 0])
    other = COLOUR.copy()
    other[alpha == 0] = 77  # what was hidden has no influence
    np.testing.assert_array_equal(filled, fill_hidden(other, alpha))
    assert fill_hidden(COLOUR, ALPHA) is COLOUR  # nothing hidden, nothing copied


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (5, 8), (16, 16)])
def test_everything_hidden_is_flat(size):
    rgb = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.ptp(fill_hidden(rgb, np.zeros(size, np.uint8))) == 0


@pytest.mark.parametrize("size", [(2, 2), (1, 33), (17, 5), (64, 48)])
def test_one_visible_pixel_colours_all(size):
    alpha = np.zeros(size, np.uint8)
    alpha[-1, -1] = 1
    rgb = np.zeros((*size, 3), np.uint8)
    rgb[-1, -1] = (10, 200, 30)
    assert (fill_hidden(rgb, alpha) == (10, 200, 30)).all()


def test_hidden_colour_is_cheap_to_code(cat: Path):
    """Cheaper than what was there, and than black, whose edge would have to be coded."""
    with Image.open(cat) as image:
        rgb = np.asarray(image.convert("RGB"))
    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    alpha = np.where(np.sin(x / 9) * np.sin(y / 13) > 0, 255, 0).astype(np.uint8)
    black = np.where(alpha[..., None] > 0, rgb, np.uint8(0))
    sizes = [
        len(saved(Image.fromarray(p), "JPEG", quality=75).getvalue())
        for p in (fill_hidden(rgb, alpha), rgb, black)
    ]
    assert sizes[0] < 0.8 * min(sizes[1:])


def test_grey_stays_grey_under_alpha():
    alpha = np.where(GREY > 128, 0, 255).astype(np.uint8)
    picture = pixels.load(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]))
    assert picture.grey
    assert (picture.rgb == picture.rgb[..., :1]).all()
