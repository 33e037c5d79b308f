"""The switch that makes skips honest, tried on tests made for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_passes():
    pass

def test_of_a_gpu():
    pytest.skip("gpu: there is none")

def test_that_hides():
    pytest.skip("no time today")

@pytest.mark.skipif(True, reason="not on this machine")
def test_that_hides_too():
    pass

@pytest.mark.xfail(strict=True)
def test_known():
    assert False
"""
MODULE = "import pytest\npytest.importorskip('a_module_that_nobody_has')\n"


@pytest.mark.parametrize(
    ("switch", "summary"),
    [
        ("", "1 passed, 4 skipped, 1 xfailed"),
        ("1", "1 failed, 1 passed, 1 skipped, 1 xfailed, 2 errors"),
    ],
)
def test_strict_skips(tmp_path: Path, switch: str, summary: str) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS, "utf-8")
    (tmp_path / "test_module.py").write_text(MODULE, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors"],
        cwd=tmp_path,
        env={**os.environ, "GENCODEC_STRICT_SKIPS": switch, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert summary in done.stdout
    assert done.returncode == (1 if switch else 0)
    assert ("no time today" in done.stdout) == bool(switch)
