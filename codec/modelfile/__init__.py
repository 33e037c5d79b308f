"""The contract between training, which writes model files, and the runtime, which reads them.

A model file is one valid ONNX file (opset 18, IR version 10 or less) that holds several networks
side by side, called *roles*: every node, value and weight of a role is named ``role/...``. The
runtime takes a role out as an ONNX model of its own, by the bytes, without the onnx library, and
hands it to a session. Weights named ``tables/...`` belong to no network: integer tables
(frequencies, offsets) that the runtime reads as arrays.

What describes the model is JSON under one metadata key, `KEY`:

    format      int, 1
    scheme      "autoencoder", "flow", "vqvae" or "denoiser"
    part        "encoder" or "decoder"; "denoiser" where there is one file
    roles       list of names
    exact       {role: [layer, ...]}: the integer convolutions of each exact role, each a dict of
                weight, bias (names of weights in this file), input_max, shift and bound; a role
                here that is not among the roles is a network that the scheme evaluates itself,
                from tables
    settings    what the scheme's runtime needs to know, see below
    card        where the weights come from (for people; not interpreted)

Settings of a decoder, by scheme; each may also have ``network``, the sizes that it was trained with
(they belong to training; the runtime does not look at them):

    autoencoder  y, z (channels), z_max, z_priors, residual_max, gain_levels, quality_map, halo,
                 skipped (the last row that is not coded), rdo_lambda
    flow         levels, kinds (sets of networks), gain_levels, gain_top (the step of the last gain
                 level), steps_per_octave, colour_offset, detail_max, quality_map, decoder_only
    vqvae        levels, depth, halo

and of an encoder: decoder (the digest of its decoder), halo; of vqvae's levels and rdo_lambda
(a number a level) too. Tables: autoencoder ``{y,z}_{low,size,freq}`` and ``prior_index_freq``; flow
``low size freq step row_offset threshold``; vqvae ``codevectors tanh sigmoid exp`` and
``priorN.*``. Networks that depend on the quality have an input ``mix``, the weights of the gain
levels. Older files have other names for some of these: `RENAMED`. Both are read; new files carry
the new ones.

The *digest* of a model is the first 8 bytes of the SHA-256 of the whole file. A compressed file
names the digest of its decoder.

An exact role works on integers held in float32. It is exact, in any order of summation, while
all partial sums stay below 2**24 (`MAX_EXACT_INT`). The bound proven at export stands beside each
layer; loading computes it again from the weights and refuses the model if they differ or it is
reached.

References:
    ONNX's onnx.proto3 (field numbers), Protocol Buffers encoding (wire types 0, 1, 2, 5).
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from . import contents
from .protobuf import fields, tag, varint, varints

__all__ = ["KEY", "MAX_EXACT_INT", "RENAMED", "ModelFile", "digest", "exact_bound"]

KEY = "gencodec"
MAX_EXACT_INT = 2**24  # float32 holds every integer up to here
LARGEST = 64 * 2**20  # bytes; no model of ours comes near

ABOUT = {"format", "scheme", "part", "roles", "exact", "settings", "card"}

# Old name -> new name: of entries of the description, of its settings (``network`` included), and
# of tables. It goes once no shipped or golden model needs it.
RENAMED = {
    "side": "part",
    "alone": "decoder_only",
    "bank": "prior_index_freq",
    "banks": "z_priors",
    "bit_fade": "rdo_lambda_decay",
    "bit_worth": "rdo_lambda",
    "colour_place": "colour_offset",
    "ladder": "quality_map",
    "mix_top": "gain_top",
    "octave": "steps_per_octave",
    "quiet": "skipped",
    "rungs": "gain_levels",
}

# ModelProto and GraphProto, the fields that are looked at.
MODEL_GRAPH, MODEL_METADATA = 7, 14
GRAPH_INITIALIZER = 5
GRAPH_NAMED = {1: 3, 5: 8, 11: 1, 12: 1, 13: 1}  # field -> field of its own that is its name
TENSOR_TYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 10: "<f2"}


def digest(data: bytes) -> bytes:
    """The 8 bytes that name a model: the start of the SHA-256 of its file."""
    return hashlib.sha256(data).digest()[:8]


@dataclass(frozen=True)
class ModelFile:
    """A model file in memory, checked when made.

    Raises:
        ModelError: not a model file of gencodec, damaged, or a bound that does not hold.
    """

    data: bytes
    name: str  # of the file, for messages

    def __post_init__(self) -> None:
        _ = self.about, self._split  # parse now, so that errors come at loading
        for role, layers in self.about.get("exact", {}).items():
            for layer in layers:
                self._check_bound(role, layer)

    @classmethod
    def load(cls, path: str | Path, shipped: bool = False) -> "ModelFile":
        """Reads ``path``; a ModelError names it if that fails.

        Arguments:
            shipped: it came with this package, whose tests have looked at its `contents`.
        """
        path = Path(path)
        try:
            if path.stat().st_size > LARGEST:
                raise ModelError(f"{path} is too large to be a model of gencodec.")
            file = cls(path.read_bytes(), path.name)
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"The model file {path} cannot be read: {reason}.") from error
        if not shipped:
            file.check_contents()
        return file

    def check_contents(self) -> None:
        """ModelError for a file with anything in it that a model of gencodec does not need."""
        try:
            contents.check(self.data, KEY)
        except (IndexError, ValueError, TypeError) as error:
            raise self._wrong(str(error)) from error
        if unknown := sorted(self.about.keys() - ABOUT):
            raise self._wrong(f"its description has unknown metadata ({', '.join(unknown)})")

    @cached_property
    def digest(self) -> bytes:
        """The 8 bytes that name this model."""
        return digest(self.data)

    @cached_property
    def about(self) -> dict:
        """The JSON description, under the new names."""
        for number, value in self._fields(self.data):
            if number == MODEL_METADATA:
                pair = dict(self._fields(value))
                if pair.get(1) == KEY.encode():
                    try:
                        about = json.loads(pair[2])
                    except (KeyError, ValueError) as error:
                        raise self._wrong("its description is damaged") from error
                    if not isinstance(about, dict) or about.get("format") != 1:
                        raise self._wrong("it is of a later format; install a newer gencodec")
                    return _renamed(about)
        raise self._wrong("it holds no description of gencodec")

    @property
    def scheme(self) -> str:
        return self.about["scheme"]

    @property
    def part(self) -> str:
        """ "encoder" or "decoder"; the scheme's name where one file is all there is."""
        return self.about["part"]

    @property
    def settings(self) -> dict:
        return self.about["settings"]

    def role(self, name: str) -> bytes:
        """One role as an ONNX model of its own."""
        head, graph = self._split
        if name not in self.about["roles"]:
            raise self._wrong(f"it has no network {name!r}")
        parts = [raw for owner, raw in graph if owner in (name, "")]
        body = b"".join(parts)
        return head + tag(MODEL_GRAPH, 2) + varint(len(body)) + body

    def table(self, name: str) -> NDArray:
        """The integer or float table ``tables/name``."""
        old = next((o for o, new in RENAMED.items() if new == name), name)
        if f"tables/{old}" in self.weights:
            return self.weight(f"tables/{old}")
        return self.weight(f"tables/{name}")

    def weight(self, name: str) -> NDArray:
        """A stored weight by its full name."""
        found = self.weights.get(name)
        if found is None:
            raise self._wrong(f"it lacks the table {name!r}")
        dims: list[int] = []
        kind, raw = 0, b""
        for number, value in self._fields(found):
            if number == 1 and isinstance(value, int):
                dims.append(value)
            elif number == 1:  # packed
                dims.extend(varints(value))
            elif number == 2:
                kind = value
            elif number == 9:
                raw = value
        try:
            return np.frombuffer(raw, TENSOR_TYPES[kind]).reshape(dims)
        except (KeyError, ValueError) as error:
            raise self._wrong(f"its table {name!r} is damaged") from error

    @cached_property
    def _split(self) -> tuple[bytes, list[tuple[str, bytes]]]:
        """The model's own fields, and the graph's, each with the role that owns it."""
        head, graph = b"", []
        for number, value, raw in self._raw_fields(self.data):
            if number == MODEL_GRAPH:
                for inner, content, piece in self._raw_fields(value):
                    owner = ""
                    if inner in GRAPH_NAMED:
                        title = dict(self._fields(content)).get(GRAPH_NAMED[inner], b"")
                        owner = title.decode("utf-8", "replace").partition("/")[0] or "?"
                    graph.append((owner, piece))
            elif number != MODEL_METADATA:
                head += raw
        return head, graph

    @cached_property
    def weights(self) -> dict[str, bytes]:
        """Every stored weight as it stands in the file (a TensorProto), by full name."""
        weights = {}
        for number, value in self._fields(self.data):
            if number == MODEL_GRAPH:
                for inner, content in self._fields(value):
                    if inner == GRAPH_INITIALIZER:
                        title = dict(self._fields(content)).get(8, b"")
                        weights[title.decode("utf-8", "replace")] = content
        return weights

    def _check_bound(self, role: str, layer: dict) -> None:
        weight = self.weight(layer["weight"]).astype(np.int64)
        bias = self.weight(layer["bias"]).astype(np.int64)
        largest = exact_bound(weight, bias, layer["input_max"], layer["shift"])
        if largest != layer["bound"] or largest >= MAX_EXACT_INT:
            raise self._wrong(f"the exactness bound of its network {role!r} does not hold")

    def _fields(self, data: bytes) -> list[tuple]:
        return [(number, value) for number, value, _ in self._raw_fields(data)]

    def _raw_fields(self, data: bytes) -> list[tuple]:
        try:
            return list(fields(data))
        except (IndexError, ValueError, TypeError) as error:
            raise self._wrong("it is not an ONNX file, or damaged") from error

    def _wrong(self, why: str) -> ModelError:
        return ModelError(f"{self.name} cannot be used as a model: {why}.")


def exact_bound(weight: NDArray, bias: NDArray, input_max: int, shift: int) -> int:
    """The largest absolute value of any partial sum of an integer convolution.

    Arguments:
        weight: int64 ``(cout, cin, kh, kw)``; bias: int64 ``(gain levels, cout)``.
        input_max: largest absolute input; shift: the sum is rounded by adding ``2**(shift-1)``.
    """
    sums = np.abs(weight).sum(axis=(1, 2, 3)) * input_max + np.abs(bias).max(axis=0)
    mixing = int(np.abs(bias).max()) * 256 + 128  # the weights of the levels sum to 256
    return max(int(sums.max()) + 2 ** (shift - 1), mixing)


def _renamed(about: dict) -> dict:
    """A description under the new names: its own entries, and those of its settings."""
    about = {RENAMED.get(name, name): value for name, value in about.items()}
    if isinstance(about.get("settings"), dict):
        about["settings"] = _renamed_settings(about["settings"])
    return about


def _renamed_settings(settings: dict) -> dict:
    return {
        RENAMED.get(name, name): _renamed_settings(value) if isinstance(value, dict) else value
        for name, value in settings.items()
    }
