"""`gencodec batch` on this machine: outputs, manifest, and what is resumed."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from gencodec.codec.batch import local_engine
from gencodec.codec.batch.manifest import Manifest
from gencodec.codec.batch.operations import Compress
from gencodec.codec.batch.plan import PICTURE_SUFFIXES, Task, is_wanted, plan
from gencodec.codec.batch.storage import LocalFolder, open_folder
from gencodec.codec.errors import InputError
from helpers.batches import (
    GRAPHICS,
    Mortal,
    check_complete,
    expected,
    files,
    lines,
    write_pictures,
)

Run = Callable[..., Result]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


# ---- the plan --------------------------------------------------------------------------------


def test_two_inputs_of_one_output_are_problems() -> None:
    tasks, _ = plan(["a.jpg", "a.png", "b.png"], PICTURE_SUFFIXES, ".gnc")
    assert [bool(task.problem) for task in tasks] == [True, True, False]
    assert "a.jpg and a.png would both become a.gnc" in tasks[0].problem
    tasks, _ = plan(["a.jpg", "a.png"], PICTURE_SUFFIXES, ".gnc", keep_suffix=True)
    assert [task.output for task in tasks] == ["a.jpg.gnc", "a.png.gnc"]


@pytest.mark.parametrize(
    ("name", "include", "exclude", "wanted"),
    [
        ("a/b.jpg", [], [], True),
        ("a/b.jpg", ["*.jpg"], [], True),
        ("a/b.jpg", ["*.png"], [], False),
        ("a/b.jpg", ["a/*"], [], True),
        ("b/a.jpg", ["a/*"], [], False),
        ("a/b.jpg", ["*"], ["b.*"], False),
        ("a/c/b.jpg", [], ["a/*"], False),
    ],
)
def test_patterns(name: str, include: list[str], exclude: list[str], wanted: bool) -> None:
    assert is_wanted(name, include, exclude) == wanted


# ---- what is done ----------------------------------------------------------------------------


def test_a_folder(run: Run, source: Path, target: Path) -> None:
    names = write_pictures(source, 7)
    (source / "note.txt").write_text("no picture")
    os.utime(source / names[0], ns=(10**18, 10**18))
    result = run("batch", "in", "out", "--jobs", "2", *GRAPHICS, "--json")
    assert result.stderr.startswith("Warning: in: skipped note.txt")
    told = json.loads(result.stdout)
    assert (told["pictures"], told["done"], told["failed"]) == (7, 7, 0)
    check_complete(source, target, names)
    assert (target / names[0]).with_suffix(".gnc").stat().st_mtime_ns == 10**18
    (target / "manifest.jsonl").rename(target / "other")  # not ours, then
    error = run("batch", "in", "out", *GRAPHICS, code=1).stderr
    assert error.count("exists already; overwrite it with -f") == 7


def test_the_other_operations(run: Run, source: Path, tmp_path: Path) -> None:
    for name in write_pictures(source, 2):
        data = expected(source, name)
        (source / name).with_suffix(".gnc").write_bytes(data)
    run("batch", "in", "back", "--op", "decompress", "--jobs", "1", "--format", "webp")
    run("batch", "in", "clean", "--op", "denoise", "--jobs", "1", "--sigma", "5")
    assert files(tmp_path / "back") == ["000.webp", "001.webp"]
    assert files(tmp_path / "clean") == ["000-denoised.png", "001-denoised.png"]
    with Image.open(source / "001.png") as one, Image.open(tmp_path / "back" / "001.webp") as other:
        assert one.convert("RGB").tobytes() == other.tobytes()
    for record in lines(tmp_path / "clean"):
        assert record["bpp"] == pytest.approx(8 * record["bytes"] / 32**2, abs=1e-4)


def test_broken_pictures_are_told_and_the_others_done(run: Run, source: Path, target: Path) -> None:
    names = write_pictures(source, 100)
    wholes = {name: (source / name).read_bytes() for name in names[3::40]}
    empty, cut, other = wholes
    (source / empty).write_bytes(b"")
    (source / cut).write_bytes(wholes[cut][: len(wholes[cut]) // 2])
    (source / other).write_bytes(b"no picture")
    result = run("batch", "in", "out", *GRAPHICS, code=1)
    assert result.stderr.count("Error: ") == 3
    assert "97 done" in result.stderr
    assert "3 failed" in result.stderr
    failed = {record["input"]: record for record in lines(target) if record["error"]}
    assert sorted(failed) == sorted(wholes)
    reasons = {empty: "is empty", cut: "truncated", other: "not a picture"}
    for name, words in reasons.items():
        assert words in failed[name]["error"]
        assert failed[name]["bytes"] is None
    before = {name: (target / name).stat() for name in files(target)}
    assert len(before) == 97
    again = run("batch", "in", "out", *GRAPHICS, "--resume", code=1)
    assert "97 were done before, 3 failed" in again.stderr
    for name, whole in wholes.items():
        (source / name).write_bytes(whole)
    assert run("batch", "in", "out", *GRAPHICS, "--resume").stderr == ""
    check_complete(source, target, names)
    for name, found in before.items():
        assert (target / name).stat().st_ino == found.st_ino


def test_a_worker_that_is_killed_costs_its_own_picture(source: Path, target: Path) -> None:
    names = write_pictures(source, 4)
    (source / "deadly.png").write_bytes(b"")
    tasks = [Task(name, name.replace(".png", ".gnc")) for name in ["deadly.png", *names]]
    worker = Mortal(Compress(codec="graphics"), str(source), str(target))
    records = {record.input: record for record in local_engine.run(worker, tasks, 1)}
    assert "signal 9" in (records.pop("deadly.png").error or "")
    assert sorted(records) == names
    assert all(record.error is None for record in records.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--op", "decompress", "-q", "3"], "--quality is no option of decompress"),
        (["--strength", "0.5"], "--strength is no option of compress"),
        (["--lossless", "-q", "3"], "leaves no choice"),
        (["--address", "auto"], "--engine ray"),
        (["--op", "denoise", "."], "unexpected extra argument"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], words: str) -> None:
    assert words in run("batch", "in", "out", *arguments, code=2).stderr


def test_what_is_refused_at_once(run: Run, source: Path) -> None:
    assert "no folder" in run("batch", "nowhere", "out", code=1).stderr
    assert "nothing to do" in run("batch", "in", "out", code=1).stderr
    assert "folder of its own" in run("batch", "in", "in", "--op", "denoise", code=2).stderr
    write_pictures(source, 1)
    assert "no such file" in run("batch", "in", "out", "--model", "x", code=1).stderr.lower()
    assert not Path("out").exists()


# ---- what is resumed -------------------------------------------------------------------------


def test_a_torn_manifest(run: Run, source: Path, target: Path) -> None:
    """Outputs that lost their lines are found to be right, and stay as they are."""
    names = write_pictures(source, 6)
    run("batch", "in", "out", *GRAPHICS)
    before = {name: (target / name).stat() for name in files(target)}
    (target / "below" / ".gencodec-0123456789ab.tmp").write_bytes(b"left")
    whole = (target / "manifest.jsonl").read_bytes()
    ends = [number for number, byte in enumerate(whole) if byte == 10]
    for length in (0, 5, ends[2], ends[2] + 1, len(whole) - 1):
        (target / "manifest.jsonl").write_bytes(whole[:length])
        run("batch", "in", "out", *GRAPHICS, "--resume", "--jobs", "1")
        check_complete(source, target, names)
    for name, found in before.items():
        assert (target / name).stat().st_ino == found.st_ino
        assert (target / name).stat().st_mtime_ns == found.st_mtime_ns


def test_resume_where_things_are_missing(run: Run, source: Path, target: Path) -> None:
    names = write_pictures(source, 5)
    run("batch", "in", "out", *GRAPHICS, "--resume")  # no DST
    check_complete(source, target, names)
    (target / "manifest.jsonl").unlink()
    (target / "000.gnc").unlink()
    (target / "001.gnc").write_bytes(b"")  # as after a power cut
    run("batch", "in", "out", *GRAPHICS, "--resume")
    check_complete(source, target, names)
    (target / "003.gnc").unlink()
    run("batch", "in", "out", *GRAPHICS, "--resume")
    check_complete(source, target, names)


def test_what_is_not_ours_is_not_overwritten(run: Run, source: Path, target: Path) -> None:
    names = write_pictures(source, 3)
    target.mkdir()
    (target / "000.gnc").write_bytes(b"somebody's")
    assert "000.gnc exists already" in run("batch", "in", "out", *GRAPHICS, code=1).stderr
    told = run("batch", "in", "out", *GRAPHICS, "--resume", code=1).stderr
    assert "holds something else" in told
    assert (target / "000.gnc").read_bytes() == b"somebody's"
    run("batch", "in", "out", *GRAPHICS, "--resume", "-f")
    check_complete(source, target, names)


def test_a_manifest_is_not_mixed(run: Run, source: Path, target: Path) -> None:
    names = write_pictures(source, 2)
    run("batch", "in", "out", "--codec", "autoencoder", "-q", "10")
    assert "--resume" in run("batch", "in", "out", *GRAPHICS, code=1).stderr
    assert "other options" in run("batch", "in", "out", *GRAPHICS, "--resume", code=1).stderr
    run("batch", "in", "out", *GRAPHICS, "--resume", "-f")
    check_complete(source, target, names)


@pytest.mark.skipif(sys.platform == "win32", reason="no locks here")
def test_two_runs_do_not_write_one_folder(tmp_path: Path) -> None:
    first = Manifest(LocalFolder(str(tmp_path)), "x", resume=False, force=False)
    with pytest.raises(InputError, match="another run"):
        Manifest(LocalFolder(str(tmp_path)), "x", resume=True, force=False)
    first.close()
    Manifest(LocalFolder(str(tmp_path)), "x", resume=True, force=False).close()


# ---- URLs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "local"])  # the second goes through fsspec
def test_urls_of_folders(run: Run, source: Path, target: Path, kind: str) -> None:
    names = write_pictures(source, 5)
    urls = f"{kind}://{source}", f"{kind}://{target}"
    run("batch", *urls, *GRAPHICS, "--jobs", "2")
    check_complete(source, target, names)
    (target / "manifest.jsonl").unlink()
    (target / "000.gnc").unlink()
    run("batch", *urls, *GRAPHICS, "--resume")
    check_complete(source, target, names)
    (target / "000.gnc").write_bytes(b"somebody's")
    assert "holds something else" in run("batch", *urls, *GRAPHICS, "--resume", code=1).stderr


def test_memory_is_worked_on_in_this_process(run: Run, source: Path, tmp_path: Path) -> None:
    names = write_pictures(source, 4)
    run("batch", "in", "memory://packed/here", *GRAPHICS)
    run("batch", "memory://packed/here", "back", "--op", "decompress")
    run(
        "batch",
        "memory://packed/here",
        "memory://packed/here",
        "--op",
        "decompress",
        "--resume",
        code=1,
    )
    assert files(tmp_path / "back") == names
    packed = open_folder("memory://packed/here")
    assert [packed.read(name.replace("png", "gnc")) for name in names] == [
        expected(source, name) for name in names
    ]
    assert "alone" in run("batch", "memory://packed/here", "x", "--engine", "ray", code=1).stderr


def test_an_unknown_kind_of_url(run: Run) -> None:
    assert "nonsense" in run("batch", "nonsense://x", "out", code=1).stderr


def test_a_target_inside_the_source(run: Run, source: Path) -> None:
    write_pictures(source, 3)
    for _ in range(2):
        run("batch", "in", "in/clean", "--op", "denoise", "--sigma", "5", "--resume")
        assert len(lines(source / "clean")) == 3
