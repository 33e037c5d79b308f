"""Losses are told, what hides elsewhere is found, and bombs are refused: kinds of field reports."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import gencodec
from gencodec.codec.errors import FormatError, GencodecWarning, InputError
from gencodec.codec.image import limits, pixels, profiles
from helpers.pictures import COLOUR, GREY, saved

FIELD = Path(__file__).parent / "data" / "field"


def png(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (13, 11)) -> io.BytesIO:
    """A grey PNG with chunks before its pixels."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(11 * 14))
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), *chunks, (b"IDAT", rows), (b"IEND", b"")):
        out += struct.pack(">I", len(data)) + kind + data
        out += struct.pack(">I", zlib.crc32(kind + data))
    return io.BytesIO(out)


# --- losses in Python -----------------------------------------------------------------------------

DEEP = Image.fromarray(np.full((16, 16), 40_000, np.uint16))
LOSSES = [
    (DEEP, "16-bit samples were converted to 8-bit"),
    (Image.new("CMYK", (16, 16)), "CMYK colours were converted"),
    (Image.new("F", (16, 16), 0.5), "taken as 0..1,"),
]


@pytest.mark.parametrize(("image", "message"), LOSSES)
def test_losses_are_warnings_in_python(image: Image.Image, message: str) -> None:
    with pytest.warns(GencodecWarning, match=message):
        gencodec.compress(image, codec="vqvae", quality=0)
    with pytest.warns(GencodecWarning, match=message):
        gencodec.denoise(image, sigma=5)


def test_floats_that_overshoot_their_range() -> None:
    for white in (1, 255, 65535):
        samples = np.linspace(-0.2 * white, 1.3 * white, 64, dtype=np.float32).reshape(8, 8)
        picture = pixels.load(Image.fromarray(samples))
        assert f"taken as 0..{white}," in picture.notes[0]
        wanted = np.clip(np.rint(samples * (255 / white)), 0, 255)
        np.testing.assert_array_equal(picture.rgb[..., 0], wanted)
    samples = np.full((4, 4), 270, np.int32)
    assert pixels.load(Image.fromarray(samples)).rgb.max() == 255


# --- metadata that hides elsewhere ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["exif", "APP1"])
@pytest.mark.parametrize("zipped", [False, True])
def test_exif_in_a_pngs_text(kind: str, zipped: bool) -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = exif.tobytes()
    text = PngImagePlugin.PngInfo()
    lines = "\n".join(data.hex()[i : i + 72] for i in range(0, 2 * len(data), 72))
    text.add_text(f"Raw profile type {kind}", f"\n{kind.lower()}\n{len(data):8}\n{lines}\n", zipped)
    picture = pixels.load(saved(Image.fromarray(COLOUR), "PNG", pnginfo=text))
    assert picture.exif == data.removeprefix(b"Exif\0\0")


def test_rubbish_in_a_pngs_text() -> None:
    text = PngImagePlugin.PngInfo()
    for kind in ("exif", "icc", "xmp", "APP1"):
        text.add_text(f"Raw profile type {kind}", "no\nhexadecimals\nat all")
    picture = pixels.load(saved(Image.fromarray(COLOUR), "PNG", pnginfo=text))
    assert (picture.icc, picture.exif, picture.xmp) == (None, None, None)


def test_a_pngs_gamma_is_carried_as_a_profile() -> None:
    picture = pixels.load(FIELD / "png_gama_linear.png")
    assert picture.icc is not None
    assert profiles.curve_of(picture.icc) == profiles.gamma_curve(1.0)
    assert picture.notes == ()
    grey = pixels.load(png((b"gAMA", struct.pack(">I", 100_000))))
    assert grey.icc is not None
    assert profiles.space(grey.icc) == "GRAY"


