"""`gencodec batch --engine ray` on a local cluster of two workers: the same bytes."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.batches import GRAPHICS, check_complete, lines, write_pictures

pytest.importorskip("ray.data", reason="ray is not installed")

COMMAND = [sys.executable, "-c", "from gencodec.cli import main; main()"]


def batch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: Ray warns of its own doings, and warnings are errors here."""
    command = [*COMMAND, "batch", "in", "out", *GRAPHICS, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def test_ray_makes_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = write_pictures(tmp_path / "in", 20)
    whole = (tmp_path / "in" / names[4]).read_bytes()
    (tmp_path / "in" / names[4]).write_bytes(b"")
    done = batch(tmp_path, "--engine", "ray", "--jobs", "2")
    assert (done.returncode, "19 done" in done.stderr) == (1, True), done.stderr
    (failed,) = [record for record in lines(tmp_path / "out") if record["error"]]
    assert failed["input"] == names[4]
    assert "is empty" in failed["error"]
    (tmp_path / "in" / names[4]).write_bytes(whole)
    done = batch(tmp_path, "--resume")  # on the other engine
    assert (done.returncode, done.stderr) == (0, "")
    check_complete(tmp_path / "in", tmp_path / "out", names)
