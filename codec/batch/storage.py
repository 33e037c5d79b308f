"""Folders to read from and write to: local ones, and whatever fsspec knows by a URL.

Names are relative to the folder, with "/" between their parts. A file is written whole or not at
all: locally through a temporary file beside it, elsewhere by one `pipe_file`, which the stores
that fsspec speaks to (S3, Google Cloud, Azure, memory) do as a single put.
"""

import io
import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from ..errors import InputError
from .plan import walk

__all__ = [
    "Folder",
    "LocalFolder",
    "RemoteFolder",
    "mode_like",
    "open_folder",
    "replace_whole",
    "times_of",
]

SCRATCH = re.compile(r"\.gencodec-[0-9a-f]{12}\.tmp")
Times = tuple[int, int]  # access and change, in nanoseconds


class Folder(Protocol):
    """What a worker and a manifest need of a folder."""

    url: str
    in_this_process: bool  # whether no other sees what is in it

    def exists(self) -> bool:
        """Whether the folder is there."""
        ...

    def names(self) -> list[str]:
        """All files below it, sorted, hidden ones left out."""
        ...

    def sizes(self) -> dict[str, int]:
        """Bytes of all files below it, by name; leaves of runs that were killed are removed."""
        ...

    def source(self, name: str) -> Path | io.BytesIO:
        """A file as something to read."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""
        ...

    def write(self, name: str, data: bytes, force: bool, like: Path | None = None) -> None:
        """Writes a file whole or not at all.

        Arguments:
            force: replace a file that is there; else it is a FileExistsError.
            like: a file whose times the new one gets; locally only.
        """
        ...


def open_folder(url: str) -> Folder:
    """A folder by its path or URL (``file://``, ``s3://``, ``memory://``, ...).

    Raises:
        InputError: fsspec, or its part for this kind of URL, is missing or does not know it.
    """
    kind, found, path = url.partition("://")
    if not found:
        return LocalFolder(url)
    if kind == "file":
        if sys.platform == "win32":
            path = path.lstrip("/")
        return LocalFolder(path)
    return RemoteFolder(url)


class LocalFolder:
    """A folder of this machine's file system."""

    def __init__(self, path: str) -> None:
        self.url = path
        self.in_this_process = False
        self.path = Path(path)

    def exists(self) -> bool:
        return self.path.is_dir()

    def names(self) -> list[str]:
        return [path.relative_to(self.path).as_posix() for path in walk(self.path)]

    def sizes(self) -> dict[str, int]:
        found = {}
        for root, _, files in os.walk(self.path):
            for name in files:
                path = Path(root, name)
                with suppress(OSError):
                    if SCRATCH.fullmatch(name):
                        path.unlink()
                    else:
                        found[path.relative_to(self.path).as_posix()] = path.stat().st_size
        return found

    def source(self, name: str) -> Path:
        return self.path / name

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def size(self, name: str) -> int | None:
        try:
            return (self.path / name).stat().st_size
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes, force: bool, like: Path | None = None) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(target, data, force, mode_like(like), times_of(like))


class RemoteFolder:
    """A folder of a file system of fsspec."""

    def __init__(self, url: str) -> None:
        kind = url.partition("://")[0]
        try:
            import fsspec

            self._files, root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"{url} cannot be opened ({error}); for s3:// install gencodec with its extra "
                "'s3', for others fsspec and what it names for this kind of URL."
            ) from error
        self.url = url
        self.in_this_process = kind == "memory"
        self._root = root.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _found(self) -> dict[str, int]:
        try:
            found: dict[str, dict[str, Any]] = self._files.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        start = len(self._root) + 1
        return {path[start:]: about.get("size") or 0 for path, about in found.items()}

    def exists(self) -> bool:
        return self._files.isdir(self._root)

    def names(self) -> list[str]:
        self._files.invalidate_cache()
        parts = {name: PurePosixPath(name).parts for name in self._found()}
        return sorted(
            (name for name, path in parts.items() if not any(p[0] == "." for p in path)),
            key=lambda name: (parts[name][:-1], name),
        )

    def sizes(self) -> dict[str, int]:
        self._files.invalidate_cache()
        return self._found()

    def source(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.read(name))

    def read(self, name: str) -> bytes:
        return self._files.cat_file(self._path(name))

    def size(self, name: str) -> int | None:
        try:
            return self._files.info(self._path(name)).get("size") or 0
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes, force: bool, like: Path | None = None) -> None:
        path = self._path(name)
        if not force and self._files.exists(path):
            raise FileExistsError(path)
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(path, data)


def mode_like(source: Path | None) -> int:
    """Who may read and write a new file: nobody who may not its source, but always its owner."""
    mode = 0o666
    if source is not None:
        with suppress(OSError):
            if stat.S_ISREG(found := os.stat(source).st_mode):
                mode &= found | 0o600
    return mode


def times_of(source: Path | None) -> Times | None:
    """When a file was read and changed last; None where that cannot be told."""
    if source is not None:
        with suppress(OSError):
            found = os.stat(source)
            if stat.S_ISREG(found.st_mode):
                return found.st_atime_ns, found.st_mtime_ns
    return None


def replace_whole(
    target: Path, data: bytes, force: bool, mode: int = 0o666, times: Times | None = None
) -> None:
    """Writes a file through a temporary one, so that a reader sees the old or the whole new one.

    Arguments:
        force: replace a file that is there, and keep who may read it.
        mode: of a new file, before the process's umask.
        times: that the file gets, instead of now.

    Raises:
        FileExistsError: the file is there, and not ``force``.
    """
    scratch = target.parent / f".gencodec-{os.urandom(6).hex()}.tmp"
    try:
        with open(scratch, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as stream:
            stream.write(data)
            if force:  # the old file goes away: the new one must have reached the disk by then
                stream.flush()
                os.fsync(stream.fileno())
        if times is not None:
            with suppress(OSError):
                os.utime(scratch, ns=times)
        if force:
            with suppress(OSError):
                scratch.chmod(target.stat().st_mode & 0o7777)
            os.replace(scratch, target)
        else:
            _rename_to_new(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)


def _rename_to_new(scratch: Path, target: Path) -> None:
    """Renames only where nothing stands, even if it came to stand there a moment ago."""
    try:
        os.link(scratch, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError from None
        os.replace(scratch, target)
