"""The plugin for numcodecs, and zarr arrays that are stored with it."""

import json
import pickle
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.codec.plugins.numcodecs import Gencodec, Settings


@pytest.fixture(scope="module")
def stack() -> NDArray[np.uint8]:
    """Three pictures, ``(3, 40, 56, 3)``."""
    with Image.open(Path(__file__).parent / "data" / "cat.jpg") as image:
        cat = np.asarray(image)
    return np.stack([cat[y : y + 40, 150:206] for y in (60, 90, 120)])


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((40, 56), "L"),
        ((1, 40, 56), "L"),
        ((2, 40, 56), "L"),
        ((40, 56, 3), "RGB"),
        ((40, 56, 4), "RGBA"),
        ((1, 1, 40, 56, 3), "RGB"),
        ((3, 40, 56, 4), "RGBA"),
        ((7, 1), "L"),
    ],
)
@pytest.mark.parametrize("settings", [{"codec": "graphics"}, {"codec": "flow", "lossless": True}])
def test_chunks_of_any_shape_come_back(
    shape: tuple[int, ...], mode: str, settings: dict[str, Any]
) -> None:
    chunk = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    codec = Gencodec(**settings)
    data = codec.encode(chunk)
    assert gencodec.decompress(data).mode == mode
    assert codec.decode(data).tobytes() == chunk.tobytes()
    out = np.zeros(shape, np.uint8)
    assert codec.decode(memoryview(data), out) is out
    assert np.array_equal(out, chunk)


def test_chunks_not_in_c_order(stack: NDArray[np.uint8]) -> None:
    turned = stack[0].transpose(1, 0, 2)
    codec = Gencodec("graphics")
    assert np.array_equal(codec.decode(codec.encode(turned)), turned)


@pytest.mark.parametrize("chunk", [np.zeros((8, 8), np.uint16), np.zeros(8, np.uint8), b"bytes"])
def test_what_is_no_picture_is_refused(chunk: object) -> None:
    with pytest.raises(gencodec.InputError, match="holds no pictures; gencodec takes uint8"):
        Gencodec().encode(chunk)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({}, {}),
        ({"codec": "flow", "quality": 70}, {"codec": "flow", "quality": 70}),
        ({"lossless": True, "threads": 2, "device": "cpu"}, {"lossless": True}),
        ({"tune": "visual", "quality": 50}, {"tune": "visual"}),
    ],
)
def test_its_config_says_what_the_data_depend_on(
    settings: dict[str, Any], config: Settings
) -> None:
    codec = Gencodec(**settings)
    assert codec.get_config() == {"id": "gencodec", **config}
    for other in (
        numcodecs.get_codec(json.loads(json.dumps(codec.get_config()))),
        Gencodec.from_config(config),
        pickle.loads(pickle.dumps(codec)),
        eval(repr(codec)),
    ):
        assert isinstance(other, Gencodec)
        assert other == codec
    assert codec != Gencodec("vqvae")


def test_wrong_settings_are_told_when_it_is_made() -> None:
    with pytest.raises(gencodec.InputError, match="quality must be a number"):
        numcodecs.get_codec({"id": "gencodec", "quality": 101})


def test_the_entry_point_names_it(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    target = project["entry-points"]["numcodecs.codecs"][Gencodec.codec_id]
    module, _, name = target.partition(":")
    assert getattr(import_module(module), name) is Gencodec


def test_an_array_of_zarr_round_trips(tmp_path: Path, stack: NDArray[np.uint8]) -> None:
    path = tmp_path / "exact.zarr"
    array = zarr.create_array(
        path,
        shape=stack.shape,
        chunks=(1, 40, 56, 3),
        dtype="uint8",
        zarr_format=2,
        compressors=Gencodec(lossless=True),
    )
    array[:] = stack
    kept = json.loads((path / ".zarray").read_text("utf-8"))["compressor"]
    assert kept == {"id": "gencodec", "lossless": True}
    again = zarr.open_array(path, mode="r")
    assert np.array_equal(np.asarray(again[:]), stack)
    assert np.array_equal(np.asarray(again[1, 3:9, 5:30]), stack[1, 3:9, 5:30])
    chunk = (path / "2.0.0.0").read_bytes()  # a file like any other
    assert np.array_equal(np.asarray(gencodec.decompress(chunk)), stack[2])


def test_an_array_of_zarr_is_smaller_where_it_need_not_be_exact(
    tmp_path: Path, stack: NDArray[np.uint8]
) -> None:
    array = zarr.create_array(
        tmp_path / "lossy.zarr",
        shape=(3, 40, 56),
        chunks=(1, 40, 40),  # the last of each row reaches beyond the array
        dtype="uint8",
        zarr_format=2,
        compressors=Gencodec("autoencoder", 60, threads=1),
    )
    array[:] = stack[..., 1]
    found = np.asarray(zarr.open_array(tmp_path / "lossy.zarr", mode="r")[:])
    gap = found.astype(float) - stack[..., 1]
    assert 0 < np.sqrt((gap * gap).mean()) < 12
    assert array.nbytes_stored() < stack[..., 1].size / 2
