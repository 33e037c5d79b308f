"""The manifest of a folder of outputs: a line of JSON for each input that was worked on.

It is the truth of what was done. A line is appended when its output stands; a run that is killed
leaves at most its last line torn, which is dropped when the run is resumed, together with the lines
of inputs that failed, since these are tried again.

    {"input": "a/b.jpg", "output": "a/b.gnc", "bytes": 5120, "bpp": 0.41, "seconds": 0.07,
     "error": null, "notes": [], "settings": "1f6b3a90"}
"""

import dataclasses
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import BinaryIO, Protocol

from ..errors import InputError
from . import plan
from .storage import Folder, LocalFolder, replace_whole

fcntl: ModuleType | None = None
with suppress(ImportError):  # not on Windows
    import fcntl

__all__ = ["NAME", "Manifest", "Record", "line", "read"]

NAME = plan.MANIFEST
FLUSHED = 10.0  # seconds, at least, between two writes of a manifest that cannot be appended to
SHARE = 20  # and so many times what the last one took


@dataclass(frozen=True)
class Record:
    """What became of one input.

    Attributes:
        input, output: names in their folders.
        bytes: of the output; None where there is none.
        bpp: bits of the output for a pixel.
        seconds: that it took.
        error: a sentence on why there is no output, or None.
        notes: sentences on what was converted or left out.
        settings: names the operation and its options, see `operations.settings_of`.
    """

    input: str
    output: str
    bytes: int | None = None
    bpp: float | None = None
    seconds: float = 0.0
    error: str | None = None
    notes: tuple[str, ...] = ()
    settings: str = ""


def line(record: Record) -> bytes:
    """A record as a line of the manifest."""
    # json escapes whatever is not ASCII, undecodable names included
    return json.dumps(dataclasses.asdict(record)).encode() + b"\n"


def read(data: bytes) -> dict[str, Record]:
    """The last record of each input; what is torn or no record is left out.

    >>> list(read(line(Record("a.jpg", "a.gnc", 5)) + b'{"input": "b.j'))
    ['a.jpg']
    """
    names = {field.name for field in dataclasses.fields(Record)}
    records = {}
    for text in data.split(b"\n")[:-1]:
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            values = json.loads(text)
            values["notes"] = tuple(values.get("notes", ()))
            record = Record(**{name: values[name] for name in names & values.keys()})
            records[record.input] = record
    return records


class Log(Protocol):
    """Where lines go."""

    def append(self, text: bytes) -> None: ...
    def close(self) -> None: ...


class Manifest:
    """The manifest of a run, open for its records.

    Arguments:
        folder: of the outputs.
        settings: of this run.
        resume: go on with the manifest that is there, if any.
        force: what was there, or was made with other settings, is done again.

    Attributes:
        done: records of earlier runs whose inputs need not be worked on again.

    Raises:
        InputError: there is a manifest and neither ``resume`` nor ``force``, or one of other
            settings, or another run writes it.
    """

    def __init__(self, folder: Folder, settings: str, resume: bool, force: bool) -> None:
        self.place = f"{folder.url.rstrip('/')}/{NAME}"
        exists = folder.size(NAME) is not None
        if exists and not (resume or force):
            raise InputError(f"{self.place} exists: continue with --resume, or start over with -f.")
        lock = _lock(folder, self.place) if exists else None
        try:
            records = read(folder.read(NAME)) if exists and resume else {}
            kept = {name: record for name, record in records.items() if record.error is None}
            if not force and any(record.settings != settings for record in kept.values()):
                raise InputError(
                    f"{self.place} was begun with other options; give those, or do everything "
                    "again with -f."
                )
            if exists or resume:
                # What runs that were killed left behind goes, and outputs that went are made again.
                sizes = folder.sizes()
                kept = {
                    name: record
                    for name, record in kept.items()
                    if record.settings == settings and sizes.get(record.output) == record.bytes
                }
            self.done = kept
            start = b"".join(line(record) for record in kept.values())
            self._log: Log
            if isinstance(folder, LocalFolder):
                folder.path.mkdir(parents=True, exist_ok=True)
                replace_whole(folder.path / NAME, start, force=True)
                self._log = _Appended(folder, self.place)
            else:
                self._log = _Rewritten(folder, start)
        finally:
            if lock is not None:
                lock.close()

    def append(self, record: Record) -> None:
        """Writes down what became of an input."""
        self._log.append(line(record))

    def close(self) -> None:
        """Ends the manifest; it can be resumed."""
        self._log.close()


def _lock(folder: Folder, place: str) -> BinaryIO | None:
    """The manifest, open for appending and locked until it is closed or this process ends.

    None where nothing can be locked: in stores, and on Windows, where an open file could not be
    replaced either.
    """
    if not isinstance(folder, LocalFolder) or fcntl is None:
        return None
    stream = open(folder.path / NAME, "ab")  # noqa: SIM115 (it stays open)
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.close()
        raise InputError(
            f"{place} is being written by another run; wait for it, or end it."
        ) from error
    return stream


class _Appended:
    """A local manifest: one write a line, which a kill may tear but never mixes."""

    def __init__(self, folder: LocalFolder, place: str) -> None:
        self._stream = _lock(folder, place) or open(folder.path / NAME, "ab")  # noqa: SIM115

    def append(self, text: bytes) -> None:
        self._stream.write(text)
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()


class _Rewritten:
    """A manifest in a store that cannot append: written anew every now and then, and at the end.

    Outputs whose lines a kill has cost are found when the run is resumed.
    """

    def __init__(self, folder: Folder, start: bytes) -> None:
        self._folder, self._text = folder, bytearray(start)
        self._next = 0.0

    def append(self, text: bytes) -> None:
        self._text += text
        if time.monotonic() >= self._next:
            self._flush()

    def _flush(self) -> None:
        start = time.monotonic()
        self._folder.write(NAME, bytes(self._text), force=True)
        now = time.monotonic()
        self._next = now + max(FLUSHED, SHARE * (now - start))

    def close(self) -> None:
        self._flush()
