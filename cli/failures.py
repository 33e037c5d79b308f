"""Errors on the terminal: one sentence each, whatever was raised."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["fail_on_error", "needs_training", "one_line", "sentence"]


@contextmanager
def fail_on_error(name: str | None = None) -> Iterator[None]:
    """Turns an error of ours, or of the system, into one sentence on stderr and exit code 1.

    Arguments:
        name: the file at work; put before a sentence that does not name it.
    """
    try:
        yield
    except Exception as error:
        if (text := sentence(error, name)) is None:
            raise
        raise click.ClickException(text) from error


@contextmanager
def needs_training(command: str) -> Iterator[None]:
    """Says what to install where torch or compressai is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __name__.partition(".")[0]:
            raise  # a part of gencodec itself is missing: that is a bug
        raise click.ClickException(
            f"gencodec {command} needs {error.name}, which is not installed: install gencodec "
            "with its extra 'train' (compressai can be had for Python 3.11 and 3.12 on Linux "
            "x86-64 and on macOS only)."
        ) from error


def sentence(error: Exception, name: str | None = None) -> str | None:
    """The one line to show for an error, or None for one that is a bug of ours."""
    from ..codec.errors import GencodecError

    if isinstance(error, GencodecError):
        text = str(error)
    elif isinstance(error, BrokenPipeError):
        return None  # click ends quietly when whoever reads our output has gone
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
        if error.filename:
            text = f"{error.filename}: {text}"
    elif isinstance(error, MemoryError):
        text = "there is not enough memory for this picture."
    else:
        return None
    if name is not None and name not in text:
        text = f"{name}: {text}"
    return one_line(text)


def one_line(text: str) -> str:
    """A text on one line, whatever names it holds."""
    return " ".join(text.split())
