"""Pictures from paths, files and streams, and whatever is no picture."""

import io
import random
import sys
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gencodec.codec.errors import InputError
from gencodec.codec.image import pixels
from helpers.pictures import ALPHA, COLOUR, RGBA, alpha_of, check, saved


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
    monkeypatch.setattr("gencodec.codec.container.header.MAX_PIXELS", 89_999)
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
