"""What the commands share on the terminal: options, messages, progress, JSON, exit codes."""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from .failures import fail_on_error, needs_training, one_line, sentence
from .files import VERBOSITY, Job

if TYPE_CHECKING:
    from ..codec.comparison.text import Table

__all__ = [
    "Progress",
    "fail_on_error",
    "format_option",
    "json_option",
    "model_option",
    "needs_training",
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
]

# A bar is shown from this many seconds on: shorter work is over before anyone reads it.
LONG_WORK = 1.0
PLAIN_LINES = 5.0  # seconds between lines where there is no bar

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
    "--model", metavar="FILE", help="Use this model file instead of an installed one."
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
    metavar="OUT|DIR",
    help="Output file or folder; - is stdout. A folder of inputs needs a folder.",
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


def _verbosity() -> int:
    context = click.get_current_context(silent=True)
    return 0 if context is None else context.meta.get(VERBOSITY, 0)


def _is_quiet() -> bool:
    return _verbosity() < 0


def talk_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--quiet`` and ``-v``, which `Progress`, `warn`, `say` and `run_jobs` obey."""
    return verbose_option(quiet_option(command))


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that runs networks and writes files."""
    shared = (json_option, force_option, model_option, threads_option, device_option)
    for option in shared:
        command = option(command)
    return talk_options(command)


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
    if not _is_quiet():
        click.echo(f"Warning: {one_line(text)}", err=True)


def say(text: str) -> None:
    """Prints a line on stdout, unless ``--quiet`` was given."""
    if not _is_quiet():
        click.echo(text)


def tell(text: str) -> None:
    """Prints a line on stderr where ``-v`` was given."""
    if _verbosity() > 0:
        click.echo(text, err=True)


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
            if line and (_verbosity() > 0 or (progress.on_terminal and not progress.shown)):
                click.echo(line, err=True)
            results.append(result)
            progress.advance()
    return failed


class Progress:
    """How far long work is, on stderr, only where that is a terminal and the work proves long.

    A bar with the time left; on a terminal that cannot go back in a line (``TERM=dumb``, or none)
    a line every few seconds.

    Arguments:
        total: how many steps there are.
        counted: whether a person counts them; else the share is shown.
    """

    def __init__(self, total: int, counted: bool = True) -> None:
        self.total, self.counted = total, counted
        self.detail = ""
        self.on_terminal = sys.stderr is not None and sys.stderr.isatty() and not _is_quiet()
        self.plain = os.environ.get("TERM", "") in ("", "dumb") and os.name != "nt"
        self.done = 0
        self.start = self.told = time.monotonic()
        self._bar: Any = None

    @property
    def shown(self) -> bool:
        return self._bar is not None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def clear(self) -> None:
        """Wipes the bar's line so that a message can stand there; the next step draws it again."""
        if self._bar is not None:
            click.echo("\r\033[K", nl=False, err=True)

    def share(self, done: float, detail: str = "") -> None:
        """Goes to a share of the whole, from 0 to 1; never back.

        Arguments:
            detail: what else is shown beside it.
        """
        self.detail = detail
        if (more := int(done * self.total) - self.done) > 0:
            self.advance(more)

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        now = time.monotonic()
        if not self.on_terminal or now - self.start < LONG_WORK:
            return
        if self.plain:
            if self.done < self.total and now - self.told > PLAIN_LINES:
                self.told = now
                left = (now - self.start) * (self.total - self.done) / max(self.done, 1)
                part = f"{self.done} of {self.total}"
                if not self.counted:
                    part = f"{100 * self.done / self.total:.0f} %"
                parts = (self.detail, part, f"about {_duration(left)} left")
                click.echo(", ".join(filter(None, parts)), err=True)
        elif self._bar is not None:
            self._bar.update(steps, self.detail)
        elif self.done < self.total:
            self._bar = click.progressbar(
                length=self.total,
                show_pos=self.counted,
                item_show_func=_shown,
                file=sys.stderr,
            )
            self._bar.update(self.done, self.detail)


def _shown(detail: Any) -> str | None:
    return detail


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"
