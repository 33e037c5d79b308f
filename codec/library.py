"""Finds models: by path, among the shipped ones, or by the digest that a file names.

``pretrained/models.json`` is the only look-up: for each scheme its default model, and for each
decoder ever released its file. A decoder that was in a release stays there for ever. Decoders of
one's own are found by their digest in the folder that the environment variable ``GENCODEC_MODELS``
names.
"""

import json
import os
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from os import PathLike
from pathlib import Path

from numpy.typing import NDArray

from .errors import InputError, ModelError
from .modelfile import ModelFile, digest
from .session import Runtime, Session

__all__ = [
    "TUNES",
    "Model",
    "check_tune",
    "decoder_for",
    "default_pair",
    "default_single",
    "load",
    "shipped",
]

TUNES = "psnr", "visual"  # what a model can be trained to be good at; the first is the default
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
FOLDER = "GENCODEC_MODELS"
SESSIONS_KEPT = 4  # runtimes whose sessions a model keeps; a server uses one or two


@dataclass(eq=False)
class Model:
    """A model file with its sessions, which are opened when first used and then kept.

    One is made a file and process, and it is equal to itself alone.
    """

    file: ModelFile
    path: Path
    _sessions: dict[Runtime, dict[str, Session]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        _opened.add(self)

    @property
    def title(self) -> str:
        """For example ``autoencoder-3f9a12c4``."""
        return f"{self.file.scheme}-{self.file.digest.hex()[:8]}"

    def run(self, role: str, runtime: Runtime, **feeds: NDArray) -> list[NDArray]:
        """Runs one of the model's networks."""
        with self._lock:  # or two threads would open the same session
            kept = self._sessions.get(runtime)
            if kept is None:
                while len(self._sessions) >= SESSIONS_KEPT:
                    self._sessions.pop(next(iter(self._sessions)))
                kept = self._sessions[runtime] = {}
            session = kept.get(role)
            if session is None:
                exact = role in self.file.about.get("exact", {})
                session = kept[role] = Session(self.file.role(role), runtime, exact)
        return session.run(**feeds)

    def forget_sessions(self) -> None:
        """In a forked child, which has none of the threads of its parent's sessions."""
        self._lock = threading.Lock()
        for kept in self._sessions.values():
            for session in kept.values():
                session.abandon()
        self._sessions = {}


_opened: weakref.WeakSet[Model] = weakref.WeakSet()


def _in_child() -> None:
    for model in _opened:
        model.forget_sessions()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


@cache
def _open(path: Path, stamp: tuple[int, int]) -> Model:
    return Model(ModelFile.load(path, shipped=path.parent == PRETRAINED), path)


def load(path: str | PathLike[str]) -> Model:
    """The model in a file; opened once a process as long as the file does not change.

    Raises:
        ModelError: there is no such file, or it is not a model.
    """
    path = Path(path).resolve()
    try:
        stat = path.stat()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror}.") from error
    return _open(path, (stat.st_mtime_ns, stat.st_size))


@cache
def _load_shipped(name: str) -> Model:
    """A file of ``pretrained/``, which is not looked for again: it does not change."""
    return load(PRETRAINED / name)


