"""Long work tells how far it has come."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gencodec.codec import api
from gencodec.codec.progress import listening, steps


def test_the_segments_of_a_picture_are_told() -> None:
    x = np.zeros((8, 1600, 3), np.uint8)  # three segments
    for threads in (1, 2):
        written: list[float] = []
        with listening(written.append):
            data = api.compress(x, codec="flow", threads=threads)
        read: list[float] = []
        with listening(read.append):
            api.decompress(data, threads=threads)
        assert written == read == [1 / 3, 2 / 3, 1]


def test_a_search_tells_its_attempts() -> None:
    shares: list[float] = []
    with listening(shares.append):
        api.compress(np.zeros((16, 16, 3), np.uint8), codec="vqvae", target_size=300)
    assert shares == sorted(shares)
    assert 0 < shares[-1] < 1


def test_steps_within_steps_are_not_told() -> None:
    shares: list[float] = []
    with listening(shares.append):
        for _ in steps("ab"):
            assert list(steps("xyz")) == ["x", "y", "z"]
        list(steps("a"))
    assert shares == [0.5, 1]


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminal here")
@pytest.mark.parametrize(("term", "lines"), [("dumb", True), ("xterm", False)])
def test_a_terminal_that_cannot_go_back_gets_lines(term: str, lines: bool, tmp_path: Path) -> None:
    import pty

    code = (
        "import time; from gencodec.cli import progress\n"
        "progress.LONG_WORK = progress.PLAIN_LINES = 0.01\n"
        "with progress.Progress(4, 'pictures') as bar:\n"
        "    for done in range(1, 5): time.sleep(0.05); bar.share(done / 4)\n"
        "with progress.Progress(1000, counted=False) as bar:\n"
        "    for step in (1, 2): time.sleep(0.05); bar.share(step / 4, f'step {step}')\n"
    )
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": term}
    subprocess.run(
        [sys.executable, "-c", code], stderr=theirs, env=environment, check=True, timeout=60
    )
    text = os.read(ours, 9999).decode()
    os.close(ours)
    os.close(theirs)
    found = re.search(r"1 of 4, ([0-9.]+) pictures/s, about \d+ s left\r\n", text)
    assert (found is not None) == lines
    assert "pictures/s" in text
    found = re.search(r"step 1, 25 %, about \d+ s left\r\n", text)
    assert (found is not None) == lines
    assert "step 2" in text
