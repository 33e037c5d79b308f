"""Reading inputs and writing outputs, in a way that never loses anything.

`write` goes through a temporary file beside the target, so that a reader sees the old file or the
whole new one.
"""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from .files import Job, exists_already

__all__ = ["read", "write"]


def read(job: Job) -> bytes:
    """The bytes of a job's input.

    Raises:
        InputError: the file is missing or a folder, or cannot be read.
    """
    from ..codec.errors import InputError

    if job.source is None:
        if sys.stdin is None:
            raise InputError("Standard input is closed; name a file.")
        return sys.stdin.buffer.read()
    try:
        return job.source.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{job.name} does not exist; check its name.") from None
    except IsADirectoryError:
        raise InputError(f"{job.name} is a folder; name the files in it.") from None
    except OSError as error:
        raise InputError(f"{job.name} cannot be read: {error.strerror}.") from error


def write(job: Job, data: bytes, force: bool) -> None:
    """Writes a job's output whole or not at all.

    A folder of outputs is made only now, so that a run that failed leaves none behind.

    Raises:
        OutputError: the file exists and `force` is not set, or its place cannot be written.
    """
    from ..codec.errors import OutputError

    if job.target is None:
        if sys.stdout is None:
            raise OutputError("Standard output is closed; give -o FILE.")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        if os.path.exists(job.target) and not os.path.isfile(job.target):
            job.target.write_bytes(data)  # a device or a pipe: there is nothing to lose
            return
        target = Path(os.path.realpath(job.target))  # through a link, not over it
        if job.in_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data, force, _mode_like(job.source))
    except FileExistsError:
        raise exists_already(job) from None
    except OSError as error:
        raise OutputError(
            f"{job.target_name} cannot be written ({error.strerror}); choose another place with -o."
        ) from error


def _mode_like(source: Path | None) -> int:
    """Who may read and write a new file: nobody who may not its source, but always its owner."""
    mode = 0o666
    if source is not None:
        with suppress(OSError):
            if stat.S_ISREG(found := os.stat(source).st_mode):
                mode &= found | 0o600
    return mode


def _replace(target: Path, data: bytes, force: bool, mode: int) -> None:
    scratch = target.parent / f".gencodec-{os.urandom(6).hex()}.tmp"
    try:
        with open(scratch, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as stream:
            stream.write(data)
            if force:  # the old file goes away: the new one must have reached the disk by then
                stream.flush()
                os.fsync(stream.fileno())
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
