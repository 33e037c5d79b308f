"""What the commands share on the terminal: options, messages, progress, JSON, exit codes."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..codec.errors import sentence
from .files import VERBOSITY, Job, verbosity
from .progress import Progress

if TYPE_CHECKING:
    from ..codec.comparison.text import Table

__all__ = [
    "PATH",
    "Progress",
    "fail_on_error",
    "folder_options",
    "format_option",
    "json_option",
    "model_option",
    "needs_training",
    "out_folder_option",
    "output_option",
    "prepare_streams",
    "print_json",
    "print_table",
    "print_titled",
    "run_jobs",
    "run_options",
    "say",
    "sentence",
    "show_warning",
    "skip_option",
    "talk_options",
    "tell",
    "warn",
    "warn_of_format",
]

# What shells complete to names of files; what they are is checked when they are read.
PATH = click.Path(readable=False, allow_dash=True)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the networks run; auto takes a GPU where there is one.",
)
force_option = click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
model_option = click.option(
    "--model", type=PATH, metavar="FILE", help="Use this model file instead of an installed one."
)
format_option = click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "jpg", "webp", "avif", "tif"]),
    default="png",
    show_default=True,
    help="Of outputs that -o does not name.",
)
output_option = click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="OUT|DIR",
    help="Output file or folder; - is stdout. A folder of inputs needs a folder.",
)
times_option = click.option(
    "--preserve-times/--no-preserve-times",
    default=None,
    help="Give outputs the times of their inputs; by default those of inputs in folders.",
)
include_option = click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Of folders, take files that match alone: '*.jpg', 'holiday/*'; may be repeated.",
)
exclude_option = click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Of folders, leave files that match."
)
skip_option = click.option(
    "--skip-existing", is_flag=True, help="Leave out inputs whose output is there already."
)
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads; default: all cores."
)


def _remember(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[VERBOSITY] = level

    return callback


quiet_option = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_remember(-1),
    help="Print errors alone, neither warnings nor progress.",
)
verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_remember(1),
    help="Say what was done with each file, on stderr.",
)


def talk_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--quiet`` and ``-v``, which `Progress`, `warn`, `say` and `run_jobs` obey."""
    return verbose_option(quiet_option(command))


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that runs networks and writes files."""
    shared = (json_option, force_option, model_option, threads_option, device_option)
    for option in shared:
        command = option(command)
    return talk_options(command)


def folder_options(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that turns the files of folders into others."""
    for option in (times_option, exclude_option, include_option):
        command = option(command)
    return command


def out_folder_option(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A required ``--out DIR``, for commands that make a folder; ``text`` says what it is for."""
    path = click.Path(path_type=Path)
    return click.option("-o", "--out", required=True, metavar="DIR", type=path, help=text)


def prepare_streams() -> None:
    """Lets everything be printed, and nothing be written where standard streams should be.

    A name that the terminal's encoding lacks is escaped. In place of a stream that was closed
    (``2>&-``) the next file opened would get its number, and what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def warn(text: str) -> None:
    """Prints one line that begins with ``Warning:`` on stderr."""
    if verbosity() >= 0:
        click.echo(f"Warning: {_one_line(text)}", err=True)


def say(text: str) -> None:
    """Prints a line on stdout, unless ``--quiet`` was given."""
    if verbosity() >= 0:
        click.echo(text)


def tell(text: str) -> None:
    """Prints a line on stderr where ``-v`` was given."""
    if verbosity() > 0:
        click.echo(text, err=True)


def warn_of_format(job: Job, notes: Sequence[str]) -> None:
    """Says what the format of an output does not hold."""
    for note in notes:
        warn(f"{'standard output' if job.target is None else job.target_name}: {note}")


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Stands in for `warnings.showwarning`: the text alone, on one line."""
    warn(str(message))


def print_json(value: Any, to_stderr: bool = False) -> None:
    """Prints a JSON text; to stderr where stdout carries a picture or a file."""
    click.echo(json.dumps(value, indent=2, default=str), err=to_stderr)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of texts on stdout in columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_titled(table: "Table") -> None:
    """Prints a table of a comparison with its title and foot, numbers to the right."""
    rows = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    click.echo(table.title)
    print_table(
        [
            [f"  {cells[0]}", *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
            for cells in rows
        ]
    )
    click.echo(f"  {table.foot}\n" if table.foot else "")


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


def run_jobs(
    jobs: Sequence[Job], work: Callable[[Job], dict[str, Any]], as_json: bool = False
) -> None:
    """Does `work` on each job; an error is reported for its file while the others go on.

    Arguments:
        work: does one job and returns what ``--json`` says of it; its key ``"line"``, if any, is
            the line for a person instead, shown where stderr is a terminal.
        as_json: print a JSON list, one object a job, ``{"input": ..., "error": ...}`` for those
            that failed.

    Raises:
        click.exceptions.Exit: with code 1, after the last job, when a job failed.
    """
    results: list[dict[str, Any]] = []
    try:
        failed = _run(jobs, work, results)
    finally:  # of work that was interrupted, what was done is told
        if as_json:
            print_json(results, to_stderr=any(job.to_stdout for job in jobs))
    if failed:
        raise click.exceptions.Exit(1)


def _run(
    jobs: Sequence[Job], work: Callable[[Job], dict[str, Any]], results: list[dict[str, Any]]
) -> bool:
    """Whether a job failed; what is known of each is added to the results."""
    failed = False
    with Progress(len(jobs)) as progress:
        for job in jobs:
            if job.skipped:
                results.append({"input": job.name, "output": job.target_name, "skipped": True})
                progress.advance()
                continue
            try:
                if job.problem is not None:
                    raise job.problem
                result = work(job)
            except Exception as error:
                if (text := sentence(error, job.name)) is None:
                    raise
                failed = True
                progress.clear()
                click.echo(f"Error: {text}", err=True)
                result = {"input": job.name, "error": text}
            line = result.pop("line", None)
            if line and (verbosity() > 0 or (progress.on_terminal and not progress.shown)):
                click.echo(line, err=True)
            results.append(result)
            progress.advance()
    return failed


def _one_line(text: str) -> str:
    return " ".join(text.split())
