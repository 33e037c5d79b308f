"""Large pictures and parts of them: bounded memory, regions."""

import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from gencodec.cli import cli as main
from gencodec.codec import api, container
from gencodec.codec.errors import FormatError, InputError
from gencodec.codec.image import open as opening
from gencodec.codec.image import pixels
from gencodec.codec.schemes import tiling
from gencodec.codec.schemes.autoencoder import codec as codec_module
from gencodec.codec.schemes.autoencoder.codec import Autoencoder
from gencodec.codec.schemes.autoencoder.entropy_model import EntropyModel
from gencodec.codec.session import Runtime

GOLDEN = Path(__file__).parent / "golden"
(TINY,) = (GOLDEN / "autoencoder-1").glob("*-encoder.onnx")
(TINY_VQVAE,) = (GOLDEN / "vqvae-1").glob("*-encoder.onnx")


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """1700 x 1300 pixels, more than one tile."""
    photo = np.asarray(Image.open(Path(__file__).parent / "data" / "cat.jpg"))
    return np.ascontiguousarray(np.tile(photo, (5, 4, 1))[:1300, :1700])


def differ(a: NDArray, b: NDArray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


# --- tiles --------------------------------------------------------------------------------------


def test_four_megapixels_in_tiles_and_in_one_piece(
    picture: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the tiny model; `test_schemes` does the same with smaller tiles and every model."""
    large = np.ascontiguousarray(np.tile(picture, (2, 2, 1))[:1700, :2400])
    tiled = api.compress(large, threads=1, model=TINY)
    one = np.asarray(api.decompress(tiled, threads=1, model=TINY))
    monkeypatch.setattr(tiling, "WHOLE", 10**6)
    whole = api.compress(large, threads=1, model=TINY)
    assert differ(one, np.asarray(api.decompress(whole, threads=1, model=TINY))) <= 1
    assert differ(one, np.asarray(api.decompress(tiled, threads=1, model=TINY))) <= 1


MEASURE = """
import re, sys
from pathlib import Path
import numpy as np
from gencodec.codec import api

def peak():  # of this program; getrusage's is not reset when a process starts another program
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

height, codec, model = int(sys.argv[1]), *sys.argv[2:]
rows = np.arange(height, dtype=np.uint16)[:, None, None] // 3
picture = ((rows + np.arange(4096, dtype=np.uint16)[:, None] // 5) % 256).astype(np.uint8)
picture = np.repeat(picture, 3, axis=2)
base = peak()
data = api.compress(picture, codec, threads=2, model=model)
del picture
between = peak()
api.decompress(data, threads=2, model=model)
print(between - base, peak() - base)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted otherwise elsewhere")
@pytest.mark.parametrize(
    ("codec", "model", "heights"),
    # Heights from which onnxruntime has met all shapes of tiles and has the memory it will take.
    [("autoencoder", TINY, (4608, 6144)), ("vqvae", TINY_VQVAE, (3072, 6144))],
    ids=["autoencoder", "vqvae"],
)
def test_memory_does_not_grow_with_the_picture(
    fresh_python, codec: str, model: Path, heights: tuple[int, int]
) -> None:
    """Beyond the pixels themselves, which are held once as an array and once by Pillow."""
    needs = []
    for height in heights:
        done = fresh_python(MEASURE, str(height), codec, str(model))
        needs.append([1024 * int(number) for number in done.stdout.split()])
    more = (heights[1] - heights[0]) * 4096  # pixels
    assert needs[1][0] - needs[0][0] < 3 * more  # the whole latent or a float picture is 12 or more
    assert needs[1][1] - needs[0][1] < 7 * more


# --- what Pillow warns of -------------------------------------------------------------------------


def bomb(path: Path, width: int, height: int) -> Path:
    """A picture of one bit a pixel, in a few bytes for each row."""
    Image.new("1", (width, height)).save(path)
    return path


def test_pictures_that_pillow_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bomb(tmp_path / "large.png", 19_000, 9_500)  # 180.5 megapixels
    assert Image.MAX_IMAGE_PIXELS == opening.PILLOWS_LIMIT
    monkeypatch.setattr(pixels, "_from_pillow", lambda image, *_: image.size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixels.load(path) == (19_000, 9_500)
        with path.open("rb") as file:
            assert pixels.load(file) == (19_000, 9_500)
    assert Image.MAX_IMAGE_PIXELS == opening.PILLOWS_LIMIT
    with pytest.raises(Image.DecompressionBombError):  # for everybody else it is as before
        Image.open(path)


def test_pictures_that_no_file_holds(tmp_path: Path) -> None:
    """Refused by their headers; nothing is allocated for them."""
    path = tmp_path / "huge.ppm"
    path.write_bytes(b"P6 65536 16385 255\n" + bytes(64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="65536 x 16385 pixels are more than the"):
            pixels.load(path)


def test_a_limit_that_a_program_has_set_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bomb(tmp_path / "bomb.png", 300, 300)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(InputError, match=r"bomb\.png has more pixels than Pillow opens"):
        pixels.load(path)


def test_opening_in_threads_leaves_pillow_alone(tmp_path: Path) -> None:
    path = bomb(tmp_path / "large.png", 10_000, 9_000)
    seen, stop = set(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.add(Image.MAX_IMAGE_PIXELS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(50):
        opening.open_picture(path, "large.png").close()
    stop.set()
    watcher.join()
    assert seen == {opening.PILLOWS_LIMIT}


# --- regions --------------------------------------------------------------------------------------

REGIONS = [
    (0, 0, 1700, 1300),
    (0, 0, 1, 1),
    (1699, 1299, 1, 1),
    (500, 500, 512, 512),
    (511, 3, 2, 1200),
    (17, 1290, 1600, 10),
    (1000, 0, 700, 600),
]


@pytest.mark.parametrize(
    ("codec", "model"),
    [("autoencoder", TINY), ("autoencoder", None), ("vqvae", TINY_VQVAE)],
    ids=["tiny", "shipped", "tiny-vqvae"],
)
def test_a_region_is_the_crop_of_the_whole(
    codec: str, model: Path | None, picture: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiling, "WHOLE", 50 * 50)  # some of the regions take several tiles
    monkeypatch.setattr(tiling, "GROUP", 1)
    height, width = (1300, 1700) if model else (560, 700)
    data = api.compress(picture[:height, :width], codec, 40, threads=1, model=model)
    whole = np.asarray(api.decompress(data, threads=1, model=model))
    for x, y, w, h in REGIONS:
        x, y = min(x, width - 1), min(y, height - 1)
        w, h = min(w, width - x), min(h, height - y)
        part = np.asarray(api.decompress(data, (x, y, w, h), threads=1, model=model))
        assert part.shape == (h, w, 3)
        assert differ(part, whole[y : y + h, x : x + w]) <= 1


def test_regions_of_grey_pictures_with_alpha_and_metadata(photo: Path) -> None:
    image = Image.open(photo).convert("LA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.info["exif"] = b"Exif\0\0MM\0*\0\0\0\x08\0\0"
    data = api.compress(image, model=TINY)
    whole, part = api.decompress(data, model=TINY), api.decompress(data, (5, 7, 20, 9), model=TINY)
    assert (part.mode, part.size) == ("LA", (20, 9))
    assert part.info["exif"] == whole.info["exif"]
    wanted = np.asarray(whole.crop((5, 7, 25, 16)))
    assert np.array_equal(np.asarray(part)[..., 1], wanted[..., 1])
    assert differ(np.asarray(part), wanted) <= 1


def test_a_region_of_a_large_picture_takes_a_tenth_of_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Segments decoded and positions synthesised, in a picture of 100 megapixels."""
    width, height = 12_000, 8_400
    autoencoder, runtime = Autoencoder.open(TINY), Runtime("cpu", 1)
    rows, columns = -(-height // 16), -(-width // 16)
    decoded, positions = [], []

    def decode_segment(data: bytes, h: int, w: int, model: EntropyModel) -> NDArray[np.float32]:
        decoded.append(data)
        return np.zeros((model.channels, h, w), np.float32)

    run = EntropyModel.run

    def counted(self: EntropyModel, role: str, **feeds: NDArray) -> list[NDArray]:
        positions.append(feeds["y"].shape[2] * feeds["y"].shape[3])
        return run(self, role, **feeds)

    monkeypatch.setattr(codec_module, "decode_segment", decode_segment)
    monkeypatch.setattr(EntropyModel, "run", counted)
    segments = [b"%d" % n for n in range(autoencoder.segment_count((width, height)))]
    for region in ((0, 0, 512, 512), (5001, 4001, 512, 512), (11_488, 7_888, 512, 512)):
        decoded.clear()
        positions.clear()
        autoencoder.decode(segments, (width, height), 5000, runtime, region)
        assert [int(data) for data in decoded] == autoencoder.segments_of((width, height), region)
        assert 1 <= len(decoded) < len(segments) / 10
        assert sum(positions) < rows * columns / 10


@pytest.mark.parametrize(("codec", "model"), [("autoencoder", TINY), ("vqvae", TINY_VQVAE)])
def test_damage_elsewhere_does_not_matter(codec: str, model: Path, picture: NDArray) -> None:
    data = api.compress(picture, codec, 20, model=model)
    header, _, segments = container.read(data)
    place = data.index(segments[-1])
    damaged = bytearray(data)
    damaged[place + 10] ^= 1
    part = api.decompress(bytes(damaged), (0, 0, 300, 300), model=model)
    whole = np.asarray(api.decompress(data, model=model))
    assert differ(np.asarray(part), whole[:300, :300]) <= 1
    with pytest.raises(FormatError):
        api.decompress(bytes(damaged), (header.width - 9, header.height - 9, 9, 9), model=model)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((0, 0, 0, 5), "is not inside the picture, which has 96 x 64 pixels"),
        ((-1, 0, 5, 5), "is not inside"),
        ((90, 0, 7, 5), "The region 90,0,7,5 is not inside"),
        ((0, 60, 5, 5), "is not inside"),
        ((0, 0, 5), "four whole numbers"),
        ((0, 0, 5, 5.5), "four whole numbers"),
        ("0,0,5,5", "four whole numbers"),
        (5, "four whole numbers"),
    ],
)
def test_regions_that_there_are_not(photo: Path, region, message: str) -> None:
    data = api.compress(photo, model=TINY)
    with pytest.raises(InputError, match=message):
        api.decompress(data, region, model=TINY)


def test_regions_on_the_command_line(photo: Path, tmp_path: Path) -> None:
    packed, part = tmp_path / "photo.gnc", tmp_path / "part.png"
    packed.write_bytes(api.compress(photo))
    run = CliRunner().invoke
    done = run(main, ["decompress", str(packed), "-o", str(part), "--region", "8,4,32,16"])
    assert done.exit_code == 0, done.output
    with Image.open(part) as image:
        assert image.size == (32, 16)
    done = run(main, ["decompress", str(packed), "-o", str(part), "-f", "--region", "80,0,32,16"])
    assert done.exit_code == 1
    assert "The region 80,0,32,16 is not inside the picture" in done.output
    for wrong in ("1,2,3", "a,b,c,d", "1,2,3,4,5"):
        done = run(main, ["decompress", str(packed), "-o", str(part), "-f", "--region", wrong])
        assert done.exit_code == 2
        assert "not four whole numbers" in done.output
