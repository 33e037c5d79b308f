"""Reading inputs and writing outputs, in a way that never loses anything.

`write` goes through a temporary file beside the target, so that a reader sees the old file or the
whole new one.
"""

import os
import sys
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


def write(job: Job, data: bytes, force: bool, preserve_times: bool | None = False) -> None:
    """Writes a job's output whole or not at all.

    A folder of outputs is made only now, so that a run that failed leaves none behind.

    Arguments:
        preserve_times: the output gets the times of the input; None where it was in a folder.

    Raises:
        OutputError: the file exists and `force` is not set, or its place cannot be written.
    """
    from ..codec.batch.storage import mode_like, replace_whole, times_of
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
        kept = job.found if preserve_times is None else preserve_times
        times = times_of(job.source) if kept else None
        replace_whole(target, data, force, mode_like(job.source), times)
    except FileExistsError:
        raise exists_already(job) from None
    except OSError as error:
        raise OutputError(
            f"{job.target_name} cannot be written ({error.strerror}); choose another place with -o."
        ) from error