@cache
def shipped() -> dict[str, dict]:
    """The table of shipped models: scheme -> {default, encoder, decoders}; the denoiser: {file}.

    A scheme with models that are tuned otherwise has ``tuned``: tune -> {default, encoder}.
    """
    table = PRETRAINED / "models.json"
    try:
        return json.loads(table.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{table} is missing or damaged; install gencodec again.") from error


def check_tune(scheme: str, tune: str | None) -> None:
    """InputError for an unknown ``tune``, or one that no shipped model of a scheme is made for."""
    if tune is None or tune == TUNES[0]:
        return
    if tune not in TUNES:
        raise InputError(f"There is no tune {tune!r}; choose from: {', '.join(TUNES)}.")
    if tune not in shipped().get(scheme, {}).get("tuned", {}):
        raise InputError(f"The codec {scheme} has no model tuned for {tune}; leave out tune.")


def default_pair(
    scheme: str, path: str | PathLike[str] | None = None, tune: str | None = None
) -> tuple[Model, Model]:
    """Encoder and decoder that belong together: the shipped ones, or those of ``path``.

    Arguments:
        path: either file of a pair that `gencodec export` wrote into one folder.
        tune: one of `TUNES`, for the shipped pair that was trained for it.

    Raises:
        InputError: an unknown ``tune``, one that no shipped pair of the scheme was trained for,
            or both arguments.
        ModelError: there is no such model, or the pair does not belong together.
    """
    if path is not None and tune in TUNES:
        raise InputError("A model file is tuned as it was trained; leave out tune, or the model.")
    check_tune(scheme, tune)
    if path is None:
        entry = shipped().get(scheme)
        if entry is None:
            raise ModelError(f"This version ships no model for {scheme}; pass --model FILE.")
        chosen = entry if tune in (None, TUNES[0]) else entry["tuned"][tune]
        decoder = _load_shipped(entry["decoders"][chosen["default"]]["file"])
        return _load_shipped(chosen["encoder"]) if "encoder" in chosen else decoder, decoder
    given = load(path)
    if given.file.scheme != scheme:
        raise ModelError(f"{given.path.name} is a model of {given.file.scheme}, not {scheme}.")
    if given.file.settings.get("decoder_only"):  # which has all networks that encoding needs
        return given, given
    part = given.file.part
    other = {"encoder": "decoder", "decoder": "encoder"}[part]
    stem = given.path.name.removesuffix(f"-{part}.onnx")
    twin = given.path.with_name(f"{stem}-{other}.onnx")
    pair = {part: given, other: load(twin)}
    encoder, decoder = pair["encoder"], pair["decoder"]
    if encoder.file.settings.get("decoder") != decoder.file.digest.hex():
        raise ModelError(f"{encoder.path.name} and {decoder.path.name} do not belong together.")
    return encoder, decoder


def default_single(scheme: str, path: str | PathLike[str] | None = None) -> Model:
    """The model of a scheme that has one file only: the shipped one, or the one in ``path``."""
    if path is None:
        entry = shipped().get(scheme)
        if entry is None:
            raise ModelError(
                f"This version ships no model for the {scheme}; pass --model FILE, a "
                f"{scheme}-*.onnx that 'gencodec export' wrote."
            )
        return _load_shipped(entry["file"])
    given = load(path)
    if given.file.scheme != scheme:
        raise ModelError(f"{given.path.name} is a model of {given.file.scheme}, not {scheme}.")
    return given


def decoder_for(scheme: str, wanted: bytes, path: str | PathLike[str] | None = None) -> Model:
    """The decoder of that digest, shipped or in ``path``.

    Raises:
        ModelError: it is not here; the sentence says how to get it.
    """
    title = f"{scheme}-{wanted.hex()[:8]}"
    if path is not None:
        model = load(path)
        if model.file.part == "encoder":
            model = default_pair(scheme, path)[1]
        if model.file.digest != wanted:
            raise ModelError(
                f"The file was written with decoder {title}, but {model.path.name} "
                f"is {model.title}; pass the model that wrote it."
            )
        return model
    entry = shipped().get(scheme, {}).get("decoders", {}).get(wanted.hex())
    if entry is not None:
        return _load_shipped(entry["file"])
    own = _own_decoder(scheme, wanted)
    if own is None:
        raise ModelError(
            f"The file was written with decoder {title}, which this version does not have; "
            f"install a newer gencodec, pass --model FILE, or put it where {FOLDER} says."
        )
    return own


def _own_decoder(scheme: str, wanted: bytes) -> Model | None:
    """The decoder of that digest in the user's own folder, whatever it is called there."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return None
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix == ".onnx"]
    except OSError as error:
        raise ModelError(
            f"{FOLDER} is {folder}, which cannot be read: {error.strerror}."
        ) from error
    likely = wanted.hex()[:8]  # exported files have it in their names
    for path in sorted(paths, key=lambda path: (likely not in path.name, path.name)):
        with suppress(OSError):
            stat = path.stat()
            if _digest(path, (stat.st_mtime_ns, stat.st_size)) == wanted:
                model = load(path)
                if model.file.scheme == scheme and model.file.part != "encoder":
                    return model
    return None


@cache
def _digest(path: Path, stamp: tuple[int, int]) -> bytes:
    return digest(path.read_bytes())
