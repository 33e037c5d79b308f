"""The functions that other programs embed: what goes in, what comes out, what is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import gencodec
from gencodec.codec import api, container, library
from gencodec.codec.errors import DeviceError, FormatError, InputError, ModelError

CAT = Path(__file__).parent / "data" / "cat.jpg"
GOLDEN = Path(__file__).parent / "golden" / "autoencoder-1"


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    with Image.open(CAT) as image:
        image.load()
    return image.crop((100, 60, 196, 140))


def tiny(side: str = "encoder") -> Path:
    (path,) = GOLDEN.glob(f"*-{side}.onnx")
    return path


def test_every_kind_of_input_gives_the_same_file(cat: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    cat.save(path)
    pixels = np.asarray(cat)
    wanted = gencodec.compress(cat, quality=40)
    assert gencodec.compress(path, quality=40) == wanted
    assert gencodec.compress(str(path), quality=40) == wanted
    with path.open("rb") as file:
        assert gencodec.compress(file, quality=40) == wanted
    assert gencodec.compress(io.BytesIO(path.read_bytes()), quality=40) == wanted
    assert gencodec.compress(pixels, quality=40) == wanted
    assert gencodec.compress(pixels[::-1][::-1], quality=40) == wanted  # not contiguous


def test_decompress_takes_bytes_paths_and_files(cat: Image.Image, tmp_path: Path) -> None:
    data = gencodec.compress(cat, quality=40)
    path = tmp_path / "cat.gnc"
    path.write_bytes(data)
    wanted = np.asarray(gencodec.decompress(data))
    with path.open("rb") as file:
        for source in (path, str(path), file, io.BytesIO(data), bytearray(data)):
            assert np.array_equal(np.asarray(gencodec.decompress(source)), wanted)
    with pytest.raises(InputError, match="list"):
        gencodec.decompress([1, 2])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"absent\.gnc"):
        gencodec.decompress(tmp_path / "absent.gnc")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_mode_comes_back_and_alpha_exactly(cat: Image.Image, mode: str) -> None:
    picture = cat.convert(mode)
    if mode.endswith("A"):
        ramp = Image.linear_gradient("L").resize(cat.size)
        picture.putalpha(ramp)
    back = gencodec.decompress(gencodec.compress(picture, quality=80))
    assert back.mode == mode
    assert back.size == picture.size
    if mode.endswith("A"):
        assert back.getchannel("A").tobytes() == picture.getchannel("A").tobytes()


def test_colour_under_full_transparency_costs_nothing(cat: Image.Image) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
    alpha = np.zeros((80, 96, 1), np.uint8)
    alpha[:40] = 255
    half = np.where(alpha > 0, np.asarray(cat), noise)
    noisy = gencodec.compress(np.concatenate([half, alpha], 2).astype(np.uint8), quality=70)
    full = gencodec.compress(half.astype(np.uint8), quality=70)
    assert len(noisy) < 0.7 * len(full)


def test_metadata_is_carried_or_stripped(cat: Image.Image) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: stays metadata, the pixels are not turned
    exif[0x010E] = "a cat"
    buffer = io.BytesIO()
    cat.save(buffer, "JPEG", icc_profile=profile, exif=exif, quality=95)
    data = gencodec.compress(io.BytesIO(buffer.getvalue()))
    back = gencodec.decompress(data)
    assert back.size == cat.size
    assert back.info["icc_profile"] == profile
    assert back.getexif()[0x0112] == 6
    assert back.getexif()[0x010E] == "a cat"
    about = gencodec.info(data)
    assert about.icc == len(profile)
    assert about.exif > 0
    stripped = gencodec.compress(io.BytesIO(buffer.getvalue()), strip=True)
    assert "icc_profile" not in gencodec.decompress(stripped).info
    assert not gencodec.decompress(stripped).getexif()
    assert len(stripped) < len(data) - len(profile)


def test_the_overhead_of_a_plain_small_picture(cat: Image.Image) -> None:
    """All that is not the entropy-coded stream: at most 32 bytes."""
    data = gencodec.compress(cat)
    _, _, segments = container.read(data)
    assert len(segments) == 1
    check = 2  # of the symbols, at the head of a segment
    assert len(data) - len(segments[0]) + check <= 32


def test_info_says_what_is_in_the_file(cat: Image.Image) -> None:
    data = gencodec.compress(cat.convert("L"), quality=12.5)
    about = gencodec.info(data)
    assert (about.codec, about.quality, about.grey, about.alpha) == (
        "autoencoder",
        12.5,
        True,
        False,
    )
    assert (about.width, about.height, about.version) == (*cat.size, 1)
    assert about.known
    assert about.bytes == len(data)
    assert about.bpp == pytest.approx(8 * len(data) / (cat.width * cat.height))
    assert about.decoder_file == Path(about.decoder + "-decoder.onnx").name


def test_models_lists_the_shipped_files() -> None:
    found = gencodec.models()
    assert {(m.codec, m.role) for m in found} >= {
        ("autoencoder", "encoder"),
        ("autoencoder", "decoder"),
    }
    assert [m.name for m in found if not m.file] == ["graphics"]  # which needs none
    for model in (m for m in found if m.file):
        assert (library.PRETRAINED / model.file).stat().st_size == model.bytes


def test_verify_passes_what_was_written_and_names_damage(cat: Image.Image) -> None:
    data = gencodec.compress(cat)
    gencodec.verify(data)
    with pytest.raises(FormatError):
        gencodec.verify(data[:-1])
    with pytest.raises(FormatError):
        gencodec.verify(b"\x89PNG\r\n\x1a\n" + bytes(50))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"\(3, 8, 8\)"),
        (np.zeros((8, 8), np.float32), "float32"),
        (np.zeros((8, 8, 2), np.uint8), r"\(8, 8, 2\)"),
        (np.zeros((0, 8, 3), np.uint8), "8 x 0 pixels"),
        (np.zeros((8,), np.uint8), r"\(8,\)"),
        (np.zeros((8, 8, 3), np.uint16), "uint16"),
    ],
    ids=str,
)
def test_arrays_of_another_form_are_refused_by_name(array: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        gencodec.compress(array)


@pytest.mark.parametrize("quality", [-1, 101, float("nan"), "50", None, True])
def test_quality_out_of_range(cat: Image.Image, quality: object) -> None:
    with pytest.raises(InputError, match="quality must be a number from 0 to 100"):
        gencodec.compress(cat, quality=quality)  # type: ignore[arg-type]


def test_wrong_arguments_are_named(cat: Image.Image, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no codec 'jpeg'; known: autoencoder"):
        gencodec.compress(cat, codec="jpeg")
    with pytest.raises(InputError, match="cannot compress losslessly"):
        gencodec.compress(cat, "autoencoder", lossless=True)
    with pytest.raises(DeviceError, match="no device 'tpu'"):
        gencodec.compress(cat, device="tpu")
    with pytest.raises(DeviceError, match="threads"):
        gencodec.compress(cat, threads=0)
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        gencodec.compress(cat, model=tmp_path / "absent.onnx")


def test_another_models_file_is_refused_before_decoding(cat: Image.Image) -> None:
    foreign = api.compress(cat, model=tiny())
    about = gencodec.info(foreign)
    assert not about.known
    with pytest.raises(ModelError, match=rf"decoder {about.decoder}, which this version does not"):
        gencodec.decompress(foreign)
    assert api.decompress(foreign, model=tiny("decoder")).size == cat.size
    with pytest.raises(ModelError, match=r"pass the model that wrote it"):
        api.decompress(gencodec.compress(cat), model=tiny("decoder"))


def test_encoder_and_decoder_must_belong_together(cat: Image.Image, tmp_path: Path) -> None:
    entry = library.shipped()["autoencoder"]
    decoder = entry["decoders"][entry["default"]]["file"]
    (tmp_path / tiny("decoder").name).write_bytes((library.PRETRAINED / decoder).read_bytes())
    (tmp_path / tiny().name).write_bytes(tiny().read_bytes())
    with pytest.raises(ModelError, match="do not belong together"):
        api.compress(cat, model=tmp_path / tiny().name)


def test_what_runs_out_of_memory_is_refused_by_its_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A header that announces a huge picture over a few bytes is an error, not an allocation."""
    data = gencodec.compress(np.zeros((16, 16, 3), np.uint8))
    header, _, segments = container.read(data)
    huge = container.Header(
        scheme=header.scheme,
        flags=0,
        quality=header.quality,
        decoder=header.decoder,
        width=32768,
        height=32768,
    )
    chunk = container.Chunk(container.ChunkType.SEGMENT, segments[0])
    monkeypatch.setenv("GENCODEC_MAX_PIXELS", str(2**30))
    with pytest.raises(FormatError, match="segments"):
        gencodec.decompress(container.write(huge, [chunk]))
