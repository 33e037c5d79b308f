"""The plugin for zarr's format 3."""

import json
import pickle
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.codec.plugins.zarr import NAME, Gencodec


@pytest.fixture(scope="module")
def stack() -> NDArray[np.uint8]:
    """Three pictures, ``(3, 40, 56, 3)``."""
    with Image.open(Path(__file__).parent / "data" / "cat.jpg") as image:
        cat = np.asarray(image)
    return np.stack([cat[y : y + 40, 150:206] for y in (60, 90, 120)])


def stored(
    path: Path, pictures: NDArray[np.uint8], chunks: tuple[int, ...], **settings: Any
) -> zarr.Array[Any]:
    array = zarr.create_array(
        path,
        shape=pictures.shape,
        chunks=chunks,
        dtype="uint8",
        serializer=Gencodec(**settings),
        compressors=None,
    )
    array[:] = pictures
    return array


@pytest.mark.parametrize("settings", [{"codec": "graphics"}, {"lossless": True, "threads": 1}])
def test_an_array_round_trips(
    tmp_path: Path, stack: NDArray[np.uint8], settings: dict[str, Any]
) -> None:
    stored(tmp_path / "exact.zarr", stack, (1, 40, 56, 3), **settings)
    kept = json.loads((tmp_path / "exact.zarr" / "zarr.json").read_text("utf-8"))["codecs"]
    configuration = {name: value for name, value in settings.items() if name != "threads"}
    assert kept == [{"name": "gencodec", "configuration": configuration}]
    again = zarr.open_array(tmp_path / "exact.zarr", mode="r")
    assert np.array_equal(np.asarray(again[:]), stack)
    assert np.array_equal(np.asarray(again[1, 3:9, 5:30]), stack[1, 3:9, 5:30])
    chunk = (tmp_path / "exact.zarr" / "c" / "2" / "0" / "0" / "0").read_bytes()
    assert np.array_equal(np.asarray(gencodec.decompress(chunk)), stack[2])


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((2, 40, 56), (2, 30, 50)), ((40, 56), (40, 56)), ((2, 3, 20, 28, 4), (1, 3, 20, 28, 4))],
)
def test_chunks_of_any_shape_come_back(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    stored(tmp_path / "any.zarr", pictures, chunks, codec="graphics")
    assert np.array_equal(np.asarray(zarr.open_array(tmp_path / "any.zarr")[:]), pictures)


def test_a_lossy_array_is_smaller(tmp_path: Path, stack: NDArray[np.uint8]) -> None:
    array = stored(tmp_path / "lossy.zarr", stack, (1, 40, 56, 3), codec="autoencoder", quality=60)
    gap = np.asarray(array[:]).astype(float) - stack
    assert 0 < np.sqrt((gap * gap).mean()) < 12
    assert array.nbytes_stored() < stack.size / 2


def test_within_shards(tmp_path: Path, stack: NDArray[np.uint8]) -> None:
    array = zarr.create_array(
        tmp_path / "shards.zarr",
        shape=stack.shape,
        chunks=(1, 40, 56, 3),
        shards=(3, 40, 56, 3),
        dtype="uint8",
        serializer=Gencodec("graphics"),
        compressors=None,
    )
    array[:] = stack
    assert np.array_equal(np.asarray(zarr.open_array(tmp_path / "shards.zarr")[1]), stack[1])


@pytest.mark.parametrize(
    ("shape", "dtype"), [((8, 8), "uint16"), ((8,), "uint8"), ((8, 8), "float32")]
)
def test_arrays_of_no_pictures_are_refused_when_they_are_made(
    shape: tuple[int, ...], dtype: str
) -> None:
    with pytest.raises(gencodec.InputError, match="holds no pictures; gencodec takes uint8"):
        zarr.create_array({}, shape=shape, dtype=dtype, serializer=Gencodec(), compressors=None)


def test_chunks_that_are_damaged_or_of_another_array(
    tmp_path: Path, stack: NDArray[np.uint8]
) -> None:
    array = stored(tmp_path / "a.zarr", stack, (1, 40, 56, 3), codec="graphics")
    chunk = tmp_path / "a.zarr" / "c" / "1" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-7])
    with pytest.raises(gencodec.FormatError, match="cut off"):
        array[1]
    chunk.write_bytes(gencodec.compress(stack[1, :20], "graphics"))
    with pytest.raises(gencodec.FormatError, match="3360 samples instead of"):
        array[1]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, {}),
        ({"codec": "flow", "quality": 70}, {"codec": "flow", "quality": 70}),
        ({"lossless": True, "threads": 2, "device": "cpu"}, {"lossless": True}),
    ],
)
def test_its_configuration_says_what_the_data_depend_on(
    settings: dict[str, Any], kept: dict[str, Any]
) -> None:
    codec = Gencodec(**settings)
    assert codec.to_dict() == {"name": NAME, "configuration": kept}
    assert Gencodec.from_dict(codec.to_dict()) == codec == pickle.loads(pickle.dumps(codec))
    assert Gencodec.from_dict({"name": NAME}) == Gencodec() != Gencodec("vqvae")


def test_wrong_settings_are_told_when_it_is_made() -> None:
    with pytest.raises(gencodec.InputError, match="quality must be a number"):
        Gencodec.from_dict({"name": NAME, "configuration": {"quality": 101}})


def test_the_entry_point_names_it(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    target = project["entry-points"]["zarr.codecs"][NAME]
    module, _, name = target.partition(":")
    assert getattr(import_module(module), name) is Gencodec


def test_it_is_found_by_its_name(fresh_python: Callable[..., CompletedProcess[str]]) -> None:
    """In a process that imports zarr alone; where gencodec is installed by its entry point."""
    code = """
import zarr
import gencodec.codec.plugins.zarr
codec = {"name": "gencodec", "configuration": {"codec": "graphics"}}
array = zarr.create_array(
    {}, shape=(8, 8), dtype="uint8", serializer=codec, compressors=None
)
array[:] = 7
print(array[3, 3], type(array.serializer).__name__)
"""
    assert fresh_python(code).stdout == "7 Gencodec\n"
