"""Planning and writing: which file becomes which, and that nothing is ever lost."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from gencodec.cli.files import Job, plan
from gencodec.cli.streams import read, write
from gencodec.codec.errors import InputError, OutputError


def compress_plan(inputs: list[str], output: str | None = None, force: bool = False) -> list[Job]:
    return plan(
        inputs,
        output,
        picks=(".jpg", ".png"),
        suffix=".gnc",
        output_suffixes=(".gnc",),
        force=force,
    )


def targets(jobs: list[Job]) -> list[str]:
    return [str(job.target) for job in jobs]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"old")


# ---- where outputs go ------------------------------------------------------------------------


def test_beside_the_input() -> None:
    assert targets(compress_plan(["a/photo.jpg", "b.c.png"])) == ["a/photo.gnc", "b.c.gnc"]


def test_a_named_file_and_a_folder() -> None:
    assert targets(compress_plan(["photo.jpg"], "other.bin")) == ["other.bin"]
    assert targets(compress_plan(["photo.jpg"], "out/")) == ["out/photo.gnc"]
    assert targets(compress_plan(["a/x.jpg", "y.png"], "out")) == ["out/x.gnc", "out/y.gnc"]
    os.mkdir("there")
    assert targets(compress_plan(["photo.jpg"], "there")) == ["there/photo.gnc"]


def test_a_folders_tree_is_mirrored() -> None:
    make("in/b.jpg", "in/a/c.PNG", "in/note.txt", "in/.hidden/d.jpg", "in/.e.jpg")
    assert targets(compress_plan(["in"], "out")) == ["out/b.gnc", "out/a/c.gnc"]


def test_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compress_plan(["-"]) == [Job(None, to_stdout=True)]
    assert compress_plan(["photo.jpg"], "-") == [Job(Path("photo.jpg"), to_stdout=True)]
    assert targets(compress_plan(["-"], "x.gnc")) == ["x.gnc"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with pytest.raises(click.UsageError, match="terminal"):
        compress_plan(["-"])


# ---- what is refused before any work ---------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        (["a.jpg", "a.png"], None, "both become a.gnc"),
        (["a.jpg", "b/a.jpg"], "out", "both become"),
        (["a.jpg", "./a.jpg"], None, "both become"),
        (["a.jpg", "b.jpg"], "x.gnc", "x.gnc is not a folder"),
        (["a.jpg", "b.jpg"], "file", "file is not a folder"),
        (["in"], "file", "file is not a folder"),
        (["in"], None, "-o DIR"),
        (["in"], "-", "-o DIR"),
        (["a.jpg", "b.jpg"], "-", "-o DIR"),
        (["a.jpg", "-"], "out", "only input"),
        (["-"], "in", "-o FILE"),
        (["a.gnc"], None, "is an input"),
        (["a.jpg", "b.jpg"], "in/../", None),
    ],
)
def test_wrong_usage(inputs: list[str], output: str | None, words: str | None) -> None:
    make("in/a.jpg", "file")
    if words is None:
        assert len(compress_plan(inputs, output)) == 2
        return
    with pytest.raises(click.UsageError) as caught:
        compress_plan(inputs, output, force=True)
    assert words in caught.value.message


def test_two_pictures_of_one_name_in_a_folder() -> None:
    make("in/a.jpg", "in/a.png", "in/b.png")
    jobs = compress_plan(["in"], "out")
    assert [job.name for job in jobs if job.problem is None] == ["in/b.png"]
    assert all("in/a.jpg and in/a.png would both" in str(job.problem) for job in jobs[:2])


# ---- what is one file's error ----------------------------------------------------------------


def test_an_existing_output_is_that_jobs_problem() -> None:
    make("a.gnc")
    first, second = compress_plan(["a.jpg", "b.jpg"])
    assert isinstance(first.problem, OutputError)
    assert "-f" in str(first.problem)
    assert second.problem is None
    assert compress_plan(["a.jpg"], force=True)[0].problem is None


def test_a_folder_without_pictures() -> None:
    make("in/note.txt", "a.jpg")
    folder, photo = compress_plan(["in", "a.jpg"], "out")
    assert isinstance(folder.problem, InputError)
    assert ".png" in str(folder.problem)
    assert photo.problem is None


@pytest.mark.parametrize("name", ["missing.gnc", "in"])
def test_read_names_what_it_cannot_read(name: str) -> None:
    make("in/a")
    with pytest.raises(InputError, match=name):
        read(Job(Path(name)))


# ---- writing ---------------------------------------------------------------------------------


def test_write_is_whole_and_leaves_nothing_else() -> None:
    write(Job(None, Path("x")), b"new", force=False)
    assert Path("x").read_bytes() == b"new"
    assert os.listdir() == ["x"]


def test_write_makes_folders_only_below_a_folder_of_outputs() -> None:
    write(Job(None, Path("out/a/x"), in_folder=True), b"new", force=False)
    assert Path("out/a/x").read_bytes() == b"new"
    with pytest.raises(OutputError, match="missing/x"):
        write(Job(None, Path("missing/x")), b"new", force=False)
    assert not Path("missing").exists()


def test_write_refuses_a_file_that_came_to_be() -> None:
    make("x")
    with pytest.raises(OutputError, match="exists"):
        write(Job(None, Path("x")), b"new", force=False)
    assert Path("x").read_bytes() == b"old"
    assert os.listdir() == ["x"]


def test_write_without_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", no_links)
    make("x")
    with pytest.raises(OutputError, match="exists"):
        write(Job(None, Path("x")), b"new", force=False)
    write(Job(None, Path("y")), b"new", force=False)
    assert sorted(os.listdir()) == ["x", "y"]


def test_a_failing_disk_keeps_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    make("x")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write(Job(None, Path("x")), b"new", force=True)
    assert Path("x").read_bytes() == b"old"
    assert os.listdir() == ["x"]


@pytest.mark.skipif(os.name != "posix", reason="no permission bits or links here")
def test_overwriting_keeps_permissions_and_links() -> None:
    make("x")
    Path("x").chmod(0o640)
    Path("link").symlink_to("x")
    write(Job(None, Path("link")), b"new", force=True)
    assert Path("link").is_symlink()
    assert Path("x").read_bytes() == b"new"
    assert stat.S_IMODE(Path("x").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="no /dev/null here")
def test_a_device_is_written_to_not_replaced() -> None:
    write(Job(None, Path("/dev/null")), b"new", force=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


# --- values that are none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("compress", "-q"),
        ("compress", "--target-bpp"),
        ("compress", "--target-psnr"),
        ("denoise", "--strength"),
        ("denoise", "--sigma"),
        ("sample", "-o", "drawn", "--temperature"),
        ("train", "flow", "--data", ".", "--out", "run", "--minutes"),
    ],
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", ""])
def test_what_is_no_number_is_wrong_usage(
    run: Callable[..., Result], words: tuple[str, ...], value: str
) -> None:
    inputs = ["x.png"] if words[0] in ("compress", "denoise") else []
    assert "Invalid value for" in run(*words, value, *inputs, code=2).stderr


def test_a_size_that_no_file_has(run: Callable[..., Result]) -> None:
    result = run("compress", "x.png", "--target-size", "99999999999GB", code=2)
    assert "is no number of bytes" in result.stderr


@pytest.mark.parametrize("words", [["", "-o", "x.gnc"], ["x.png", "-o", ""], ["x.png", ""]])
def test_an_empty_name_is_wrong_usage(run: Callable[..., Result], words: list[str]) -> None:
    assert "name is empty" in run("compress", *words, code=2).stderr


@pytest.mark.skipif(os.name != "posix", reason="no /dev/null here")
def test_a_picture_to_a_device(run: Callable[..., Result], photo: Path) -> None:
    run("compress", str(photo), "--codec", "graphics", "-o", "x.gnc")
    run("decompress", "x.gnc", "-o", "/dev/null")
