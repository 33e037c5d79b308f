"""Pictures to files of the formats that Pillow writes, and what each cannot hold."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from gencodec.codec.errors import InputError, OutputError
from gencodec.codec.image import pixels, profiles, save
from gencodec.codec.image.pillow_errors import reading, writing

FIELD = Path(__file__).parent / "data" / "field"


def again(picture: pixels.Picture) -> Image.Image:
    """As `decompress` gives it."""
    return pixels.to_image(
        picture.rgb,
        grey=picture.grey,
        alpha=picture.alpha,
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
    )


@pytest.mark.parametrize("name", ["exif_bad_header.jpg", "exif_truncated.jpg"])
@pytest.mark.parametrize("format_", ["AVIF", "TIFF", "JPEG", "PNG", "WEBP", "BMP"])
def test_damaged_exif_is_left_out_with_a_note(name: str, format_: str) -> None:
    encoded = save.encode(again(pixels.load(FIELD / name)), format_, "x")
    assert encoded.notes == ("The EXIF data is damaged and was left out.",)
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert image.size == (128, 96)
        assert not dict(image.getexif()).get(274)


def test_what_a_format_cannot_hold_is_left_out_alone() -> None:
    image = Image.new("RGB", (40, 20), "teal")
    exif = Image.Exif()
    exif[270] = "x" * 70_000
    exif[274] = 6
    image.info |= {"exif": exif.tobytes(), "xmp": b"<x/>"}
    encoded = save.encode(image, "JPEG", "x.jpg")
    (note,) = encoded.notes
    assert note == "JPEG cannot hold this EXIF (too large or damaged): left out."
    with Image.open(io.BytesIO(encoded.data)) as written:
        assert written.info["xmp"] == b"<x/>"
        assert written.size == (20, 40)  # what the EXIF said is in the pixels


@pytest.mark.parametrize("format_", ["BMP", "GIF", "PPM", "TGA", "JPEG2000", "ICO", "QOI"])
def test_pixels_are_turned_where_there_is_no_exif(format_: str) -> None:
    stored = Image.new("RGB", (64, 48), "white")
    stored.paste("black", (0, 0, 64, 24))
    exif = Image.Exif()
    exif[274] = 6
    stored.info["exif"] = exif.tobytes()
    with Image.open(io.BytesIO(save.encode(stored, format_, "x").data)) as image:
        assert image.size == (48, 64)
        upright = ImageOps.exif_transpose(stored)
        difference = np.asarray(image.convert("RGB")).astype(int) - np.asarray(upright)
        assert np.abs(difference).max() < 9


@pytest.mark.parametrize("format_", ["AVIF", "JPEG", "PNG", "WEBP"])
def test_pixels_stay_as_stored_where_exif_tells_their_orientation(format_: str) -> None:
    picture = again(pixels.load(FIELD / "exif_orientation6.jpg"))
    with Image.open(io.BytesIO(save.encode(picture, format_, "x").data)) as image:
        assert image.size == (128, 96)
        assert image.getexif()[274] == 6


@pytest.mark.parametrize("format_", ["AVIF", "GIF", "JPEG", "WEBP", "TGA", "SGI", "PCX"])
def test_a_side_too_long_is_one_sentence(format_: str) -> None:
    image = Image.new("L", (70_000, 2))
    with pytest.raises(OutputError, match=r"^x: .*sides of at most .*70000 x 2; choose .png"):
        save.encode(image, format_, "x")


def test_a_format_that_would_scale_a_picture_is_refused() -> None:
    with pytest.raises(OutputError, match="ICO holds sides of at most 256 pixels"):
        save.encode(Image.new("RGB", (300, 20)), "ICO", "x.ico")
    with pytest.raises(OutputError, match="would make 1024 x 1024 of 128 x 96 pixels"):
        save.encode(Image.new("RGB", (128, 96)), "ICNS", "x.icns")
    for size in ((256, 256), (128, 96), (17, 200), (1, 1)):
        with Image.open(io.BytesIO(save.encode(Image.new("RGB", size), "ICO", "x").data)) as image:
            assert image.size == size


def test_every_writer_gives_a_file_or_a_sentence() -> None:
    assert save.format_of_suffix(".png") == "PNG"
    assert save.format_of_suffix(".psd") is None
    Image.init()
    for format_ in Image.SAVE:
        for mode in ("L", "LA", "RGB", "RGBA"):
            image = Image.new(mode, (13, 7), 200)
            image.info |= {"exif": b"Exif\0\0rubbish", "xmp": b"\xff", "icc_profile": b"no profile"}
            try:
                assert save.encode(image, format_, "x").data
            except OutputError as error:
                assert str(error).startswith("x: ")


def test_whatever_pillow_raises_is_a_sentence() -> None:
    odd = (SyntaxError("odd\nthing."), KeyError("x"), ZeroDivisionError(), RuntimeError())
    for error in odd:
        message = r"^a\.jpg is damaged and cannot be read \(.+\)\.$"
        with pytest.raises(InputError, match=message), reading("a.jpg"):
            raise error
        message = r"^a\.jpg: JPEG cannot hold this L picture \(.+\);"
        with pytest.raises(OutputError, match=message), writing("a.jpg", "JPEG", "L"):
            raise error
    with pytest.raises(OutputError, match="not enough memory"), writing("a.jpg", "JPEG", "L"):
        raise MemoryError


# --- profiles -------------------------------------------------------------------------------------


def shown(image: Image.Image) -> np.ndarray:
    """Its sRGB colours, by its profile."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    assert converted is not None
    return np.asarray(converted).astype(int)


def test_a_grey_profile_in_a_file_of_colour_is_replaced() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(8, 32))
    ramp.info["icc_profile"] = profiles.grey_profile(profiles.gamma_curve(1.8), "grey")
    wanted = shown(ramp)
    for format_ in ("WEBP", "PNG"):
        encoded = save.encode(ramp, format_, "x")
        assert encoded.notes == ()
        with Image.open(io.BytesIO(encoded.data)) as image:
            image.load()
            grey = profiles.space(image.info["icc_profile"]) == "GRAY"
            assert grey == (image.mode == "L")
            assert np.abs(shown(image) - wanted).max() <= 2


def test_a_profile_that_fits_no_picture_is_left_out() -> None:
    profile = bytearray(profiles.grey_profile(profiles.gamma_curve(1.0), "inks"))
    profile[16:20] = b"CMYK"
    image = Image.new("RGB", (8, 8))
    image.info["icc_profile"] = bytes(profile)
    for format_ in ("PNG", "AVIF", "JPEG", "TIFF", "WEBP"):
        encoded = save.encode(image, format_, "x")
        assert encoded.notes == ("The colour profile is not one for RGB and was left out.",)
        assert "icc_profile" not in Image.open(io.BytesIO(encoded.data)).info


def test_a_matrix_profile_says_what_it_was_made_of() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    curve = profiles.curve_of(srgb)
    assert curve is not None
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
    image.info["icc_profile"] = profiles.matrix_profile(profiles.SRGB_PRIMARIES, curve, "sRGB")
    assert np.abs(shown(image) - np.asarray(image)).max() <= 1
    with pytest.raises(ValueError, match="span no colours"):
        profiles.matrix_profile((0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3), curve, "flat")
