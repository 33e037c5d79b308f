"""A batch that is killed at any moment leaves nothing half done, and is resumed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.batches import GRAPHICS, check_complete, write_pictures

COMMAND = [sys.executable, "-c", "from gencodec.cli import main; main()"]
PICTURES, KILLS = 60, 3

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as on POSIX")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A batch with two workers, all of them in a group of processes of their own."""
    options = ["--jobs", "2", "--resume", *GRAPHICS]
    command = [*COMMAND, "batch", "in", "out", *options]
    return subprocess.Popen(
        command, cwd=folder, start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def count(manifest: Path) -> int:
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def wait_for_end(group: int) -> None:
    """Until no process of a group is there, neither workers nor what multiprocessing starts."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("workers outlive the run that started them")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_resumed(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "in").mkdir()
    names = write_pictures(tmp_path / "in", PICTURES)
    chosen = random.Random(28)
    manifest = tmp_path / "out" / "manifest.jsonl"
    interrupted = 0
    for _ in range(KILLS if how == signal.SIGKILL else 1):
        process = start(tmp_path)
        wanted = count(manifest) + chosen.randrange(1, 15)
        while count(manifest) < wanted and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chosen.random() * 0.01)
        process.send_signal(how)
        process.communicate()
        interrupted += process.returncode != 0
        wait_for_end(process.pid)
    assert interrupted
    before = {path: path.stat().st_ino for path in (tmp_path / "out").rglob("*.gnc")}
    process = start(tmp_path)
    _, told = process.communicate()
    assert process.returncode == 0, told
    check_complete(tmp_path / "in", tmp_path / "out", names)
    for path, found in before.items():  # what was done is not done again
        assert path.stat().st_ino == found
