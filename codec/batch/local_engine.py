"""Runs workers in processes of this machine.

Each process is an interpreter of its own, whatever threads or files this one has open; it is
started once, loads its models once, and gets one task after another as a line of JSON. It ends when
its tasks do, and so when this process ends, even by a kill. One that is killed itself, as for want
of memory, costs its own picture alone, and another takes its place.
"""

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Sequence

from ..errors import GencodecError
from .manifest import Record, line, read
from .plan import Task
from .worker import Worker

__all__ = ["run", "serve"]

PATIENCE = 5.0  # seconds for a process to end by itself
GLANCE = 0.5  # seconds after which a wait looks whether the user has interrupted it
START = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import json, sys; "
    "sys.path[:] = json.loads(sys.argv[1]); import importlib; "
    f"importlib.import_module({__name__!r}).serve(sys.argv[2])"
)


def run(worker: Worker, tasks: Sequence[Task], jobs: int) -> Generator[Record]:
    """The records of tasks, each as it is done.

    Arguments:
        jobs: how many processes work side by side.

    Raises:
        GencodecError: a process ended before it could work at all.
    """
    left = deque(tasks)
    done: queue.Queue[Record | Exception | None] = queue.Queue()
    crew = [_Driver(worker, left, done) for _ in range(min(jobs, len(tasks)))]
    try:
        for driver in crew:
            driver.start()
        working = len(crew)
        while working:
            try:
                found = done.get(timeout=GLANCE)
            except queue.Empty:
                continue
            if isinstance(found, Exception):
                raise found
            if found is None:
                working -= 1
            else:
                yield found
    finally:
        left.clear()
        for driver in crew:
            driver.end()


class _Driver(threading.Thread):
    """A thread that keeps one process at work."""

    def __init__(
        self, worker: Worker, left: deque[Task], done: "queue.Queue[Record | Exception | None]"
    ) -> None:
        super().__init__(daemon=True)
        self._worker, self._left, self._done = worker, left, done
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False

    def run(self) -> None:
        try:
            while True:
                try:
                    task = self._left.popleft()
                except IndexError:
                    break
                self._done.put(self._do(task))
        except Exception as error:  # for the thread that waits for records
            self._done.put(error)
        finally:
            self._close()
            self._done.put(None)

    def end(self) -> None:
        """Ends the process, at once where it is still at work."""
        self._ending = True
        if (process := self._process) is not None:
            process.terminate()
        if self.ident is not None:
            self.join(PATIENCE)

    def _do(self, task: Task) -> Record:
        process = self._process or self._start()
        try:
            self._tell(process, json.dumps([task.input, task.output, task.problem]))
            answer = self._hear(process)
        except OSError:  # it has ended
            answer = b""
        if answer:
            (record,) = read(answer).values()
            return record
        how = self._close()
        text = f"{task.input}: its worker was ended ({how}); there may be too little memory."
        return self._worker.failed(task, text)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", START, json.dumps(sys.path), self._worker.to_json()]
        self._process = process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._ending or not self._hear(process):
            raise GencodecError(
                f"A worker ended before its first picture ({self._close()}); see above for why."
            )
        return process

    def _tell(self, process: subprocess.Popen[bytes], text: str) -> None:
        assert process.stdin is not None
        process.stdin.write(text.encode() + b"\n")
        process.stdin.flush()

    def _hear(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        return process.stdout.readline()

    def _close(self) -> str:
        """Ends the process, which has no task, or has ended; says how."""
        process, self._process = self._process, None
        if process is None:
            return ""
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()  # it reads the end of its tasks
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def serve(text: str) -> None:
    """What a process does: tasks in by its standard input, records out, until there are no more.

    Arguments:
        text: the worker, as `Worker.to_json` writes it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is asked too, and ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    tasks: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    about = json.loads(text)
    worker = getattr(importlib.import_module(about["module"]), about["name"]).from_json(text)
    answers.write(b"ready\n")
    while True:
        answers.flush()
        record = worker(Task(*json.loads(tasks.get())))
        answers.write(line(record))


def _listen(tasks: "queue.Queue[bytes]") -> None:
    """Takes tasks, and ends this process with them: then the parent has no more, or is no more."""
    for task in sys.stdin.buffer:
        tasks.put(task)
    os._exit(0)
