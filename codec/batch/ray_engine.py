"""Runs workers on Ray Data: on the cores of this machine, or on a cluster by its address.

Each actor loads its model once. What they give back, errors included, are the columns of a data
set; the manifest is written here, so that it is the truth on this engine too.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..session import available_cores
from .manifest import Record, line, read
from .plan import Task
from .worker import Worker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["run"]

BLOCKS = 8  # for each actor, at least: pictures differ in size
LARGEST = 16  # tasks of a block, whose records arrive together


def run(
    worker: Worker, tasks: Sequence[Task], jobs: int | None, address: str | None = None
) -> Generator[Record]:
    """The records of tasks, as their blocks are done.

    Arguments:
        jobs: how many actors work side by side, each on a core; None for one a core.
        address: of a Ray cluster; None for ``RAY_ADDRESS``, and without it for this machine.

    Raises:
        InputError: Ray is not installed, or there is no cluster.
    """
    ray, data = _imported()
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address, jobs)
    try:
        if jobs is None:
            jobs = max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = data.DataContext.get_current()
        before = context.max_errored_blocks, context.enable_progress_bars
        context.max_errored_blocks, context.enable_progress_bars = -1, False
        try:
            yield from _records(data, worker, tasks, min(jobs, len(tasks)))
        finally:
            context.max_errored_blocks, context.enable_progress_bars = before
    finally:
        if ours:
            ray.shutdown()


def _imported() -> tuple[Any, Any]:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"--engine ray needs {error.name}: install gencodec with its extra 'ray'."
        ) from error
    return ray, ray.data


def _connect(ray: Any, address: str | None, jobs: int | None) -> None:
    address = address or os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        cores = jobs or available_cores()
        options |= {"num_cpus": cores, "include_dashboard": False}
    try:
        ray.init(address=address, **options)
    except Exception as error:  # Ray raises plain ones, as where its start takes too long
        where = f"connect to {address}" if address else "start on this machine"
        raise InputError(f"Ray cannot {where}: {error}") from error


def _records(data: Any, worker: Worker, tasks: Sequence[Task], jobs: int) -> Iterator[Record]:
    size = max(1, min(LARGEST, len(tasks) // (jobs * BLOCKS)))
    rows = data.from_items(
        [{"number": number} for number in range(len(tasks))],
        override_num_blocks=-(-len(tasks) // size),
    )
    done = rows.map_batches(
        Actor,
        fn_constructor_args=(worker, list(tasks)),
        batch_size=None,
        batch_format="numpy",
        compute=data.ActorPoolStrategy(size=jobs),
        num_cpus=1,
    )
    missing = set(range(len(tasks)))
    for row in done.iter_rows():
        missing.discard(int(row["number"]))
        (record,) = read(row["line"]).values()
        yield record
    for number in sorted(missing):
        task = tasks[number]
        text = f"{task.input}: its worker was ended; there may be too little memory."
        yield worker.failed(task, text)


class Actor:
    """What Ray makes once a process, and calls with numbers of tasks."""

    def __init__(self, worker: Worker, tasks: list[Task]) -> None:
        self._worker, self._tasks = worker, tasks

    def __call__(self, batch: "dict[str, NDArray[np.int64]]") -> "dict[str, NDArray]":
        """Columns: the number of a task, its record as a line of the manifest, and its error."""
        import numpy as np

        records = [self._worker(self._tasks[number]) for number in batch["number"]]
        return {
            "number": batch["number"],
            "line": np.array([line(record) for record in records], object),
            "error": np.array([record.error for record in records], object),
        }
