"""Pictures of every source to planes and back, metadata, and whatever is no picture."""

import io
import random
import sys
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from gencodec.codec.errors import InputError
from gencodec.codec.image import pixels

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (11, 13, 3), dtype=np.uint8)
GREY = COLOUR[..., 1].copy()
ALPHA = RNG.integers(1, 256, (11, 13), dtype=np.uint8)  # nothing hidden, so colours stay
RGBA = np.dstack([COLOUR, ALPHA])


def grey_of(plane):
    return np.repeat(plane[..., None], 3, axis=2)


def saved(image: Image.Image, format_: str, **options) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    buffer.seek(0)
    return buffer


def check(picture: pixels.Picture) -> pixels.Picture:
    """What holds of every picture."""
    height, width = picture.rgb.shape[:2]
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.shape == (height, width, 3)
    assert picture.rgb.flags.c_contiguous
    if picture.alpha is not None:
        assert picture.alpha.dtype == np.uint8
        assert picture.alpha.shape == (height, width)
        assert picture.alpha.flags.c_contiguous
    if picture.grey:
        assert (picture.rgb == picture.rgb[..., :1]).all()
    for payload in (picture.icc, picture.exif, picture.xmp):
        assert payload is None or (isinstance(payload, bytes) and payload)
    for note in picture.notes:
        assert note[0].isupper() or note[0].isdigit()
        assert note.endswith(".")
    return picture


def alpha_of(picture: pixels.Picture) -> np.ndarray:
    assert picture.alpha is not None
    return picture.alpha


# --- arrays ---------------------------------------------------------------------------------------


def test_arrays_of_each_shape():
    picture = check(pixels.load(GREY))
    assert picture.grey
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.rgb, grey_of(GREY))
    picture = check(pixels.load(COLOUR))
    assert not picture.grey
    np.testing.assert_array_equal(picture.rgb, COLOUR)
    picture = check(pixels.load(RGBA))
    assert not picture.grey
    np.testing.assert_array_equal(picture.rgb, COLOUR)
    np.testing.assert_array_equal(alpha_of(picture), ALPHA)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_tiny_arrays(size):
    for channels in ((), (3,), (4,)):
        array = np.full((*size, *channels), 7, np.uint8)
        assert check(pixels.load(array)).rgb.shape == (*size, 3)


def test_colour_with_equal_channels_stays_colour():
    assert not pixels.load(grey_of(GREY)).grey
    assert not pixels.load(Image.fromarray(grey_of(GREY))).grey


@pytest.mark.parametrize(
    "view", [np.s_[::-1, ::-1], np.s_[::2, 1:], np.s_[:, ::-1, ::-1]], ids=["turned", "part", "bgr"]
)
def test_arrays_that_are_not_contiguous(view):
    np.testing.assert_array_equal(check(pixels.load(COLOUR[view])).rgb, COLOUR[view])
    np.testing.assert_array_equal(
        check(pixels.load(np.asfortranarray(COLOUR)[view])).rgb, COLOUR[view]
    )


def test_what_is_given_is_left_alone():
    array = RGBA.copy()
    array[:5, :, 3] = 0
    kept = array.copy()
    array.flags.writeable = False
    image = Image.fromarray(array)
    palette = Image.fromarray(array).convert("P")
    palette.info["transparency"] = 3
    before = palette.im.getpalette("RGBA", "RGBA"), palette.tobytes(), dict(palette.info)
    for given in (array, image, palette):
        pixels.load(given)
    np.testing.assert_array_equal(array, kept)
    assert image.tobytes() == kept.tobytes()
    after = palette.im.getpalette("RGBA", "RGBA"), palette.tobytes(), dict(palette.info)
    assert before == after


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 64, 64), np.uint8), r"shape \(3, 64, 64\) and type uint8"),
        (np.zeros((64, 64, 3), np.float32), r"shape \(64, 64, 3\) and type float32"),
        (np.zeros((64, 64), np.uint16), "type uint16"),
        (np.zeros((64, 64), np.int8), "type int8"),
        (np.zeros((64, 64), bool), "type bool"),
        (np.zeros((64, 64), object), "type object"),
        (np.zeros((64, 64, 1), np.uint8), r"shape \(64, 64, 1\)"),
        (np.zeros((64, 64, 2), np.uint8), r"shape \(64, 64, 2\)"),
        (np.zeros((64, 64, 5), np.uint8), r"shape \(64, 64, 5\)"),
        (np.zeros((1, 64, 64, 3), np.uint8), r"shape \(1, 64, 64, 3\)"),
        (np.zeros(64, np.uint8), r"shape \(64,\)"),
        (np.uint8(1) + np.zeros((), np.uint8), "not uint8"),
        (np.zeros((), np.uint8), r"shape \(\)"),
    ],
)
def test_wrong_arrays_say_shape_and_type_wanted(array, message):
    with pytest.raises(InputError, match=message) as error:
        pixels.load(array)
    assert "a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4)" in str(error.value)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0, 3), (5, 0, 4)])
