"""Fixtures for all tests, and the switch that makes skips honest.

With ``GENCODEC_STRICT_SKIPS=1`` in the environment (``.ci/run`` sets it) a skip is a failure unless
its reason begins with ``gpu``, ``ray``, ``libjxl``, ``node`` or ``onnxruntime-web``: what CI does
not run must not look as if it passed.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
ALLOWED_SKIPS = ("gpu", "ray", "libjxl", "node", "onnxruntime-web")


class StrictSkips:
    """Turns skips into failures. A plugin, so that it sees the doctests of the package too."""

    @staticmethod
    def check(report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.outcome != "skipped" or hasattr(report, "wasxfail"):
            return
        text = report.longrepr
        reason = text[2] if isinstance(text, tuple) else str(text)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"skipped where GENCODEC_STRICT_SKIPS is set: {reason}"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self.check(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        self.check(report)
        return report


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("GENCODEC_STRICT_SKIPS") == "1":
        config.pluginmanager.register(StrictSkips(), "gencodec-strict-skips")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def cat() -> Path:
    """The sample photo, 451 x 300."""
    return ROOT / "tests" / "data" / "cat.jpg"


@pytest.fixture
def photo(cat: Path, tmp_path: Path) -> Path:
    """A small photo of its own folder, named ``photo.jpg``, 96 x 64."""
    path = tmp_path / "photo.jpg"
    with Image.open(cat) as image:
        image.crop((150, 80, 246, 144)).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs code in an interpreter of its own: ``fresh_python(code, *arguments)``."""

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            timeout=600,  # on a machine that is busy with much else
            check=True,
        )

    return run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in `tmp_path` and checks its exit code: ``run("info", "x.gnc", code=1)``."""
    from gencodec.cli import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0, stdin: bytes = b"") -> Result:
        result = CliRunner().invoke(cli, arguments, stdin, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture(scope="session")
def small_gnc(cat: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A 64 x 48 picture, compressed."""
    from gencodec.cli import cli

    folder = tmp_path_factory.mktemp("gnc")
    with Image.open(cat) as image:
        image.crop((150, 80, 214, 128)).save(folder / "a.png")
    arguments = ["compress", str(folder / "a.png")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return (folder / "a.gnc").read_bytes()
