"""Every mode that Pillow has, as 8-bit planes."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from gencodec.codec.errors import InputError
from gencodec.codec.image import pixels
from helpers.pictures import ALPHA, COLOUR, GREY, RGBA, alpha_of, check, grey_of, saved

NOTE_16 = ("16-bit samples were converted to 8-bit.",)


def png(size, depth: int, kind: int, rows: bytes, transparency: bytes = b"") -> io.BytesIO:
    """A PNG of kinds that Pillow does not write; `rows` with their filter bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)
    clear = chunk(b"tRNS", transparency) if transparency else b""
    data = chunk(b"IHDR", header) + clear + chunk(b"IDAT", zlib.compress(rows))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b""))


# --- Pillow's modes -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "RGB", "RGBA", "RGBX", "YCbCr", "HSV"])
def test_8_bit_modes(mode):
    source = Image.fromarray(RGBA if mode in ("RGBA", "LA") else COLOUR)
    # La has no conversion from RGB.
    image = source.convert("LA").convert("La") if mode == "La" else source.convert(mode)
    picture = check(pixels.load(image))
    alpha = mode in ("LA", "La", "RGBA")
    grey = mode in ("1", "L", "LA", "La")
    assert (picture.grey, picture.alpha is not None) == (grey, alpha)
    assert picture.notes == (("HSV colours were converted to RGB.",) if mode == "HSV" else ())
    back = pixels.to_image(picture.rgb, grey=picture.grey, alpha=picture.alpha)
    target = ("L" if grey else "RGB") + ("A" if alpha else "")
    assert back.mode == target
    assert back.tobytes() == image.convert(target).tobytes()


def test_premultiplied_colour():
    image = Image.fromarray(RGBA).convert("RGBa")
    picture = check(pixels.load(image))
    np.testing.assert_array_equal(alpha_of(picture), ALPHA)
    np.testing.assert_array_equal(picture.rgb, np.asarray(image.convert("RGBA"))[..., :3])


def test_lab():
    pytest.importorskip("PIL._imagingcms")
    colour = np.full((4, 4, 3), (200, 90, 40), np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    image = Image.fromarray(colour).convert("LAB")
    image.info["icc_profile"] = profile.tobytes()
    picture = check(pixels.load(image))
    assert np.abs(picture.rgb.astype(int) - colour).max() <= 6
    assert picture.notes == ("LAB colours were converted to RGB.",)
    assert picture.icc is None


def test_palettes():
    image = Image.fromarray(COLOUR).quantize(8)
    picture = check(pixels.load(image))
    assert picture.alpha is None
    assert not picture.grey
    np.testing.assert_array_equal(picture.rgb, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("transparency", [2, bytes([255, 128, 0, 7])])
def test_palettes_with_transparency(transparency):
    image = Image.fromarray(COLOUR).quantize(8)
    image.info["transparency"] = transparency
    expected = np.asarray(image.copy().convert("RGBA"))
    for given in (image, saved(image, "PNG")):
        picture = check(pixels.load(given))
        assert picture.alpha is not None
        np.testing.assert_array_equal(alpha_of(picture), expected[..., 3])
        seen = picture.alpha > 0
        np.testing.assert_array_equal(picture.rgb[seen], expected[..., :3][seen])
    assert (expected[..., 3] == 0).any()


def test_palettes_with_an_alpha_channel_and_with_an_rgba_palette():
    image = Image.fromarray(COLOUR).quantize(8).convert("PA")
    image.putalpha(Image.fromarray(ALPHA))
    picture = check(pixels.load(image))
    np.testing.assert_array_equal(alpha_of(picture), ALPHA)
    image = Image.new("P", (2, 1))
    image.putpalette([1, 2, 3, 4, 5, 6, 7, 8], "RGBA")
    image.putpixel((1, 0), 1)
    picture = check(pixels.load(image))
    assert picture.rgb.tolist() == [[[1, 2, 3], [5, 6, 7]]]
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[4, 8]]


@pytest.mark.parametrize("file", [False, True])
def test_one_transparent_colour(file):
    rgb = np.array([[[1, 2, 3], [1, 2, 4], [3, 2, 1]]], np.uint8)
    image = Image.fromarray(rgb)
    image.info["transparency"] = (1, 2, 3)
    picture = check(pixels.load(saved(image, "PNG") if file else image))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 255, 255]]
    assert not picture.grey
    grey = Image.fromarray(rgb[..., 2])
    grey.info["transparency"] = 4
    picture = check(pixels.load(saved(grey, "PNG") if file else grey))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0, 255]]
    assert picture.grey


