"""A whole batch: plan, manifest and engine together.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "in").mkdir()
    >>> Image.new("RGB", (64, 48)).save(folder / "in" / "a.png")
    >>> batch = Batch(Compress(), str(folder / "in"), "memory://out")
    >>> [(record.output, record.error) for record in batch.run()]
    [('a.gnc', None)]
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..session import available_cores
from . import local_engine, ray_engine
from .manifest import Manifest, Record
from .operations import Compress, Operation, settings_of
from .plan import Task, nothing_to_do, plan
from .storage import Folder, LocalFolder, open_folder
from .worker import Worker

__all__ = ["ENGINES", "Batch", "Compress"]

ENGINES = ("local", "ray")


@dataclass
class Batch:
    """All pictures of a folder, and what is to be done with them.

    Arguments:
        operation: what is done with each.
        source, target: folders, as paths or as URLs that fsspec knows.
        jobs: how many processes work side by side; None for one a core.
        resume: go on with what an earlier run began.
        force: overwrite what is there.
        engine: one of `ENGINES`; ``address`` is that of a Ray cluster.
        include, exclude: patterns, see `plan.is_wanted`.
        preserve_times: outputs get the times of their inputs, where both folders are local.

    Attributes:
        tasks: those that are left to be done.
        done: how many are done already.
        skipped: names that were left out for their suffixes.

    Raises:
        InputError: there is no such folder, nothing in it to do, or a manifest that does not fit.
    """

    operation: Operation
    source: str
    target: str
    jobs: int | None = None
    resume: bool = False
    force: bool = False
    engine: str = "local"
    address: str | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    preserve_times: bool = True
    tasks: list[Task] = field(init=False)
    skipped: list[str] = field(init=False)
    done: int = field(init=False)

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise InputError(f"There is no engine {self.engine!r}; there are {ENGINES}.")
        self.operation.check()
        source, target = open_folder(self.source), open_folder(self.target)
        if not source.exists():
            raise InputError(f"{self.source} is no folder; name one with pictures in it.")
        self._here = source.in_this_process or target.in_this_process
        if self._here and self.engine == "ray":
            raise InputError("memory:// is seen by one process alone; leave out --engine ray.")
        names = _without(source.names(), _inside(source, target))
        operation = self.operation
        tasks, self.skipped = plan(
            names,
            operation.picks,
            operation.suffix,
            operation.tag,
            operation.keep_suffix,
            self.include,
            self.exclude,
        )
        if not tasks:
            raise InputError(nothing_to_do(self.source, operation.picks))
        self._target = target
        self.manifest = Manifest(target, settings_of(operation), self.resume, self.force)
        known = self.manifest.done
        self.tasks = [
            task
            for task in tasks
            if task.input not in known or known[task.input].output != task.output
        ]
        self.done = len(tasks) - len(self.tasks)

    def run(self) -> Generator[Record]:
        """Does the tasks; each record is yielded once its line stands in the manifest."""
        worker = Worker(
            self.operation,
            self.source,
            self.target,
            self.force,
            self.resume,
            self.preserve_times,
        )
        records: Generator[Record]
        if self._here or not self.tasks:
            records = (worker(task) for task in self.tasks)
        elif self.engine == "ray":
            records = ray_engine.run(worker, self.tasks, self.jobs, self.address)
        else:
            cores = max(1, available_cores() // (self.operation.threads or 1))
            records = local_engine.run(worker, self.tasks, self.jobs or cores)
        try:
            with closing(records):
                for record in records:
                    self.manifest.append(record)
                    yield record
        finally:
            self.manifest.close()
        # A worker of a run that was killed may have been at work when this one began.
        if self.resume:
            self._target.sizes()


def _inside(source: Folder, target: Folder) -> str:
    """Where in the source the target lies: what is there is no input. "" where it does not."""
    if isinstance(source, LocalFolder) and isinstance(target, LocalFolder):
        one, other = Path(source.path).resolve(), Path(target.path).resolve()
        return other.relative_to(one).as_posix() if one in other.parents else ""
    one, other = source.url.rstrip("/") + "/", target.url.rstrip("/") + "/"
    return other[len(one) : -1] if other.startswith(one) and other != one else ""


def _without(names: list[str], inside: str) -> list[str]:
    return [name for name in names if not inside or not name.startswith(f"{inside}/")]