def test_a_pngs_usual_colours_need_no_profile() -> None:
    primaries = struct.pack(">8I", *(round(x * 100_000) for x in profiles.SRGB_PRIMARIES))
    usual = ((b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", primaries))
    for chunks in (
        usual,
        (*usual, (b"sRGB", b"\0")),
        ((b"gAMA", struct.pack(">I", 100_000)), (b"sRGB", b"\0")),
        ((b"cICP", bytes([1, 13, 0, 1])),),
        ((b"gAMA", bytes(4)),),
    ):
        picture = pixels.load(png(*chunks))
        assert (picture.icc, picture.notes) == (None, ())


def test_a_pngs_cicp() -> None:
    assert "HDR (PQ)" in pixels.load(FIELD / "png_cicp_pq.png").notes[0]
    assert "HDR (HLG)" in pixels.load(png((b"cICP", bytes([9, 18, 0, 1])))).notes[0]
    display_p3 = pixels.load(png((b"cICP", bytes([12, 13, 0, 1]))))
    assert display_p3.icc is not None
    assert display_p3.notes == ()
    assert pixels.load(png((b"cICP", b"\1"))).icc is None  # too short


# --- what Pillow opens ----------------------------------------------------------------------------


def test_plain_netpbm() -> None:
    picture = pixels.load(FIELD / "plain.pbm")
    with Image.open(FIELD / "plain.pbm") as image:
        np.testing.assert_array_equal(picture.rgb[..., 0], np.asarray(image.convert("L")))
    for text, wanted in (
        (b"P1 2 1 1 0", [[0, 255]]),
        (b"P2 2 1 9 0 9", [[0, 255]]),
        (b"P2 2 1 65535 0 65535", [[0, 255]]),
        (b"P3 1 1 255 1 2 3", [[[1, 2, 3]]]),
    ):
        loaded = pixels.load(io.BytesIO(text))
        planes = loaded.rgb[..., 0] if loaded.grey else loaded.rgb
        assert planes.tolist() == wanted


def test_jpeg_xl_without_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()  # or it would add its formats to the list that is put in place below
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "JXL"])
    for data in (b"\xff\x0a" + bytes(30), limits.JXL_CONTAINER + bytes(40)):
        with pytest.raises(InputError, match="JPEG XL picture; the plugin pillow-jxl-plugin"):
            pixels.load(io.BytesIO(data))


# --- bombs ----------------------------------------------------------------------------------------


def test_a_bomb_is_refused_by_its_header() -> None:
    bomb = png(size=(30_000, 30_000))
    with pytest.raises(InputError, match=r"30000 x 30000 .* set GENCODEC_MAX_PIXELS=900000000"):
        pixels.load(bomb)


def test_the_limit_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gencodec.compress(GREY, codec="vqvae", quality=0)
    monkeypatch.setenv("GENCODEC_MAX_PIXELS", "142")
    with pytest.raises(FormatError, match="13 x 11 pixels, more than the 142"):
        gencodec.decompress(data)
    with pytest.raises(FormatError, match="13 x 11 pixels"):
        gencodec.verify(data)
    with pytest.raises(InputError, match="13 x 11 pixels"):
        gencodec.denoise(Image.fromarray(GREY))
    assert gencodec.info(data).width == 13
    assert gencodec.decompress(data, region=(0, 0, 9, 9)).size == (9, 9)
    monkeypatch.setenv("GENCODEC_MAX_PIXELS", "143")
    gencodec.decompress(data)
    monkeypatch.setenv("GENCODEC_MAX_PIXELS", "many")
    with pytest.raises(InputError, match="whole number of pixels, not 'many'"):
        gencodec.decompress(data)


@pytest.mark.parametrize("size", [(17, 300), (256, 128), (8, 8), (1, 1), (400, 300)])
def test_sizes_of_formats_whose_readers_take_memory_at_once(size: tuple[int, int]) -> None:
    rgb, rgba = Image.new("RGB", size), Image.new("RGBA", size, (1, 2, 3, 4))
    for image, options in ((rgb, {"lossless": True}), (rgb, {}), (rgba, {})):
        assert limits.size_in_header(saved(image, "WEBP", **options).getvalue()) == size
    pytest.importorskip("pillow_jxl", reason="JPEG XL's plugin (extra 'compare')")
    for container in (False, True):
        data = saved(rgb, "JXL", use_container=container).getvalue()
        assert limits.size_in_header(data) == size
    assert pixels.load(io.BytesIO(data)).rgb.shape == (size[1], size[0], 3)


def test_a_target_with_a_quality_is_wrong_usage() -> None:
    with pytest.raises(InputError, match="a quality or a target, not both"):
        gencodec.compress(GREY, quality=30, target_size=500)
