"""The group of commands, those that tell of files and models, and what is not installed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from gencodec import cli as package

Run = Callable[..., Result]

# ---- the group -------------------------------------------------------------------------------


def test_the_table_names_the_commands() -> None:
    with click.Context(package.cli) as ctx:
        for name in package.COMMANDS:
            command = package.cli.get_command(ctx, name)
            assert isinstance(command, click.Command)
            assert command.name == name
    folder = Path(package.__file__).parent
    files = {path.stem for path in folder.glob("*.py")}
    shared = {"console", "files", "parameters", "pictures", "progress", "streams"}
    assert files - {"__init__"} - shared == set(package.COMMANDS)


def test_an_unknown_command_is_wrong_usage(run: Run) -> None:
    assert "No such command" in run("squash", code=2).stderr


# ---- info, verify, models --------------------------------------------------------------------


def test_info(run: Run, small_gnc: bytes) -> None:
    Path("a.gnc").write_bytes(small_gnc)
    told = json.loads(run("info", "a.gnc", "--json").stdout)
    assert (told["width"], told["height"], told["quality"]) == (64, 48, 50)
    assert told["known"]
    assert told["bytes"] == len(small_gnc)
    text = run("info", "a.gnc")
    assert text.stderr == ""
    assert told["decoder"] in text.stdout
    assert "64" in text.stdout
    assert "every later gencodec reads it" in text.stdout
    assert run("info", "-", stdin=small_gnc).stdout != ""


def test_verify(run: Run, small_gnc: bytes) -> None:
    Path("a.gnc").write_bytes(small_gnc)
    Path("b.gnc").write_bytes(small_gnc[:-3])
    result = run("verify", "b.gnc", "a.gnc", code=1)
    assert result.stdout == "a.gnc: OK\n"
    assert result.stderr.startswith("Error: b.gnc")
    assert run("verify", "-", stdin=small_gnc).stdout == "standard input: OK\n"


def test_models(run: Run, small_gnc: bytes) -> None:
    Path("a.gnc").write_bytes(small_gnc)
    used = json.loads(run("info", "a.gnc", "--json").stdout)["decoder"]
    listed = json.loads(run("models", "--json").stdout)
    defaults = [model for model in listed if model["default"]]
    assert used in [model["name"] for model in defaults if model["role"] == "decoder"]
    text = run("models").stdout
    assert all(model["name"] in text for model in listed)


# ---- a terminal, and what is not installed ---------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminal here")
def test_a_terminal_is_told_what_was_done(photo: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    code = "from gencodec.cli import main; main()"
    command = [sys.executable, "-c", code, "compress", "photo.jpg"]
    done = subprocess.run(
        command, cwd=photo.parent, stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    assert b"photo.jpg -> photo.gnc" in os.read(ours, 10_000)
    assert done.stdout == b""
    os.close(ours)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "autoencoder", "--data", "d", "--minutes", "1", "--out", "o"],
        ["export", "o", "-o", "d"],
    ],
)
def test_training_says_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("gencodec.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    error = run(*arguments, code=1).stderr
    assert "needs torch" in error
    assert "'train'" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["--minutes", "0", "--out", "o"],
        ["--minutes", "1"],
        ["--minutes", "1", "--out", "o", "--set", "steps"],
    ],
)
def test_train_refuses_wrong_usage(run: Run, arguments: list[str]) -> None:
    run("train", "autoencoder", "--data", "d", *arguments, code=2)


# ---- completion ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["gencodec", "de"], ["plain,decompress", "plain,denoise", "plain,desktop"]),
        (["gencodec", "batch", "--op", "d"], ["plain,decompress", "plain,denoise"]),
        (
            ["gencodec", "compress", "--targ"],
            [f"plain,--target-{n}" for n in ("size", "bpp", "psnr")],
        ),
        (["gencodec", "decompress", "pho"], ["file,pho"]),
    ],
)
def test_shells_complete(words: list[str], completed: list[str]) -> None:
    environment = {
        "_GENCODEC_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from gencodec.cli import main; main()"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == completed