@pytest.mark.parametrize("stray", ["white", 3.5, (1, 2), b"\0", [1, 2, 3]])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_transparency_that_means_nothing_is_ignored(mode, stray):
    image = Image.new(mode, (3, 2))
    image.info["transparency"] = stray
    picture = check(pixels.load(image))
    assert (picture.alpha is not None) == (mode == "RGBA")


@pytest.mark.parametrize(
    ("depth", "row", "clear", "grey", "alpha"),
    [
        (1, b"\x50", b"\0\1", [0, 255, 0, 255], [255, 0, 255, 0]),
        (2, b"\x1b", b"\0\2", [0, 85, 170, 255], [255, 255, 0, 255]),
        (4, b"\x05\xf9", b"\0\5", [0, 85, 255, 153], [255, 0, 255, 255]),
        (8, b"\1\2\3\4", b"\0\3", [1, 2, 3, 4], [255, 255, 0, 255]),
        (
            16,
            b"\0\0\x80\x80\xff\xff\x00\xff",
            b"\x80\x80",
            [0, 128, 255, 1],
            [255, 0, 255, 255],
        ),
    ],
)
def test_grey_png_of_each_depth_with_a_transparent_level(depth, row, clear, grey, alpha):
    picture = check(pixels.load(png((4, 1), depth, 0, b"\0" + row, clear)))
    assert picture.grey
    assert picture.alpha is not None
    assert picture.alpha[0].tolist() == alpha
    seen = picture.alpha > 0
    np.testing.assert_array_equal(picture.rgb[seen][:, 0], np.array([grey])[seen])
    assert picture.notes == (NOTE_16 if depth == 16 else ())


def test_cmyk():
    image = Image.fromarray(COLOUR).convert("CMYK")
    image.info["icc_profile"] = b"not a profile"
    picture = check(pixels.load(image))
    np.testing.assert_array_equal(picture.rgb, np.asarray(image.convert("RGB")))
    assert picture.notes == ("CMYK colours were converted to RGB.",)
    assert picture.icc is None  # it told of inks
    assert check(pixels.load(saved(image, "JPEG"))).notes == picture.notes


def test_cmyk_is_converted_by_its_profile(monkeypatch):
    seen = []

    def convert(image, source, target, outputMode):
        seen.append((image.mode, source.read(), outputMode))
        return Image.new("RGB", image.size, (1, 2, 3))

    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    image = Image.new("CMYK", (2, 2))
    assert pixels.load(image).rgb[0, 0].tolist() == [255, 255, 255]
    image.info["icc_profile"] = b"inks"
    assert pixels.load(image).rgb[0, 0].tolist() == [1, 2, 3]
    assert seen == [("CMYK", b"inks", "RGB")]


# --- more than 8 bits -----------------------------------------------------------------------------


