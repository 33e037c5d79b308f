"""What an import loads, asked of a fresh interpreter: laziness is a promise, not a habit."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Fresh = Callable[..., subprocess.CompletedProcess[str]]

# The top-level modules that some code adds to an interpreter, the standard library's left out.
LOADED = """
import sys
def loaded():
    names = {name.partition(".")[0] for name in sys.modules}
    return names - set(sys.stdlib_module_names)
before = loaded()
try:
    %s
finally:
    print("\\n" + " ".join(sorted(loaded() - before)))
"""


def loads(fresh_python: Fresh, code: str, *arguments: str) -> set[str]:
    result = fresh_python(LOADED % code.replace("\n", "\n    "), *arguments)
    assert result.stderr == ""
    return set(result.stdout.splitlines()[-1].split())


def run_command(fresh_python: Fresh, *arguments: str) -> set[str]:
    code = "from gencodec.cli import cli\ncli(sys.argv[1:], standalone_mode=False)"
    return loads(fresh_python, code, *arguments)


def test_package_alone(fresh_python: Fresh) -> None:
    assert loads(fresh_python, "import gencodec") == {"gencodec"}


def test_unknown_name_imports_nothing(fresh_python: Fresh) -> None:
    code = "import gencodec\nassert not hasattr(gencodec, 'setup_module')"
    assert loads(fresh_python, code) == {"gencodec"}


def test_every_public_name_exists(fresh_python: Fresh) -> None:
    code = "import gencodec\nassert set(gencodec.__all__) <= set(dir(gencodec))\n"
    code += "[getattr(gencodec, name) for name in gencodec.__all__]"
    assert "torch" not in loads(fresh_python, code)


def test_help_loads_click_alone(fresh_python: Fresh) -> None:
    assert run_command(fresh_python, "--help") == {"click", "gencodec"}
    assert run_command(fresh_python, "--version") == {"click", "gencodec"}


def test_a_commands_help_loads_click_alone(fresh_python: Fresh) -> None:
    for command in ("compress", "decompress", "train"):
        assert run_command(fresh_python, command, "--help") == {"click", "gencodec"}


def test_runtime_never_loads_torch(fresh_python: Fresh, photo: Path) -> None:
    banned = {"torch", "compressai", "onnx", "scipy", "matplotlib"}
    assert not run_command(fresh_python, "compress", str(photo)) & banned
    assert not run_command(fresh_python, "decompress", str(photo.with_suffix(".gnc"))) & banned
    assert photo.with_suffix(".png").is_file()


def test_codec_imports_nothing_above_it(root: Path) -> None:
    # `cli -> {codec, training}`, `training -> codec`, `codec -> nothing above it`.
    for path in (root / "codec").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "..cli" not in text, path
        assert "..training" not in text, path
    for path in (root / "training").rglob("*.py"):
        assert "..cli" not in path.read_text(encoding="utf-8"), path
