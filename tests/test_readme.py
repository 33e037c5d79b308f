"""The commands and code of README and docs/, run: what they promise must work as it stands."""

import csv
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOT_RUN = "# not run here"
ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Kind and text of each block of code."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


BLOCKS = blocks(PAGES[0])
SET_UP, TEST = (
    next(text.strip() for kind, text in BLOCKS if kind == "sh" and start in text)
    for start in ("-m venv .venv ", "-m venv .venv-test ")
)
SNIPPETS = [
    pytest.param(kind, text, id=f"{page.stem}-{kind}-{number}")
    for page in PAGES
    for number, (kind, text) in enumerate(blocks(page))
    if kind in ("sh", "python")
    and not text.startswith(NOT_RUN)
    and text.strip() not in (SET_UP, TEST)
]


@pytest.fixture
def folder(tmp_path: Path, photo: Path) -> Path:
    """A folder with a ``photo.jpg``, some ``photos`` and a command ``gencodec``."""
    (tmp_path / "photos" / "below").mkdir(parents=True)
    shutil.copy(photo, tmp_path / "photos" / "a.jpg")
    shutil.copy(photo, tmp_path / "photos" / "below" / "b.jpg")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "gencodec"
    command.write_text(f"#!{sys.executable}\nfrom gencodec.cli import main\n\nmain()\n", "utf-8")
    command.chmod(0o755)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    one_core = "ignore:This DataLoader will create:UserWarning"  # torch's, about its workers
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONWARNINGS": one_core},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()  # by sample alone: what it wrote
    assert all(re.fullmatch(r"\S+\.png: \d+ x \d+", line) for line in said), done.stderr
    return done


def test_the_first_two_commands() -> None:
    set_up, install, compress = SET_UP.split(" && ")
    assert set_up == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install ."
    assert compress.startswith(".venv/bin/gencodec compress ")
    as_tests = SET_UP.replace(compress, ".venv/bin/pytest --cov")
    as_tests = as_tests.replace("install .", 'install ".[train,dev]"')
    assert as_tests.replace(".venv", ".venv-test") == TEST


@pytest.mark.skipif(os.name != "posix", reason="no sh here")
def test_the_first_command_compresses(folder: Path, cat: Path) -> None:
    (folder / "tests" / "data").mkdir(parents=True)
    shutil.copy(cat, folder / "tests" / "data")
    command = SET_UP.rpartition(" && ")[2].removeprefix(".venv/bin/")
    run(folder, "sh", "-e", "-c", command)
    packed = folder / "tests" / "data" / "cat.gnc"
    assert 0 < packed.stat().st_size < cat.stat().st_size


@pytest.mark.skipif(os.name != "posix", reason="no sh here")
@pytest.mark.parametrize(("kind", "text"), SNIPPETS)
def test_snippet(folder: Path, kind: str, text: str) -> None:
    if kind == "sh":
        run(folder, "sh", "-e", "-c", text)
    else:
        run(folder, sys.executable, "-c", text)


def test_the_windows_form_is_the_same() -> None:
    (lines,) = (text.splitlines() for kind, text in BLOCKS if kind == "bat")
    for line, command in zip(lines, (SET_UP, TEST), strict=True):
        unix = line.replace("\\", "/").replace("py -m", "python3 -m").replace("/Scripts/", "/bin/")
        assert unix == command


def test_ci_runs_the_test_command(root: Path) -> None:
    pattern = re.search(
        r"grep -m 1 -E '(.*?)' README.md", (root / ".ci" / "run").read_text("utf-8")
    )
    assert pattern
    readme = (root / "README.md").read_text("utf-8")
    found = [line for line in readme.splitlines() if re.search(pattern[1], line)]
    assert found == [TEST]


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted(ROOT.glob("[CS]*.md")), *sorted((ROOT / "pretrained").glob("*.md"))]
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


def test_readme_is_a_page() -> None:
    assert len(PAGES[0].read_text("utf-8").splitlines()) <= 150


def test_the_format_page_is_the_docstring(root: Path) -> None:
    page = runpy.run_path(str(root / "tests" / "make_format.py"))["page"]()
    assert (root / "docs" / "format.md").read_text("utf-8") == page


def test_experiments_are_a_table(root: Path) -> None:
    with (root / "training" / "experiments.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 140
    for row in rows:
        assert list(row) == ["date", "family", "change", "minutes", "result"]
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", row["date"])
        assert row["family"] in {"autoencoder", "denoiser", "flow", "vqvae", "shared"}
        assert row["minutes"] == "" or float(row["minutes"]) > 0
