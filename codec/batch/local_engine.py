"""Runs workers in processes of this machine.

Each process is started once (by `spawn`, which is the same on every system and safe whatever
threads this process has), loads its model once, and gets one task after another through a pipe. It
ends when this process does, even by a kill: a thread in it waits for just that. A process that is
killed itself, as for want of memory, costs its own picture alone, and another takes its place.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..errors import GencodecError
from .manifest import Record
from .plan import Task
from .worker import Worker

__all__ = ["run"]

PATIENCE = 5.0  # seconds for a process to end by itself


def run(worker: Worker, tasks: Sequence[Task], jobs: int) -> Generator[Record]:
    """The records of tasks, each as it is done.

    Arguments:
        jobs: how many processes work side by side.

    Raises:
        GencodecError: a process ended before it could work at all.
    """
    left = deque(tasks)
    pool = [_Process(worker) for _ in range(min(jobs, len(tasks)))]
    try:
        while left or any(each.task for each in pool):
            connections = {each.connection: each for each in pool}
            for ready in wait(list(connections)):
                process = connections[ready]  # pyright: ignore[reportArgumentType]
                record = process.receive(worker)
                if left and not process.ended:
                    process.send(left.popleft())
                elif process.ended:
                    pool.remove(process)
                    if left:
                        pool.append(_Process(worker))
                if record is not None:
                    yield record
            for process in [each for each in pool if each.ready and each.task is None]:
                if not left:
                    pool.remove(process)
                    process.end()
    finally:
        for process in pool:
            process.end(at_once=True)


class _Process:
    """A process that works, and what it works on."""

    def __init__(self, worker: Worker) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, worker), daemon=True
        )
        self._process.start()
        theirs.close()
        self.ready = self.ended = False
        self.task: Task | None = None

    def send(self, task: Task) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # it has ended, which `receive` will notice
            self.connection.send(task)

    def receive(self, worker: Worker) -> Record | None:
        """The record of the task; None where the process was just made ready, or has none."""
        task, self.task = self.task, None
        try:
            record = self.connection.recv()
        except (EOFError, OSError):
            self.ended = True
            self._process.join()
            code = self._process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self.connection.close()
            if not self.ready:
                raise GencodecError(
                    f"A worker ended before its first picture ({how}); try --jobs 1."
                ) from None
            if task is None:
                return None
            text = f"{task.input}: its worker was ended ({how}); there may be too little memory."
            return worker.failed(task, text)
        self.ready = True
        return record

    def end(self, at_once: bool = False) -> None:
        if at_once:
            self._process.terminate()
        self.connection.close()  # it reads the end of its tasks
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def _serve(connection: "Connection[object, Task]", worker: Worker) -> None:
    """What a process does: tasks in, records out, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is asked too, and ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        connection.send(None)
        while True:
            connection.send(worker(connection.recv()))


def _end_with_parent() -> None:
    """Ends this process when the one that started it has ended, by whatever means."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
