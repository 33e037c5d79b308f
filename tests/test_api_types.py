"""The public functions say what they take and give, to people and to type checkers."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import gencodec
from gencodec.codec import api, metrics

POSITIONAL = {
    "Codec": "codec quality",
    "compress": "image codec quality lossless device threads tune",
    "decompress": "data region device threads",
    "denoise": "image sigma strength device threads",
    "info": "data",
}


def names_of(module: ModuleType) -> list[tuple[ModuleType, str]]:
    return [(module, name) for name in module.__all__]


def has_any(annotation: object) -> bool:
    """Whether `Any` is in an annotation; the shape of an array, which is never written, may be."""
    if annotation is typing.Any:
        return True
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is np.ndarray:
        parts = parts[1:]
    return any(has_any(part) for part in _flat(parts))


def _flat(parts: tuple[object, ...]) -> Iterator[object]:
    for part in parts:  # of a Callable the arguments are a list
        yield from part if isinstance(part, list) else [part]


def functions_of(value: object) -> Iterator[Callable[..., object]]:
    """A function with its overloads, or what a class writes itself of its public methods."""
    if inspect.isclass(value):
        for name, member in vars(value).items():
            member = member.fget if isinstance(member, property) else member
            if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
                yield member
    elif inspect.isfunction(value):
        yield value
        yield from typing.get_overloads(value)


def faults(function: Callable[..., object]) -> list[str]:
    hints = typing.get_type_hints(function)
    parameters = [name for name in inspect.signature(function).parameters if name != "self"]
    return [name for name in [*parameters, "return"] if name not in hints or has_any(hints[name])]


@pytest.mark.parametrize(
    ("module", "name"), names_of(gencodec) + names_of(api) + names_of(metrics), ids=str
)
def test_every_public_signature_is_typed(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    for function in functions_of(value):
        assert faults(function) == [], function
    if inspect.isclass(value):
        fields = typing.get_type_hints(value)
        assert not [field for field in fields if has_any(fields[field])]


def test_the_check_finds_what_is_missing() -> None:
    def untyped(a, b: int) -> None: ...
    def vague(a: list[typing.Any], b: Callable[[typing.Any], int]) -> None: ...
    def silent(a: int): ...

    assert faults(untyped) == ["a"]
    assert faults(vague) == ["a", "b"]
    assert faults(silent) == ["return"]


def test_a_lazy_name_is_typed_as_well() -> None:
    assert faults(gencodec.__getattr__) == []


@pytest.mark.parametrize("name", POSITIONAL)
def test_the_order_of_positional_arguments_stays(name: str) -> None:
    parameters = inspect.signature(getattr(gencodec, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == POSITIONAL[name].split()


def test_compress_says_what_it_takes() -> None:
    """Its parameters are written once, with `compress_detailed`."""
    ours, source = (inspect.signature(f) for f in (api.compress, api.compress_detailed))
    assert list(ours.parameters.items()) == list(source.parameters.items())
    assert ours.return_annotation is bytes
    assert api.compress.__doc__ and "Arguments:" in api.compress.__doc__


def test_a_codec_takes_what_compress_takes() -> None:
    codec, function = (inspect.signature(f).parameters for f in (gencodec.Codec, api.compress))
    assert sorted(codec) == sorted(set(function) - {"image"})
    for name, parameter in codec.items():
        assert parameter.default == function[name].default
        assert parameter.annotation == function[name].annotation


@pytest.mark.parametrize("folder", ["codec", "cli", "training"])
def test_nothing_is_hidden_from_the_type_checker(root: Path, folder: str) -> None:
    for path in (root / folder).rglob("*.py"):
        assert not re.search(r"#\s*(type|pyright):", path.read_text("utf-8")), path