def test_empty_arrays(shape):
    with pytest.raises(InputError, match=f"{shape[1]} x {shape[0]} pixels"):
        pixels.load(np.zeros(shape, np.uint8))


def test_arrays_over_the_limits_are_refused_before_work():
    huge = np.broadcast_to(np.uint8(0), (2**16, 2**15, 3))  # takes no memory
    with pytest.raises(InputError, match="more than the 1,073,741,824"):
        pixels.load(huge)
    with pytest.raises(InputError, match="sides of 1 to 1,048,576"):
        pixels.load(np.broadcast_to(np.uint8(0), (1, 2**20 + 1)))


@pytest.mark.parametrize("thing", [None, 5, [[1, 2]], b"\x89PNG", bytearray(3), object(), 3.5])
def test_things_that_are_no_picture(thing):
    with pytest.raises(InputError, match=f"not {type(thing).__name__}") as error:
        pixels.load(thing)
    assert ("io.BytesIO" in str(error.value)) == isinstance(thing, bytes | bytearray)


# --- sources --------------------------------------------------------------------------------------


def test_a_path_a_file_and_an_image_give_the_same(tmp_path):
    path = tmp_path / "bild-ü.png"
    Image.fromarray(RGBA).save(path)
    with path.open("rb") as file, Image.open(path) as image:
        loaded = [pixels.load(source) for source in (path, str(path), file, image)]
        assert not file.closed
        assert image.getpixel((0, 0)) == tuple(RGBA[0, 0].tolist())  # still open too
    for picture in loaded:
        np.testing.assert_array_equal(picture.rgb, COLOUR)
        np.testing.assert_array_equal(alpha_of(picture), ALPHA)
    path.unlink()  # nothing holds it open (on Windows this would fail)


def test_a_stream_that_cannot_seek_and_one_that_is_not_at_its_start():
    data = saved(Image.fromarray(COLOUR), "PNG").getvalue()
    pipe = SimpleNamespace(read=lambda: data)
    np.testing.assert_array_equal(pixels.load(pipe).rgb, COLOUR)
    file = io.BytesIO(b"header" + data)
    file.seek(6)
    np.testing.assert_array_equal(pixels.load(file).rgb, COLOUR)


def test_an_animation_gives_its_first_frame_and_a_note():
    frames = [Image.new("RGB", (5, 4), (value, 0, 0)) for value in (250, 90, 20)]
    for format_ in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format_ == "WEBP" else {}
        file = saved(frames[0], format_, save_all=True, append_images=frames[1:], **options)
        picture = check(pixels.load(file))
        assert picture.rgb[0, 0].tolist() == [250, 0, 0]
        assert picture.notes == ("Only one of 3 frames was kept.",)
    with Image.open(file) as image:
        image.seek(1)
        assert pixels.load(image).rgb[0, 0].tolist() == [90, 0, 0]  # the one that is shown
        assert image.tell() == 1


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.jpg", b"", "is empty; copy or download it again"),
        ("text.png", b"Hello, picture!", "not a picture that Pillow can read; convert it"),
        ("header.png", b"\x89PNG\r\n\x1a\n", "not a picture|damaged"),
        ("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "pillow-heif"),
        ("photo.jpg", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100), "pillow-heif"),
        ("x.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(100), "not a picture|damaged"),
    ],
)
def test_files_that_are_no_picture(tmp_path, monkeypatch, name, data, message):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    path = tmp_path / name
    path.write_bytes(data)
    with path.open("rb") as file:
        for source in (path, str(path), file):
            with pytest.raises(InputError, match=message) as error:
                pixels.load(source)
            assert str(path) in str(error.value)
    with pytest.raises(InputError, match="The input is"):
        pixels.load(io.BytesIO(data))


def test_heic_is_read_once_pillow_heif_is_installed(tmp_path, monkeypatch):
    class FakeHeic(PngImagePlugin.PngImageFile):
        format = "HEIF"

        def _open(self):
            file = self.fp
            assert file is not None
            file.seek(16)
            self.fp = io.BytesIO(file.read())
            file.close()
            super()._open()

    def register():
        Image.register_open("HEIF", FakeHeic, lambda prefix: prefix[4:12] == b"ftypheic")

    monkeypatch.setitem(
        sys.modules,
        "pillow_heif",
        SimpleNamespace(register_heif_opener=register),  # pyright: ignore[reportArgumentType]
    )
    monkeypatch.setattr(Image, "ID", Image.ID.copy())
    monkeypatch.setattr(Image, "OPEN", Image.OPEN.copy())
    data = b"\0\0\0\x10ftypheic\0\0\0\0" + saved(Image.fromarray(COLOUR), "PNG").getvalue()
    path = tmp_path / "photo.heic"
    path.write_bytes(data)
    for source in (io.BytesIO(data), path):
        np.testing.assert_array_equal(pixels.load(source).rgb, COLOUR)


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(InputError, match=r"nothere\.jpg does not exist; check its name"):
        pixels.load(tmp_path / "nothere.jpg")
    with pytest.raises(InputError, match=r"is a folder; name the files in it"):
        pixels.load(tmp_path)
    with pytest.raises(InputError):
        pixels.load("")
    with pytest.raises(InputError, match="cannot be read"):
        pixels.load("nul\0byte.png")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"inside\.png"):
        pixels.load(tmp_path / "file" / "inside.png")


