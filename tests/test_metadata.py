"""Colour profile, EXIF and XMP: kept, taken off, and damaged."""

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from gencodec.codec.image import pixels
from helpers.pictures import COLOUR, check, saved


def exif_bytes(**tags) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tags.get("orientation", 6)
    exif[0x010F] = "Maker"
    return exif.tobytes()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_metadata_is_carried_and_orientation_not_applied(format_):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(COLOUR)
    options: dict = {"exif": exif_bytes(), "icc_profile": icc, "xmp": b"<x:xmpmeta/>"}
    if format_ == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
        options["pnginfo"] = text
    picture = check(pixels.load(saved(image, format_, **options)))
    assert picture.rgb.shape == (11, 13, 3)
    assert (picture.icc, picture.xmp) == (icc, b"<x:xmpmeta/>")
    assert picture.exif is not None
    assert picture.exif.startswith((b"MM", b"II"))
    exif = Image.Exif()
    exif.load(picture.exif)
    assert (exif[0x0112], exif[0x010F]) == (6, "Maker")


def test_metadata_goes_into_info_as_pillow_wants_it():
    picture = pixels.load(saved(Image.fromarray(COLOUR), "JPEG", exif=exif_bytes()))
    image = pixels.to_image(picture.rgb, icc=b"icc", exif=picture.exif, xmp=b"<x/>")
    assert image.info["icc_profile"] == b"icc"
    assert image.info["xmp"] == b"<x/>"
    assert image.getexif()[0x0112] == 6
    for format_ in (
        "JPEG",
        "PNG",
        "WEBP",
    ):  # JPEG's writer needs the prefix, the others take it off
        with Image.open(saved(image, format_, exif=image.info["exif"])) as again:
            assert again.getexif()[0x0112] == 6
    assert pixels.load(image).exif == picture.exif
    assert pixels.to_image(picture.rgb).info == {}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_without_metadata_the_picture_is_turned_upright(mode, orientation):
    """Or --strip would lay portraits on their side."""
    image = Image.fromarray(COLOUR).convert(mode)
    file = saved(image, "PNG", exif=exif_bytes(orientation=orientation), icc_profile=b"icc")
    stored = pixels.load(file)
    file.seek(0)
    picture = check(pixels.load(file, keep_metadata=False))
    assert (picture.icc, picture.exif, picture.xmp) == (None, None, None)
    upright = {
        1: stored.rgb,
        2: stored.rgb[:, ::-1],
        3: stored.rgb[::-1, ::-1],
        4: stored.rgb[::-1],
        5: stored.rgb.transpose(1, 0, 2),
        6: np.rot90(stored.rgb, -1),
        7: stored.rgb[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored.rgb),
    }
    np.testing.assert_array_equal(picture.rgb, upright[orientation])


def test_tiff_keeps_what_tells_of_the_picture():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[271], tags[305] = "Maker", "Software"
    tags[274] = 6
    tags[34665] = {36867: "2020:01:01 00:00:00"}
    file = saved(Image.fromarray(COLOUR), "TIFF", tiffinfo=tags)
    picture = check(pixels.load(file))
    assert picture.rgb.shape == (13, 11, 3)  # Pillow turns a TIFF upright by itself
    assert picture.exif is not None
    exif = Image.Exif()
    exif.load(picture.exif)
    assert (exif[271], exif[305]) == ("Maker", "Software")
    assert exif.get_ifd(34665) == {36867: "2020:01:01 00:00:00"}
    assert set(exif) == {271, 305, 34665}  # neither its strips nor its orientation
    file.seek(0)
    assert pixels.load(file, keep_metadata=False).exif is None
    assert pixels.load(saved(Image.fromarray(COLOUR), "TIFF")).exif is None


@pytest.mark.parametrize("value", [None, b"", 5, "text", ["x"]])
def test_metadata_of_odd_types(value):
    image = Image.fromarray(COLOUR)
    image.info.update(icc_profile=value, xmp=value, exif=value)
    picture = check(pixels.load(image))
    assert picture.xmp == (b"text" if value == "text" else None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("keep", [True, False])
def test_damaged_exif_does_no_harm(keep):
    for exif in (b"Exif\0\0", b"Exif\0\0garbage", b"MM\0*\0\0\0\x08\xff\xff"):
        image = Image.fromarray(COLOUR)
        image.info["exif"] = exif
        picture = check(pixels.load(image, keep_metadata=keep))
        np.testing.assert_array_equal(picture.rgb, COLOUR)
        assert picture.exif == ((exif.removeprefix(b"Exif\0\0") or None) if keep else None)
