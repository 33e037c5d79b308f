"""A batch that is killed at any moment leaves nothing half done, and is resumed."""

import os
import signal
from pathlib import Path

import pytest

from helpers.batches import GRAPHICS, check_complete, write_pictures
from helpers.kills import kill_and_resume

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as on POSIX")


@pytest.mark.parametrize(("how", "kills"), [(signal.SIGKILL, 3), (signal.SIGINT, 1)])
def test_killed_and_resumed(tmp_path: Path, how: signal.Signals, kills: int) -> None:
    (tmp_path / "in").mkdir()
    names = write_pictures(tmp_path / "in", 240)
    assert kill_and_resume(tmp_path, ["--jobs", "2", *GRAPHICS], kills, 15, how)
    check_complete(tmp_path / "in", tmp_path / "out", names)
