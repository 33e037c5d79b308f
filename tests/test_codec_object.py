"""`gencodec.Codec`: the same bytes as `compress`, from any thread, process or batch."""

import io
import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec import Codec
from gencodec.codec import api

GOLDEN = Path(__file__).parent / "golden"
TINY = {path.parent.name[:-2]: path for path in GOLDEN.glob("*-1/*-decoder.onnx")}
each_codec = pytest.mark.parametrize("name", api.CODECS)


def made(name: str, **settings: Any) -> Codec:
    """A codec with its tiny model."""
    return Codec(name, 40, model=TINY.get(name), **settings)


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    """Of two sizes, grey and with alpha among them."""
    with Image.open(Path(__file__).parent / "data" / "cat.jpg") as image:
        cat = np.asarray(image)
    cut = [np.ascontiguousarray(cat[y : y + 32, 150 : 150 + 40 + y % 2 * 9]) for y in range(80, 85)]
    return [*cut, cut[0][..., 0], np.dstack([cut[1], cut[1][..., 0]])]


def same(image: Image.Image, other: Image.Image) -> bool:
    return image.mode == other.mode and image.tobytes() == other.tobytes()


@each_codec
def test_it_does_what_the_functions_do(name: str, pictures: list[NDArray[np.uint8]]) -> None:
    codec = made(name, threads=1)
    for picture in pictures:
        data = codec.encode(picture)
        assert data == api.compress(picture, name, 40, threads=1, model=TINY.get(name))
        decoded = codec.decode(data)
        assert same(decoded, api.decompress(data, threads=1, model=TINY.get(name)))
        assert np.asarray(decoded).shape == picture.shape
        part = codec.decode(data, (3, 5, 20, 10))
        assert same(part, api.decompress(data, (3, 5, 20, 10), model=TINY.get(name)))


def test_any_object_reads_any_file(pictures: list[NDArray[np.uint8]]) -> None:
    data = Codec("graphics", 10).encode(pictures[0])
    for other in (Codec(), Codec("flow", lossless=True), Codec("vqvae", 3)):
        assert np.array_equal(np.asarray(other.decode(io.BytesIO(data))), pictures[0])


@each_codec
@pytest.mark.parametrize("threads", [1, 2, None])
def test_a_batch_is_what_one_by_one_is(
    name: str, threads: int | None, pictures: list[NDArray[np.uint8]]
) -> None:
    codec = made(name, threads=threads)
    files = codec.encode_batch(iter(pictures))
    assert files == [codec.encode(picture) for picture in pictures]
    for one, other in zip(codec.decode_batch(iter(files)), map(codec.decode, files), strict=True):
        assert same(one, other)
    assert codec.encode_batch([]) == codec.decode_batch([]) == []


def test_a_batch_with_a_bad_picture_is_an_error(pictures: list[NDArray[np.uint8]]) -> None:
    codec = Codec("graphics")
    with pytest.raises(gencodec.InputError, match=r"missing\.png does not exist"):
        codec.encode_batch([*pictures, "missing.png"])
    with pytest.raises(gencodec.FormatError, match="The file is empty"):
        codec.decode_batch([codec.encode(pictures[0]), b""])


def test_notes_are_warnings_of_the_line_that_asked() -> None:
    codec = Codec("graphics")
    deep = Image.new("I;16", (8, 8), 4000)
    for call in (lambda: codec.encode(deep), lambda: codec.encode_batch([deep])):
        with pytest.warns(gencodec.GencodecWarning, match="16-bit") as found:
            call()
        assert found[0].filename == __file__


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quality": 101}, "quality must be a number from 0 to 100, not 101"),
        ({"codec": "jpeg"}, "There is no codec 'jpeg'"),
        ({"codec": "vqvae", "lossless": True}, "vqvae cannot compress losslessly"),
        ({"codec": "graphics", "denoise": True}, "not kept losslessly"),
        ({"codec": "flow", "tune": "visual"}, "flow has no model tuned for visual"),
        ({"tune": "ms-ssim"}, "There is no tune 'ms-ssim'"),
        ({"target_bpp": 1, "quality": 3}, "Give a quality or a target, not both"),
        ({"target_bpp": 1, "target_psnr": 30}, "Give one of"),
        ({"device": "tpu"}, "There is no device 'tpu'"),
        ({"threads": 0}, "threads must be a whole number"),
        ({"model": "missing.onnx"}, r"missing\.onnx cannot be read"),
    ],
)
def test_wrong_settings_are_told_when_it_is_made(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gencodec.GencodecError, match=message):
        Codec(**settings)


def test_it_is_plain_and_does_not_change() -> None:
    codec = Codec("flow", 30, threads=2)
    assert codec == Codec(codec="flow", quality=30, threads=2) != Codec("flow", 31, threads=2)
    assert len({codec, Codec("flow", 30, threads=2)}) == 1
    with pytest.raises(AttributeError):
        codec.quality = 3  # pyright: ignore[reportAttributeAccessIssue]


@each_codec
def test_sessions_stay_behind(name: str, pictures: list[NDArray[np.uint8]]) -> None:
    codec = made(name)
    data = codec.encode(pictures[0])
    pickled = pickle.dumps(codec)
    assert len(pickled) < 600
    assert pickle.loads(pickled) == codec
    assert pickle.loads(pickled).encode(pictures[0]) == data


@each_codec
def test_eight_threads_on_one_object(name: str, pictures: list[NDArray[np.uint8]]) -> None:
    codec = made(name, threads=2)
    wanted = [codec.encode(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(codec.encode, pictures * 2))
        back = list(pool.map(codec.decode, found))
    assert found == wanted * 2
    assert all(same(*pair) for pair in zip(back, back[: len(pictures)] * 2, strict=True))


def test_spawned_workers(pictures: list[NDArray[np.uint8]]) -> None:
    codecs = [made(name, threads=1) for name in api.CODECS]
    wanted = [codec.encode(pictures[0]) for codec in codecs]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(codec.encode, pictures[0]) for codec in codecs]
        assert [each.result(120) for each in found] == wanted


FORK = """
import multiprocessing, sys, warnings
import numpy as np
import gencodec

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
x = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
codecs = [gencodec.Codec(name, threads=2, model=model or None)
          for name, model in zip(sys.argv[1::2], sys.argv[2::2], strict=True)]
files = [codec.encode_batch([x, x]) for codec in codecs]
with multiprocessing.get_context("fork").Pool(2) as pool:
    jobs = [pool.apply_async(codec.encode_batch, ([x, x],)) for codec in codecs]
    assert [job.get(60) for job in jobs] == files
    jobs = [pool.apply_async(codec.decode, (some[0],)) for codec, some in zip(codecs, files)]
    for job, codec, some in zip(jobs, codecs, files, strict=True):
        assert np.array_equal(np.asarray(job.get(60)), np.asarray(codec.decode(some[0])))
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_children_after_use(fresh_python: Callable[..., CompletedProcess[str]]) -> None:
    arguments = [part for name in api.CODECS for part in (name, str(TINY.get(name, "")))]
    assert fresh_python(FORK, *arguments).stdout == "done\n"