def test_16_bit_grey_is_divided_by_257_and_rounded():
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    picture = check(pixels.load(Image.fromarray(samples)))
    expected = np.floor(samples / 257 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(picture.rgb, grey_of(expected))
    assert picture.grey
    assert picture.notes == NOTE_16


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_16_bit_modes_of_each_byte_order(mode):
    order = {"B": ">u2", "N": "=u2"}.get(mode[-1], "<u2")
    samples = (GREY.astype(np.uint16) * 257).astype(order)
    image = Image.frombytes(mode, (13, 11), samples.tobytes())
    np.testing.assert_array_equal(check(pixels.load(image)).rgb, grey_of(GREY))


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_16_bit_grey_files(format_):
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    options = {"irreversible": False} if format_ == "JPEG2000" else {}
    picture = check(pixels.load(saved(image, format_, **options)))
    np.testing.assert_array_equal(picture.rgb, grey_of(GREY))
    assert picture.notes == NOTE_16


def test_dark_16_bit_pgm_stays_dark():
    """Pillow opens it as mode I, whose range is otherwise guessed from the samples."""
    image = Image.open(io.BytesIO(b"P5 2 1 65535\n\0\x80\0\xff"))
    for _ in ("not yet loaded", "loaded"):
        picture = check(pixels.load(image))
        assert picture.rgb[..., 0].tolist() == [[0, 1]]
        assert picture.notes == NOTE_16


@pytest.mark.parametrize(
    ("kind", "row", "clear", "rgb", "alpha"),
    [
        (2, b"\x80\x80\xff\xff\0\0" * 2, b"", [128, 255, 0], None),
        (2, b"\x80\x80\xff\xff\0\0" + b"\xff" * 6, b"\xff" * 6, [128, 255, 0], [255, 0]),
        (6, b"\x80\x80\xff\xff\0\0\x40\x40" * 2, b"", [128, 255, 0], [64, 64]),
        (4, b"\x80\x80\x40\x40" * 2, b"", [128, 128, 128], [64, 64]),
    ],
    ids=["RGB", "RGB with a transparent colour", "RGBA", "LA"],
)
def test_16_bit_png_that_pillow_narrows_itself(kind, row, clear, rgb, alpha):
    picture = check(pixels.load(png((2, 1), 16, kind, b"\0" + row, clear)))
    assert picture.notes == NOTE_16
    assert picture.grey == (kind == 4)
    assert picture.rgb[0, 0].tolist() == rgb
    assert (None if picture.alpha is None else picture.alpha[0].tolist()) == alpha


def test_16_bit_colour_ppm():
    picture = check(pixels.load(io.BytesIO(b"P6 1 1 65535\n\x80\x80\xff\xff\0\0")))
    assert picture.rgb.tolist() == [[[128, 255, 0]]]
    assert picture.notes == NOTE_16
    assert pixels.load(io.BytesIO(b"P6 1 1 255\nabc")).notes == ()


@pytest.mark.parametrize(
    ("samples", "white", "expected"),
    [
        ([0, 100, 255], 255, [0, 100, 255]),
        ([-5, 100, 200], 255, [0, 100, 200]),
        ([0, 257, 65535], 65535, [0, 1, 255]),
        ([-1, 2**31 - 1, 128], 65535, [0, 255, 0]),
    ],
)
def test_32_bit_integers(samples, white, expected):
    picture = check(pixels.load(Image.fromarray(np.array([samples], np.int32))))
    assert picture.rgb[0, :, 0].tolist() == expected
    assert picture.grey
    assert picture.notes == (f"32-bit samples, taken as 0..{white}, were converted to 8-bit.",)


@pytest.mark.parametrize(
    ("samples", "white", "expected"),
    [
        ([0, 0.5, 1], 1, [0, 128, 255]),
        ([0, 0.502, 0.999], 1, [0, 128, 255]),
        ([-3, 100.4, 255], 255, [0, 100, 255]),
        ([0, 257, 65535], 65535, [0, 1, 255]),
        ([0, 1e30, 300], 65535, [0, 255, 1]),
        ([np.nan, np.inf, 1], 1, [0, 0, 255]),
        ([-np.inf, 0, 0], 1, [0, 0, 0]),
    ],
)
def test_floating_point(samples, white, expected):
    picture = check(pixels.load(Image.fromarray(np.array([samples], np.float32))))
    assert picture.rgb[0, :, 0].tolist() == expected
    assert picture.grey
    assert picture.notes[0].startswith(f"Floating-point samples, taken as 0..{white},")


def test_a_mode_that_nobody_knows():
    image = Image.new("RGB", (2, 2))
    image._mode = "XYZ"
    with pytest.raises(InputError, match="mode XYZ is not supported"):
        pixels.load(image)
