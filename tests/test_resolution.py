"""Dots an inch are kept from the source to the picture that is written."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import gencodec
from gencodec.codec import api, container
from gencodec.codec.container import ChunkType
from gencodec.codec.image import pixels, resolution, save
from helpers.pictures import saved

PAGE = Image.new("RGB", (40, 24), "white")


def about(value: float) -> object:
    return pytest.approx(value, abs=0.02)  # a PNG counts in dots a metre


def with_exif(x: float, y: float, unit: int = 2, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[282], exif[283], exif[296], exif[274] = x, y, unit, orientation
    return exif.tobytes()


@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_files_keep_their_resolution(source: str, suffix: str, run: Callable[..., Result]) -> None:
    Path("page").write_bytes(saved(PAGE, source, dpi=(300, 150)).getvalue())
    for arguments in (
        ["compress", "page", "-o", "page.gnc"],
        ["decompress", "page.gnc", "-o", f"back{suffix}"],
        ["denoise", "page", "-o", f"clean{suffix}"],
    ):
        run(*arguments)
    for name in ("back", "clean"):
        with Image.open(name + suffix) as image:
            assert image.info["dpi"] == (about(300), about(150)), name


def test_python_has_it_as_pillow_does() -> None:
    image = PAGE.copy()
    image.info["dpi"] = (300, 300)
    data = gencodec.compress(image)
    assert gencodec.decompress(data).info["dpi"] == (300, 300)
    assert gencodec.decompress(data, region=(0, 0, 8, 8)).info["dpi"] == (300, 300)
    assert gencodec.info(data).dpi == (300, 300)
    assert gencodec.denoise(image).info["dpi"] == (300, 300)
    assert len(data) == len(gencodec.compress(PAGE)) + 14
    stripped = api.compress_detailed(image, strip=True).data
    assert stripped == gencodec.compress(PAGE)


@pytest.mark.parametrize(
    "value",
    [None, (72, 72), (72.009, 72.009), (0, 0), 300, ("300", None), (float("nan"), 300), (1e9, 1)],
)
def test_what_is_not_carried_costs_nothing(value: object) -> None:
    image = PAGE.copy()
    image.info["dpi"] = value
    assert gencodec.compress(image) == gencodec.compress(PAGE)
    assert gencodec.info(gencodec.compress(image)).dpi is None


def test_what_exif_tells_is_not_carried_twice() -> None:
    picture = pixels.load(saved(PAGE, "JPEG", exif=with_exif(240, 240)))
    assert picture.dpi == (240, 240)
    data = gencodec.compress(saved(PAGE, "JPEG", exif=with_exif(240, 240)))
    assert container.RESOLUTION not in container.read(data)[1]
    assert gencodec.decompress(data).info["dpi"] == (240, 240)
    assert resolution.of_exif(with_exif(100, 50, unit=3)) == (254, 127)
    for nothing in (b"", b"MM\0*", with_exif(300, 300, unit=1), with_exif(72, 72)):
        assert resolution.of_exif(nothing) is None


def test_a_chunk_that_makes_no_sense_is_passed_over() -> None:
    header, _, (segment,) = container.read(gencodec.compress(PAGE))
    chunk = container.Chunk(ChunkType.SEGMENT, segment)
    for payload in (b"", b"1234567", bytes(8), b"\xff" * 9):
        odd = container.Chunk(container.RESOLUTION, payload)
        image = gencodec.decompress(container.write(header, [chunk, odd]))
        assert "dpi" not in image.info
    twice = container.write(header, [chunk, container.Chunk(container.RESOLUTION, b"12345678")])
    at = twice.index(b"12345678") - 2
    twice = twice[:at] + twice[at : at + 14] + twice[at:]
    with pytest.raises(gencodec.FormatError, match="resolution more than once"):
        gencodec.decompress(twice)


def test_resolution_turns_with_the_picture() -> None:
    image = PAGE.copy()
    image.info |= {"dpi": (300, 150), "exif": with_exif(300, 150, orientation=6)}
    with Image.open(io.BytesIO(save.encode(image, "BMP", "x").data)) as written:
        assert written.size == (24, 40)
        assert written.info["dpi"] == (about(150), about(300))
    with Image.open(io.BytesIO(save.encode(image, "PNG", "x").data)) as written:
        assert written.size == (40, 24)
        assert written.info["dpi"] == (about(300), about(150))


def test_more_than_a_jpeg_can_say() -> None:
    image = PAGE.copy()
    image.info["dpi"] = (100_000, 100_000)
    assert save.encode(image, "JPEG", "x").data
    with Image.open(io.BytesIO(save.encode(image, "PNG", "x").data)) as written:
        assert written.info["dpi"] == (about(100_000), about(100_000))


# --- transparency ---------------------------------------------------------------------------------

HALF = Image.new("RGBA", (16, 16), (255, 0, 0, 128))


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm", ".pcx", ".png", ".gif"])
def test_background(suffix: str, run: Callable[..., Result]) -> None:
    HALF.save("half.png")
    run("compress", "half.png")
    for command, source in (("decompress", "half.gnc"), ("denoise", "half.png")):
        out = f"{command}{suffix}"
        assert run(command, source, "-o", out, "--background", "#0000ff").stderr == ""
        with Image.open(out) as image:
            assert "transparency" not in image.info
            red, green, blue = np.asarray(image.convert("RGB"))[8, 8].astype(int)
        assert abs(red - 128) < 4 > green
        assert abs(blue - 127) < 4


def test_grey_stays_grey_on_a_grey_background() -> None:
    image = Image.new("LA", (8, 8), (0, 0))
    for colour, mode in (((9, 9, 9), "L"), ((9, 9, 8), "RGB")):
        data = save.encode(image, "PNG", "x", background=colour).data
        with Image.open(io.BytesIO(data)) as written:
            assert written.mode == mode
            assert written.convert("RGB").getpixel((0, 0)) == colour


def test_lost_transparency_is_told() -> None:
    with pytest.raises(gencodec.OutputError, match=r"^x.jpg: JPEG holds no transparency; give --b"):
        save.encode(HALF, "JPEG", "x.jpg")
    for format_ in ("BMP", "PPM"):
        (note,) = save.encode(HALF, format_, "x").notes
        assert note.startswith(f"{format_} holds no transparency: it was left out; --background")
    assert save.encode(HALF, "GIF", "x").notes[0].startswith("GIF holds no half transparency")
    whole = HALF.copy()
    whole.putalpha(0)
    assert save.encode(whole, "GIF", "x").notes == ()


def test_a_colour_that_is_none(run: Callable[..., Result]) -> None:
    result = run("denoise", "x.png", "--background", "reddish", code=2)
    assert "'reddish' is no colour, such as white" in result.stderr
