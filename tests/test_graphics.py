"""The codec ``graphics``: what it writes, tiles, regions, memory."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, WebPImagePlugin

from gencodec.codec import api, container, session
from gencodec.codec.errors import FormatError, InputError
from gencodec.codec.schemes import segments
from gencodec.codec.schemes.graphics import codec as codec_module
from gencodec.codec.schemes.graphics import tile as tile_module
from gencodec.codec.schemes.graphics.tile import decode_tile, encode_tile
from gencodec.codec.session import Runtime
from helpers.pictures import drawing, noise, saved

PICTURE = drawing(50, 40)
IMAGE = Image.fromarray(PICTURE)


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pixels",
    [
        PICTURE,
        noise(20, 30, 3),
        np.repeat(noise(20, 30, 3)[..., :1], 3, 2),
        np.zeros((1, 1, 3), np.uint8),
        np.full((2048, 3, 3), 200, np.uint8),
        np.where(noise(70, 90, 3)[..., :1] > 128, 255, 0).astype(np.uint8).repeat(3, 2),
    ],
    ids=["drawing", "noise", "grey", "pixel", "tall", "black and white"],
)
def test_a_tile_comes_back(pixels: NDArray) -> None:
    data = encode_tile(pixels)
    assert np.array_equal(decode_tile(data, *pixels.shape[:2]), pixels)
    webp = saved(Image.fromarray(pixels), "WEBP", lossless=True, exact=True, method=6).getvalue()
    assert len(data) <= 1.01 * len(webp) + 8


def test_the_smaller_of_webp_and_png_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    bilevel = np.where(noise(70, 90, 3)[..., :1] > 128, 255, 0).astype(np.uint8).repeat(3, 2)
    assert encode_tile(bilevel)[2:6] in (b"RIFF", b"\x89PNG")
    sizes = {"RIFF": len(encode_tile(bilevel))}
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)
    for pixels in (PICTURE, bilevel, noise(20, 30, 3)):
        data = encode_tile(pixels)  # what a Pillow without WebP can do
        assert data[2:6] == b"\x89PNG"
        assert np.array_equal(decode_tile(data, *pixels.shape[:2]), pixels)
    assert sizes["RIFF"] <= len(encode_tile(bilevel))
    monkeypatch.undo()
    data = encode_tile(PICTURE)
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)
    with pytest.raises(FormatError, match="built without"):
        decode_tile(data, 40, 50)


def test_every_quality_and_flag_is_the_same_exact_file(tmp_path: Path) -> None:
    files = {api.compress(PICTURE, "graphics", quality) for quality in (0, 50, 100)}
    files.add(api.compress(PICTURE, "graphics", lossless=True))
    (data,) = files
    about = api.info(data)
    assert (about.codec, about.quality, about.decoder) == ("graphics", 100, "graphics-00000000")
    assert about.lossless and about.stable and about.known
    assert about.decoder_file is None
    assert np.array_equal(np.asarray(api.decompress(data)), PICTURE)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_hidden_colours_and_metadata_come_back(mode: str) -> None:
    image = IMAGE.convert(mode)
    if mode.endswith("A"):
        ramp = np.asarray(Image.linear_gradient("L").resize(image.size))
        image.putalpha(Image.fromarray(np.where(ramp < 90, 0, ramp)))  # a third is hidden
    image.info["icc_profile"] = b"a profile"
    back = api.decompress(api.compress(image, "graphics"))
    assert back.mode == mode
    assert back.tobytes() == image.tobytes()
    assert back.info["icc_profile"] == b"a profile"


def test_samples_of_16_bits_are_not_called_lossless() -> None:
    image = Image.fromarray((np.arange(600).reshape(20, 30) * 100).astype(np.uint16))
    result = api.compress_detailed(image, "graphics")
    assert not result.lossless
    assert not api.info(result.data).lossless
    assert api.decompress(result.data).size == (30, 20)
    with pytest.raises(InputError, match="cannot be kept losslessly"):
        api.compress(image, "graphics", lossless=True)


def test_what_goes_not_with_it() -> None:
    with pytest.raises(InputError, match="has no model; leave out"):
        api.compress(PICTURE, "graphics", model="any.onnx")
    with pytest.raises(InputError, match="graphics has no model tuned for visual"):
        api.compress(PICTURE, "graphics", tune="visual")
    with pytest.raises(InputError, match="choose from: visual, psnr"):
        api.compress(PICTURE, "graphics", tune="vmaf")
    with pytest.raises(InputError, match="leave out one"):
        api.compress(PICTURE, "graphics", denoise=True)
    size = len(api.compress(PICTURE, "graphics"))
    assert len(api.compress(PICTURE, "graphics", target_size=size)) == size
    with pytest.raises(InputError, match=f"{size:,} bytes in the codec graphics, which is exact"):
        api.compress(PICTURE, "graphics", target_size=size - 1)


def test_it_is_listed_without_a_model(run) -> None:
    listed = run("models").stdout
    assert "graphics" in listed
    assert "no model" in listed
    Path("a.png").write_bytes(saved(IMAGE, "PNG").getvalue())
    run("compress", "a.png", "--codec", "graphics")
    shown = run("info", "a.gnc").stdout
    assert "graphics: screenshots and drawings" in shown
    assert "no model needed" in shown
    assert "OK" in run("verify", "a.gnc").stdout
    run("decompress", "a.gnc", "-o", "part.png", "--region", "5,6,20,9")
    with Image.open("part.png") as part:
        assert part.tobytes() == IMAGE.crop((5, 6, 25, 15)).tobytes()


# --- large pictures -------------------------------------------------------------------------------


def test_tiles_of_at_most_2048_and_a_region_of_them() -> None:
    pixels = np.ascontiguousarray(np.tile(drawing(410, 64), (1, 11, 1)))  # 4510 wide
    data = api.compress(pixels, "graphics")
    _, _, segments = container.read(data)
    assert len(segments) == api.info(data).segments == 3
    assert all(max(Image.open(io.BytesIO(part[2:])).size) <= 2048 for part in segments)
    assert np.array_equal(np.asarray(api.decompress(data)), pixels)
    for x, y, w, h in ((0, 0, 1, 1), (1490, 3, 60, 61), (4509, 63, 1, 1), (1600, 10, 40, 9)):
        part = np.asarray(api.decompress(data, (x, y, w, h)))
        assert np.array_equal(part, pixels[y : y + h, x : x + w])
    damaged = bytearray(data)
    damaged[data.index(segments[2]) + 20] ^= 1
    api.decompress(bytes(damaged), (0, 0, 30, 30))
    with pytest.raises(FormatError):
        api.decompress(bytes(damaged), (4400, 0, 30, 30))


def test_few_tiles_are_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = segments.parallel_map

    def counted(work, items, runtime):
        asked.append(runtime.cores)
        return real(work, items, runtime)

    monkeypatch.setattr(codec_module, "parallel_map", counted)
    monkeypatch.setattr(session, "available_cores", lambda: 64)
    monkeypatch.setattr(tile_module, "EFFORTS", ((0, 0),))
    api.decompress(api.compress(np.zeros((8, 6000, 3), np.uint8), "graphics", threads=64))
    assert Runtime("cpu", 64).cores == 64
    assert asked[0] == codec_module.WORKERS


MEASURE = """
import re, sys
from pathlib import Path
import numpy as np
from gencodec.codec import api

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

rows = np.arange(int(sys.argv[1]), dtype=np.uint16)[:, None, None] // 64
picture = ((rows + np.arange(4096, dtype=np.uint16)[:, None] // 64) % 256).astype(np.uint8)
picture = np.repeat(picture, 3, axis=2)
base = peak()
data = api.compress(picture, "graphics", threads=1)
del picture
between = peak()
api.decompress(data, threads=1)
print(between - base, peak() - base)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted otherwise elsewhere")
def test_memory_does_not_grow_with_the_picture(fresh_python) -> None:
    """Beyond the pixels, which are held once as an array and once by Pillow."""
    needs = []
    for height in (2048, 6144):
        done = fresh_python(MEASURE, str(height))
        needs.append([1024 * int(number) for number in done.stdout.split()])
    more = 4096 * 4096  # pixels
    assert needs[1][0] - needs[0][0] < 2 * more
    assert needs[1][1] - needs[0][1] < 7 * more
