"""The wheel: the packages that exist, the models that git tracks, and a size that stays small."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import gencodec

LARGEST_WHEEL = 32 * 1024 * 1024


def tracked(root: Path, *patterns: str) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "-z", "--", *patterns]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")[
        :-1
    ]


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what git tracks, built in a folder of its own."""
    source = tmp_path_factory.mktemp("source")
    for name in tracked(root):
        if (root / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((root / name).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(out), str(source)]
    subprocess.run(command, check=True, timeout=300)
    (path,) = out.glob("*.whl")
    return path


def test_packages_are_the_folders(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {Path(name).parent for name in tracked(root, "*.py")}
    packages = {".".join(("gencodec", *folder.parts)) for folder in folders}
    packages = {name for name in packages if not name.startswith("gencodec.tests")}
    assert sorted(packages) == project["tool"]["setuptools"]["packages"]


def test_wheel_holds_the_tracked_models(root: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("gencodec/pretrained/")]
        assert "gencodec/py.typed" in archive.namelist()
        for name in names:
            assert archive.read(name) == (root / name.removeprefix("gencodec/")).read_bytes()
    assert names
    assert sorted(names) == sorted(f"gencodec/{name}" for name in tracked(root, "pretrained"))


def test_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_wheel_holds_the_code_and_nothing_else(root: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        code = {name for name in archive.namelist() if name.endswith(".py")}
    sources = tracked(root, "*.py")
    assert code == {f"gencodec/{name}" for name in sources if not name.startswith("tests/")}


def test_wheel_holds_the_data_beside_the_code(root: Path, wheel: Path) -> None:
    apart = (".py", ".md", "experiments.csv")  # what people read in the repository
    data = [name for name in tracked(root, "codec", "training") if not name.endswith(apart)]
    with zipfile.ZipFile(wheel) as archive:
        for name in data:
            assert archive.read(f"gencodec/{name}") == (root / name).read_bytes()


def test_wheel_announces_the_codec_to_numcodecs_and_zarr(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
        text = archive.read(name).decode()
    for library in ("numcodecs", "zarr"):
        line = f"gencodec = gencodec.codec.plugins.{library}:Gencodec"
        assert f"[{library}.codecs]\n{line}" in text


def test_installed_models_are_the_tracked_ones(root: Path) -> None:
    # A left-over build/ puts deleted models back into a wheel; this asks the one that is installed.
    installed = Path(gencodec.__file__).resolve().parent
    if installed == root:
        pytest.skip("gencodec is imported from its own folder here, not installed")
    found = [path for path in installed.glob("pretrained/**/*") if path.is_file()]
    models = [path.relative_to(installed).as_posix() for path in found]
    assert sorted(models) == sorted(tracked(root, "pretrained"))


def test_exactly_one_onnxruntime_is_declared(root: Path) -> None:
    markers = pytest.importorskip("packaging.markers")
    requirements = pytest.importorskip("packaging.requirements")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [requirements.Requirement(text) for text in project["dependencies"]]
    runtimes = [each for each in declared if each.name.startswith("onnxruntime")]
    cuda = requirements.Requirement(project["optional-dependencies"]["cuda"][0])
    for system, machine, gpu in (
        ("linux", "x86_64", True),
        ("linux", "aarch64", False),
        ("win32", "AMD64", True),
        ("win32", "ARM64", False),
        ("darwin", "arm64", False),
        ("darwin", "x86_64", False),
    ):
        where = {**markers.default_environment(), "sys_platform": system, "extra": ""}
        where["platform_machine"] = machine
        chosen = [each.name for each in runtimes if each.marker.evaluate(where)]
        assert chosen == ["onnxruntime-gpu" if gpu else "onnxruntime"]
        assert cuda.marker.evaluate(where) == gpu
