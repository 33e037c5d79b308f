"""The plugin for Pillow, tested as Pillow tests its own (Tests/test_file_webp.py and others)."""

import io
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

import gencodec
from gencodec.codec import container
from gencodec.codec.plugins.pillow import GncImageFile, LoadError
from helpers import pictures

Fresh = Callable[..., subprocess.CompletedProcess[str]]
RELEASED = Path(__file__).parent / "golden" / "v1"
GRAPHICS = pictures.saved(Image.fromarray(pictures.drawing(60, 44)), "GNC", codec="graphics")
DATA = GRAPHICS.getvalue()
ICC, XMP = b"a profile that nobody reads", b"<x:xmpmeta/>"


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    return exif


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


TWINS = [*sorted(RELEASED.glob("[av]*/photo.gnc")), RELEASED.parent / "flow-1" / "q50.gnc"]


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.parent.name)
def test_it_equals_its_png_twin(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENCODEC_MODELS", str(RELEASED.parent / "flow-1"))
    with Image.open(path) as image, Image.open(path.with_suffix(".png")) as twin:
        assert (image.format, image.mode, image.size) == ("GNC", twin.mode, twin.size)
        assert image.get_format_mimetype() == "image/x-gencodec"
        gap = np.abs(np.asarray(image).astype(int) - np.asarray(twin).astype(int))
    assert gap.max() <= (not path.parent.name.startswith("flow"))  # flow is exact on every machine
    with Image.open(path) as image:
        plain = gencodec.decompress(path)
        assert image.tobytes() == plain.tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_are_known_before_pixels_are(mode: str) -> None:
    picture = Image.fromarray(pictures.RGBA).convert(mode)
    stream = pictures.saved(picture, "GNC", lossless=True, codec="flow", exif=turned())
    with Image.open(stream) as image:
        assert (image.mode, image.size) == (mode, picture.size)
        assert image.getexif()[0x0112] == 6
        assert image.tobytes() == picture.tobytes()


OPEN = """
import sys
from PIL import Image
import gencodec
gencodec.register()
with Image.open(sys.argv[1]) as image:
    assert image.size == (70, 65) and image.mode == "RGB", image
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"onnxruntime", "constriction", "numpy"}, loaded
    assert "gencodec.codec.library" not in sys.modules
    image.load()
assert "onnxruntime" in sys.modules
"""


def test_opening_loads_no_runtime(fresh_python: Fresh) -> None:
    assert fresh_python(OPEN, str(min(RELEASED.glob("auto*/photo.gnc")))).stderr == ""


def test_an_import_registers_and_loads_none_of_pillows_plugins(fresh_python: Fresh) -> None:
    code = "import sys; import gencodec.codec.plugins.pillow; from PIL import Image\n"
    code += "assert Image.ID == ['GNC'] and Image._initialized == 0\n"
    code += "assert not [name for name in sys.modules if name.endswith('ImagePlugin')]\n"
    code += "assert Image.open(sys.argv[1]).format == 'JPEG'\n"
    code += "assert Image.open(sys.argv[2]).format == 'GNC'\n"
    code += "import gencodec; gencodec.register(); gencodec.register()\n"
    code += "Image.init(); assert Image.ID.count('GNC') == 1\n"
    code += "assert Image.EXTENSION['.gnc'] == 'GNC' in Image.OPEN.keys() & Image.SAVE.keys()"
    cat = Path(__file__).parent / "data" / "cat.jpg"
    assert fresh_python(code, str(cat), str(min(RELEASED.glob("auto*/photo.gnc")))).stderr == ""


def test_the_size_of_a_huge_file_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header, metadata, alpha and segments of 100 megapixels, which nobody reads."""
    chunks = [container.Chunk(container.ChunkType.EXIF, b"MM\0*" + bytes(60_000))]
    chunks += [container.Chunk(container.ChunkType.ALPHA, bytes(2_000_000))]
    chunks += [container.Chunk(container.ChunkType.SEGMENT, bytes(100_000)) for _ in range(100)]
    header = container.Header(1, 0, 5000, bytes(8), width=12_000, height=8_400)
    path = tmp_path / "huge.gnc"
    path.write_bytes(container.write(header, chunks))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((12_000, 8_400), "RGBA")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000_000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)


def test_what_is_no_such_file() -> None:
    with pytest.raises(SyntaxError, match=r"not a \.gnc file"):
        GncImageFile(io.BytesIO(b"no picture at all"))
    for data in (b"", b"\x89GNC", DATA[:20], b"\x89GNC\1" + bytes(40)):
        with pytest.raises(UnidentifiedImageError):
            opened(data)
    with (
        pytest.warns(UserWarning, match="version 9 and needs a newer gencodec"),
        pytest.raises(UnidentifiedImageError),
    ):
        opened(b"\x89GNC\x09" + DATA[5:])
    with (
        pytest.warns(UserWarning, match="version 0, which is no longer read"),
        pytest.raises(UnidentifiedImageError),
    ):
        opened(b"\x89GNC\0" + DATA[5:])


def test_truncated_at_every_length() -> None:
    for data in (DATA, min(RELEASED.glob("auto*/photo.gnc")).read_bytes()):
        for length in range(0, len(data), 1 + len(data) // 200):
            with pytest.raises(OSError), opened(data[:length]) as image:  # also of "unidentified"
                image.load()


def test_damage_is_an_error_of_pillow_and_of_gencodec() -> None:
    damaged = DATA[:-9] + bytes([DATA[-9] ^ 1]) + DATA[-8:]
    for kind in (OSError, gencodec.GencodecError):
        for look in (lambda image: image.load(), lambda image: image.verify()):
            with pytest.raises(kind, match="checksum of its segment 0"), opened(damaged) as image:
                look(image)
    with pytest.raises(LoadError) as found:
        opened(damaged).load()
    assert isinstance(found.value.__cause__, gencodec.FormatError)
    header, _, segments = container.read(DATA)
    unknown = container.Header(1, 0, header.quality, b"12345678", header.width, header.height)
    data = container.write(unknown, [container.Chunk(container.SEGMENT, segments[0])])
    with pytest.raises(LoadError, match="install a newer gencodec"):
        opened(data).load()


def test_verify() -> None:
    with opened(DATA) as image:
        image.verify()
        with pytest.raises(RuntimeError, match="directly after open"):
            image.verify()
    image = opened(DATA)
    image.load()
    with pytest.raises(RuntimeError, match="directly after open"):
        image.verify()


def test_files_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.gnc"
    path.write_bytes(DATA)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        image = Image.open(path)
        image.load()
        del image
    stream = io.BytesIO(DATA)
    Image.open(stream).load()
    assert not stream.closed  # it belongs to who opened it


def test_thumbnails_and_no_draft() -> None:
    with opened(DATA) as image:
        assert image.draft("L", (8, 8)) is None
        assert (image.mode, image.size) == ("RGB", (60, 44))
        image.thumbnail((16, 16))
        assert image.size == (16, 12)
        assert image.tobytes() == _thumbnail().tobytes()


def _thumbnail() -> Image.Image:
    picture = Image.fromarray(pictures.drawing(60, 44))
    picture.thumbnail((16, 16))
    return picture


def test_a_parser_that_is_fed() -> None:
    parser = ImageFile.Parser()
    for start in range(0, len(DATA), 100):
        parser.feed(DATA[start : start + 100])
    assert parser.close().tobytes() == pictures.drawing(60, 44).tobytes()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 60, "codec": "flow", "lossless": True},
        {"quality": 10, "codec": "vqvae"},
        {"tune": "visual", "threads": 1, "optimize": True},  # the last is not ours: ignored
        {"target_size": 200, "codec": "autoencoder"},
    ],
)
def test_saving_is_compressing(options: dict[str, Any], tmp_path: Path) -> None:
    picture = Image.fromarray(pictures.COLOUR)
    known = {key: value for key, value in options.items() if key != "optimize"}
    wanted = gencodec.compress(picture, **known)
    picture.save(tmp_path / "a.gnc", **options)
    picture.save(stream := io.BytesIO(), format="gnc", **options)
    assert (tmp_path / "a.gnc").read_bytes() == stream.getvalue() == wanted


def test_metadata_is_kept_replaced_and_left_out() -> None:
    picture = Image.fromarray(pictures.GREY)
    picture.info |= {"icc_profile": ICC, "exif": turned().tobytes(), "xmp": XMP}
    for options, wanted in (
        ({}, (ICC, 6, XMP)),
        ({"xmp": b"<other/>"}, (ICC, 6, b"<other/>")),
        ({"exif": b"", "icc_profile": None}, (None, None, XMP)),
        ({"icc_profile": b"other", "exif": Image.Exif(), "strip": False}, (b"other", None, XMP)),
    ):
        with Image.open(pictures.saved(picture, "GNC", codec="graphics", **options)) as image:
            found = (
                image.info.get("icc_profile"),
                image.getexif().get(0x0112),
                image.info.get("xmp"),
            )
        assert found == wanted
    assert picture.info["icc_profile"] == ICC  # the picture itself stays as it was
    with Image.open(pictures.saved(picture, "GNC", codec="graphics", strip=True)) as image:
        assert not image.info
        assert image.size == picture.size[::-1]  # nothing else tells how it is turned


def test_metadata_goes_from_file_to_file(tmp_path: Path) -> None:
    picture = Image.fromarray(pictures.COLOUR)
    picture.save(tmp_path / "a.png", icc_profile=ICC, exif=turned())
    with Image.open(tmp_path / "a.png") as image:
        image.save(tmp_path / "a.gnc", lossless=True)
    with Image.open(tmp_path / "a.gnc") as image:
        assert image.info["icc_profile"] == ICC
        upright = ImageOps.exif_transpose(image)
        assert upright.size == picture.size[::-1]
        image.save(tmp_path / "b.jpg", exif=image.info["exif"])
        image.save(tmp_path / "a.gnc", "GNC", codec="graphics")  # over itself
    with Image.open(tmp_path / "a.gnc") as image, Image.open(tmp_path / "b.jpg") as jpeg:
        assert image.tobytes() == picture.tobytes()
        assert image.getexif()[0x0112] == jpeg.getexif()[0x0112] == 6


def test_what_cannot_be_saved_leaves_no_file(tmp_path: Path) -> None:
    picture = Image.fromarray(pictures.COLOUR)
    wrong: list[dict[str, Any]] = [{"quality": 200}, {"codec": "vqvae", "lossless": True}]
    for options in (*wrong, {"codec": "jpeg"}):
        with pytest.raises(gencodec.InputError):
            picture.save(tmp_path / "a.gnc", **options)
    with pytest.raises(gencodec.InputError, match="cannot be kept losslessly"):
        Image.new("CMYK", (8, 8)).save(tmp_path / "a.gnc", lossless=True)
    assert not (tmp_path / "a.gnc").exists()
    with pytest.warns(gencodec.GencodecWarning, match="16-bit"):
        Image.new("I;16", (8, 8)).save(tmp_path / "a.gnc")


def test_gencodec_itself_opens_what_pillow_does(tmp_path: Path) -> None:
    (tmp_path / "a.gnc").write_bytes(DATA)
    again = gencodec.compress(tmp_path / "a.gnc", "graphics")
    assert np.array_equal(np.asarray(gencodec.decompress(again)), pictures.drawing(60, 44))