def test_a_name_that_is_not_text_can_be_printed(tmp_path):
    with pytest.raises(InputError, match="does not exist") as error:
        pixels.load(str(tmp_path / "bad\udcff.png"))
    str(error.value).encode("utf-8")


def test_a_file_in_text_mode_and_one_that_fails(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("L", (2, 2)).save(path)
    with path.open("r", encoding="latin-1") as file, pytest.raises(InputError, match="binary mode"):
        pixels.load(file)
    file = path.open("rb")
    file.close()
    with pytest.raises(InputError, match=r"photo\.png .* \(read of closed file\)"):
        pixels.load(file)

    def fail():
        raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="The input cannot be read: Input/output error"):
        pixels.load(SimpleNamespace(read=fail))


def test_a_closed_image_and_one_that_fills_memory():
    image = Image.open(saved(Image.fromarray(COLOUR), "PNG"))
    image.close()
    with pytest.raises(InputError, match="cannot be read"):
        pixels.load(image)

    def fill():
        raise MemoryError

    with pytest.raises(InputError, match="does not fit into memory"):
        pixels.load(SimpleNamespace(read=fill))


def test_decompression_bombs(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.new("1", (300, 300)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(InputError, match=r"bomb\.png has more pixels than Pillow opens"):
        pixels.load(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr("gencodec.codec.container.MAX_PIXELS", 89_999)
    with pytest.raises(InputError, match="300 x 300 pixels"):
        pixels.load(path)


# Each with options that leave nothing to chance; what another library decodes is its own business.
FORMATS = [
    ("PNG", "RGBA", {}),
    ("PNG", "P", {}),
    ("JPEG", "RGB", {"quality": 80}),
    ("JPEG", "CMYK", {}),
    ("GIF", "P", {}),
    ("TIFF", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("BMP", "RGB", {}),
    ("PPM", "RGB", {}),
    ("QOI", "RGBA", {}),
    ("TGA", "RGBA", {}),
]


@pytest.mark.parametrize(("format_", "mode", "options"), FORMATS)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage that it reads over
def test_truncated_pictures(format_, mode, options):
    data = saved(Image.fromarray(COLOUR).convert(mode), format_, **options).getvalue()
    failed = 0
    for length in range(len(data)):
        try:
            check(pixels.load(io.BytesIO(data[:length])))
        except InputError:
            failed += 1
    assert failed > len(data) // 2


@pytest.mark.parametrize(("format_", "mode", "options"), FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_damaged_pictures(format_, mode, options):
    data = saved(Image.fromarray(COLOUR).convert(mode), format_, **options).getvalue()
    rng = random.Random(1)
    for round_ in range(150):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(min(len(damaged), 120))] = rng.choice(
                (0, 255, rng.randrange(256))
            )
        with suppress(InputError):
            check(pixels.load(io.BytesIO(damaged), keep_metadata=round_ % 2 == 0))


# --- metadata -------------------------------------------------------------------------------------


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


# --- back to an image -----------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_to_image_and_load_are_inverse(grey, alpha):
    rgb = grey_of(GREY) if grey else COLOUR
    image = pixels.to_image(rgb, grey=grey, alpha=alpha)
    assert image.mode == ("L" if grey else "RGB") + ("" if alpha is None else "A")
    picture = check(pixels.load(image))
    np.testing.assert_array_equal(picture.rgb, rgb)
    assert picture.grey == grey
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(alpha_of(picture), alpha)


def test_to_image_takes_a_plane_or_the_mean_of_three():
    np.testing.assert_array_equal(np.asarray(pixels.to_image(GREY, grey=True)), GREY)
    rgb = np.array([[[10, 11, 12], [0, 0, 1], [0, 1, 1], [255, 255, 255]]], np.uint8)
    assert np.asarray(pixels.to_image(rgb, grey=True)).tolist() == [[11, 0, 1, 255]]


@pytest.mark.parametrize("grey", [False, True])
def test_to_image_has_its_own_memory(grey):
    rgb = grey_of(GREY)[..., 0].copy() if grey else COLOUR.copy()
    image = pixels.to_image(rgb, grey=grey)
    before = image.tobytes()
    rgb[:] = 0
    assert image.tobytes() == before
    image.putpixel((0, 0), 0)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 31), (15, 1)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_pad_to(size, channels):
    planes = RNG.integers(0, 256, (*size, *channels), dtype=np.uint8)
    padded = pixels.pad_to(planes, 16)
    height, width = (-(-side // 16) * 16 for side in size)
    assert padded.shape == (height, width, *channels)
    rows = np.minimum(np.arange(height), size[0] - 1)
    columns = np.minimum(np.arange(width), size[1] - 1)
    np.testing.assert_array_equal(padded, planes[rows][:, columns])
