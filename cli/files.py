"""Which file becomes which, decided before any work, and writing that never loses anything.

`plan` turns what the user typed into a list of jobs: default outputs (``photo.jpg`` ->
``photo.gnc`` -> ``photo.png``), ``-`` for stdin and stdout, folders whose tree is mirrored, and the
refusals that are wrong usage. Reading and writing are in `streams`.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ..codec.batch.plan import (
    MANIFEST,
    PICTURE_SUFFIXES,
    both_become,
    clashing,
    is_wanted,
    nothing_to_do,
    renamed,
    walk,
)

__all__ = [
    "PICTURE_SUFFIXES",
    "VERBOSITY",
    "Job",
    "Patterns",
    "exists_already",
    "gather",
    "output",
    "outputs",
    "plan",
    "tell_skipped",
    "verbosity",
]

VERBOSITY = "gencodec.verbosity"  # in click's `meta`: -1 quiet, 0, 1 verbose
Patterns = tuple[Sequence[str], Sequence[str]]  # of names to include, and to exclude
STDOUT_NAMES = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def verbosity() -> int:
    """What the user wants to read: -1 errors alone, 1 what was done with each file."""
    context = click.get_current_context(silent=True)
    return 0 if context is None else context.meta.get(VERBOSITY, 0)


@dataclass(frozen=True)
class Job:
    """One input and its output.

    Attributes:
        source: the file to read; None is stdin.
        target: the file to write; None is stdout, or nothing for commands that only read.
        to_stdout: whether the result is written to stdout.
        in_folder: whether the target lies in a folder of outputs, which is made where missing.
        found: whether the source was found in a folder that was named.
        problem: why there is nothing to do, found while planning; it is this job's error.
        skipped: the output is there, and such jobs were to be left out.
    """

    source: Path | None
    target: Path | None = None
    to_stdout: bool = False
    in_folder: bool = False
    found: bool = False
    problem: Exception | None = None
    skipped: bool = False

    @property
    def name(self) -> str:
        return "standard input" if self.source is None else click.format_filename(self.source)

    @property
    def target_name(self) -> str:
        return "-" if self.target is None else click.format_filename(self.target)


def plan(
    inputs: Sequence[str],
    output: str | None,
    *,
    picks: Iterable[str],
    suffix: str,
    output_suffixes: Iterable[str],
    force: bool,
    tag: str = "",
    keep_suffix: bool = False,
    skip_existing: bool = False,
    patterns: Patterns = ((), ()),
) -> list[Job]:
    """Decides where each input goes.

    Arguments:
        inputs: files, folders, or a single ``-``.
        output: a file, a folder, ``-``, or None for a file beside the input.
        picks: the suffixes taken from a folder, lower case with their dot.
        suffix: the suffix of outputs that are not named, with its dot.
        output_suffixes: suffixes that make a new ``-o`` a file's name rather than a folder's.
        force: whether an existing output may be overwritten.
        tag: goes between the name and the suffix of outputs that are not named.
        keep_suffix: outputs that are not named keep the suffix of their input before their own.
        skip_existing: jobs whose output exists are done already.
        patterns: of what is taken from a folder, and of what is left there.

    Returns: at least one job, in the order of the inputs, folders sorted.

    Raises:
        click.UsageError: two inputs for one output, a folder without ``-o DIR``, an output that
            is also an input, ``-`` beside other inputs, binary data for a terminal.
    """

    def rename(path: Path) -> Path:
        """What a path becomes where the output is not named."""
        return renamed(path, suffix, tag, keep_suffix)

    if output == "" or "" in inputs:
        raise click.UsageError("A file's name is empty; is a variable of the script not set?")
    sources = [None if text == "-" else Path(text) for text in inputs]
    if output in STDOUT_NAMES:  # by its other names: a pipe has no place for a temporary file
        output = "-"
    if None in sources and len(sources) > 1:
        raise click.UsageError("'-' (standard input) must be the only input.")
    has_folder = any(source is not None and os.path.isdir(source) for source in sources)
    if output == "-" or (output is None and sources == [None]):
        if has_folder or len(sources) > 1:
            raise click.UsageError("Several inputs cannot go to standard output; give -o DIR.")
        if sys.stdout is not None and sys.stdout.isatty():
            raise click.UsageError("Binary data would go to the terminal; give -o FILE.")
        return [Job(sources[0], to_stdout=True)]
    if output is None:
        if has_folder:
            raise click.UsageError("A folder of inputs needs a folder for the outputs: -o DIR.")
        jobs = [Job(source, rename(source)) for source in sources if source]
    elif _is_folder(output, len(sources) > 1 or has_folder, frozenset(output_suffixes)):
        if sources == [None]:
            raise click.UsageError("Standard input needs a file for its output: -o FILE.")
        jobs = list(_into_folder(sources, Path(output), frozenset(picks), rename, patterns))
    else:
        jobs = [Job(sources[0], Path(output))]
    jobs = [_refuse_long_name(job) for job in _refuse_collisions(jobs, frozenset(sources))]
    if skip_existing:
        jobs = [replace(job, skipped=_is_there(job)) for job in jobs]
    return jobs if force or skip_existing else [_refuse_existing(job) for job in jobs]


def gather(inputs: Sequence[str], picks: frozenset[str] = PICTURE_SUFFIXES) -> list[Job]:
    """The files that were named, and all in the folders that were: to be read, not converted.

    Raises:
        click.UsageError: ``-`` more than once.
    """
    if inputs.count("-") > 1:
        raise click.UsageError("'-' (standard input) can be given once.")
    jobs: list[Job] = []
    for text in inputs:
        source = None if text == "-" else Path(text)
        if source is None or not os.path.isdir(source):
            jobs.append(Job(source))
            continue
        found = _picked(source, picks)
        jobs += [Job(path) for path in found] or [_empty_folder(source, picks)]
    return jobs


def output(path: str, force: bool) -> Job:
    """A single output, refused before the work where it could not be written after it.

    Raises:
        OutputError: the file exists and `force` is not set, or its folder does not.
    """
    from ..codec.errors import OutputError

    job = Job(None, Path(path))
    if not force and (problem := _refuse_existing(job).problem):
        raise problem
    if not os.path.isdir(os.path.dirname(path) or os.curdir):
        raise OutputError(f"{job.target_name} cannot be written: its folder does not exist.")
    return job


def outputs(folder: str, names: Sequence[str], force: bool) -> list[Job]:
    """Outputs in a folder, which is made where missing; refused before the work, as by `output`.

    Raises:
        OutputError: a file exists and `force` is not set, or the folder is a file.
    """
    from ..codec.errors import OutputError

    jobs = [Job(None, Path(folder) / name, in_folder=True) for name in names]
    for job in jobs:
        if not force and (problem := _refuse_existing(job).problem):
            raise problem
    if Path(folder).exists() and not Path(folder).is_dir():
        raise OutputError(f"{folder} is no folder; name one with -o DIR.")
    return jobs


def _is_folder(output: str, several: bool, output_suffixes: frozenset[str]) -> bool:
    """Whether ``-o`` names a folder; refuses a file for several inputs."""
    path = Path(output)
    if os.path.isdir(path) or output.endswith(("/", os.sep)):
        return True
    if not several:
        return False
    if os.path.lexists(path) or path.suffix.lower() in output_suffixes:
        raise click.UsageError(f"Two inputs for one output: {output} is not a folder.")
    return True


def _into_folder(
    sources: Sequence[Path | None],
    folder: Path,
    picks: frozenset[str],
    rename: Callable[[Path], Path],
    patterns: Patterns,
) -> Iterator[Job]:
    for source in sources:
        if source is None:
            continue
        if not os.path.isdir(source):
            yield Job(source, folder / rename(source).name, in_folder=True)
            continue
        found = _picked(source, picks, patterns)
        for path in found:
            target = folder / rename(path.relative_to(source))
            yield Job(path, target, in_folder=True, found=True)
        if not found:
            yield _empty_folder(source, picks)


def _picked(folder: Path, picks: frozenset[str], patterns: Patterns = ((), ())) -> list[Path]:
    """The files of a folder with these suffixes; a warning names those that are skipped."""
    found, skipped = [], []
    for path in walk(folder):
        name = path.relative_to(folder).as_posix()
        if is_wanted(name, *patterns):
            (found if path.suffix.lower() in picks else skipped).append(path)
    if found:
        tell_skipped(str(folder), [str(path.relative_to(folder)) for path in skipped])
    return found


def tell_skipped(folder: str, skipped: Sequence[str]) -> None:
    """Warns of files of a folder that are left out for their suffixes."""
    skipped = [name for name in skipped if name != MANIFEST]  # a batch's own, which is no picture
    if not skipped or verbosity() < 0:
        return
    names = ", ".join(map(click.format_filename, skipped[:5]))
    more = f" and {len(skipped) - 5:,} more" if len(skipped) > 5 else ""
    click.echo(
        f"Warning: {click.format_filename(folder)}: skipped {names}{more} for their "
        "suffixes; name a file to have it tried.",
        err=True,
    )


def _empty_folder(source: Path, picks: frozenset[str]) -> Job:
    from ..codec.errors import InputError

    job = Job(source)
    return Job(source, problem=InputError(nothing_to_do(job.name, picks)))


def _refuse_collisions(jobs: Sequence[Job], named: frozenset[Path | None]) -> list[Job]:
    """Jobs whose outputs are their own; those found in a folder that share one become problems.

    Arguments:
        named: the inputs that the user named; among these two for one output are wrong usage.
    """
    from ..codec.errors import OutputError

    inputs = {_identity(job.source) for job in jobs if job.source}
    keyed = [(job, _identity(job.target)) for job in jobs if job.target is not None]
    problems: dict[Job, Exception] = {}
    for other, job in clashing(keyed):
        both = both_become(other.name, job.name, job.target_name)
        if job.source in named and other.source in named:
            raise click.UsageError(
                f"Two inputs for one output: {both}; rename one, or compress them apart."
            )
        problem = OutputError(f"{both}; rename one, or give --keep-suffix where there is one.")
        problems[job] = problems[other] = problem
    for job, key in keyed:
        if key in inputs:
            raise click.UsageError(
                f"{job.target_name} is an input and would be overwritten; give another -o."
            )
    return [replace(job, problem=problems.get(job, job.problem)) for job in jobs]


def _identity(path: Path) -> str:
    with suppress(OSError):  # a relative path where the working folder was deleted
        path = Path(os.path.realpath(path))
    return os.path.normcase(path)


def _refuse_existing(job: Job) -> Job:
    return replace(job, problem=exists_already(job)) if _is_there(job) else job


def _is_there(job: Job) -> bool:
    return job.target is not None and job.problem is None and os.path.isfile(job.target)


def _refuse_long_name(job: Job) -> Job:
    """Before the work, what could not be written after it."""
    from ..codec.errors import OutputError

    try:
        if job.target is not None and job.problem is None:
            os.stat(job.target)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            problem = OutputError(
                f"{job.target_name} cannot be written: the name is too long; give another with -o."
            )
            return replace(job, problem=problem)
    return job


def exists_already(job: Job) -> Exception:
    """The error of a job whose output is there, which is not overwritten unasked."""
    from ..codec.errors import OutputError

    return OutputError(f"{job.target_name} exists already; overwrite it with -f.")
