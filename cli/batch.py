"""``gencodec batch``: all pictures of a folder, on all cores or a cluster, begun and resumed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from . import compress, console, decompress, denoise
from .files import tell_skipped, verbosity
from .progress import Progress

__all__ = ["command"]

OPERATIONS = {"compress": compress, "decompress": decompress, "denoise": denoise}
# What those commands have for files that are named one by one, and what batch has itself.
NOT_THEIRS = {"skip_existing", "output", "force", "as_json", "quiet", "verbose"}
NOT_THEIRS |= {"preserve_times", "include", "exclude"}
THEIRS = {
    name: {
        option.name: option
        for option in module.command.params
        if isinstance(option, click.Option) and option.name not in NOT_THEIRS
    }
    for name, module in OPERATIONS.items()
}


class _Batch(click.Command):
    """Takes the options of the operations too, and shows them under the names of these."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._own = [each for each in self.params if isinstance(each, click.Option)]
        self._theirs: dict[str, list[click.Option]] = {}
        for name in {name: None for options in THEIRS.values() for name in options}:
            users = [operation for operation, options in THEIRS.items() if name in options]
            title = "Options of " + ("all" if len(users) == len(THEIRS) else " and ".join(users))
            option = THEIRS[users[0]][name]
            self._theirs.setdefault(title, []).append(option)
            self.params.append(option)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, options in {"Options": self._own, **self._theirs}.items():
            records = [record for each in options if (record := each.get_help_record(ctx))]
            with formatter.section(title):
                formatter.write_dl(records)


@click.command("batch", cls=_Batch)
@click.argument("source", type=console.PATH, metavar="SRC")
@click.argument("target", type=console.PATH, metavar="DST")
@click.option(
    "--op",
    "name",
    type=click.Choice(list(OPERATIONS)),
    default="compress",
    show_default=True,
    help="What is done with each file.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes work side by side; default: one a core, each with --threads 1.",
)
@click.option("--resume", is_flag=True, help="Go on with what an earlier run began.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What the processes run on.",
)
@click.option("--address", metavar="ADDR", help="Of a Ray cluster; default: this machine.")
@console.include_option
@console.exclude_option
@click.option(
    "--preserve-times/--no-preserve-times",
    default=True,
    show_default=True,
    help="Give outputs the times of their inputs.",
)
@console.verbose_option
@console.quiet_option
@console.json_option
@console.force_option
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    target: str,
    name: str,
    jobs: int | None,
    resume: bool,
    engine: str,
    address: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    preserve_times: bool,
    as_json: bool,
    force: bool,
    **options: Any,
) -> None:
    """Do one thing with all pictures in folder SRC; the tree of folder DST mirrors it.

    SRC and DST are folders, or URLs that fsspec knows, such as s3://bucket/photos. What was done is
    in DST/manifest.jsonl, a line a file. A file that fails is told there and on stderr, the others
    go on, and the exit code is 1. A run that was ended, by whatever means, is continued by the same
    command with --resume, which tries again what failed.
    """
    given = {
        option
        for option in options
        if ctx.get_parameter_source(option) is not ParameterSource.DEFAULT
    }
    for option in sorted(given - THEIRS[name].keys()):
        (flag,) = {each[option].opts[-1] for each in THEIRS.values() if option in each}
        raise click.UsageError(f"{flag} is no option of {name}; leave it out, or give --op.")
    if address is not None and engine != "ray":
        raise click.UsageError("--address goes with --engine ray.")
    chosen = {option: options[option] for option in THEIRS[name]}
    chosen["threads"] = chosen["threads"] or 1
    operation = OPERATIONS[name].operation(**chosen)
    if name == "denoise" and Path(source).resolve() == Path(target).resolve():
        raise click.UsageError("What is denoised needs a folder of its own; give another DST.")

    from ..codec.batch.run import Batch

    with console.fail_on_error():
        batch = Batch(
            operation,
            source,
            target,
            jobs=jobs,
            resume=resume,
            force=force,
            engine=engine,
            address=address,
            include=include,
            exclude=exclude,
            preserve_times=preserve_times,
        )
        tell_skipped(source, batch.skipped)
        start, failed, noted, size = time.monotonic(), 0, 0, 0
        with _interruptible(), Progress(len(batch.tasks), "pictures") as progress:
            for record in batch.run():
                failed += record.error is not None
                noted += bool(record.notes)
                size += record.bytes or 0
                if record.error is not None:
                    progress.clear()
                    click.echo(f"Error: {record.error}", err=True)
                elif verbosity() > 0:
                    progress.clear()
                    line = f"{record.input} -> {record.output}: {record.bytes:,} bytes"
                    click.echo(line, err=True)
                progress.advance()
    seconds = time.monotonic() - start
    told = {
        "pictures": batch.done + len(batch.tasks),
        "done": len(batch.tasks) - failed,
        "done_before": batch.done,
        "failed": failed,
        "noted": noted,
        "bytes": size,
        "seconds": round(seconds, 3),
        "manifest": batch.manifest.place,
    }
    if as_json:
        console.print_json(told)
    if verbosity() >= 0 and (failed or noted or progress.on_terminal):
        click.echo(_summary(told), err=True)
    if failed:
        raise click.exceptions.Exit(1)


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nThe same command with --resume goes on from here.", err=True)
        raise


def _summary(told: dict[str, Any]) -> str:
    rate = told["done"] / max(told["seconds"], 1e-9)
    parts = [f"{told['done']:,} done ({rate:.3g} a second)"]
    if told["done_before"]:
        parts.append(f"{told['done_before']:,} were done before")
    if told["failed"]:
        parts.append(f"{told['failed']:,} failed")
    if told["noted"]:
        parts.append(f"{told['noted']:,} were converted in part")
    return f"{', '.join(parts)}; see {told['manifest']}"
