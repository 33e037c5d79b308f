"""Kills a batch at random moments and resumes it, until it is done."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["COMMAND", "kill_and_resume"]

COMMAND = [sys.executable, "-c", "from gencodec.cli import main; main()"]


def kill_and_resume(
    folder: Path,
    options: list[str],
    kills: int,
    apart: int,
    how: signal.Signals = signal.SIGKILL,
    everywhere: int = 0,
    patience: float = 60,
    seed: int = 28,
) -> int:
    """Runs a batch from ``in`` to ``out`` of a folder; checks that nothing is done twice.

    Arguments:
        options: of the command.
        kills: how many runs are ended before the last one.
        apart: pictures, at most, that a run may do before that.
        how: the signal.
        everywhere: how many of the kills, the first ones, reach the workers as well, as where a
            machine goes down; the others reach the command alone.
        patience: seconds in which all processes must end after that.

    Returns: how many of the runs were ended before they were done.
    """
    chosen = random.Random(seed)
    manifest = folder / "out" / "manifest.jsonl"
    ended = 0
    for number in range(kills):
        process = _start(folder, options)
        wanted = _count(manifest) + chosen.randrange(1, apart)
        while _count(manifest) < wanted and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chosen.random() * 0.01)
        if number < everywhere:
            os.killpg(process.pid, how)  # it has not been waited for, so the group is there
        else:
            process.send_signal(how)
        process.communicate()
        ended += process.returncode != 0
        _wait_for_end(process.pid, patience)
    before = {path: path.stat().st_ino for path in (folder / "out").rglob("*.gnc")}
    process = _start(folder, options)
    _, told = process.communicate()
    assert process.returncode == 0, told
    for path, found in before.items():
        assert path.stat().st_ino == found
    return ended


def _start(folder: Path, options: list[str]) -> subprocess.Popen[bytes]:
    """A batch, with all that it starts in a group of processes of its own."""
    command = [*COMMAND, "batch", "in", "out", "--resume", *options]
    return subprocess.Popen(
        command, cwd=folder, start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _count(manifest: Path) -> int:
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def _wait_for_end(group: int, patience: float) -> None:
    """Until no process of a group is there, neither workers nor what multiprocessing starts."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("workers outlive the run that started them")
