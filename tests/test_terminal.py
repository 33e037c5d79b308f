"""The command where its surroundings are odd: closed streams, narrow encodings, names too long."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

FIELD = Path(__file__).parent / "data" / "field"
COMMAND = "from gencodec.cli import main; main()"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell's redirections")


def shell(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of shell in which ``$G`` is the command."""
    command = f"{sys.executable} -c '{COMMAND}'"
    return subprocess.run(
        ["sh", "-c", text.replace("$G", command)],
        cwd=folder,
        capture_output=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


def test_streams_that_are_closed(tmp_path: Path, small_gnc: bytes) -> None:
    (tmp_path / "a.gnc").write_bytes(small_gnc)
    done = shell("$G decompress - -o x.png <&-; $G verify a.gnc 2>&-", tmp_path)
    assert done.stderr == b"Error: standard input: Standard input is closed; name a file.\n"
    assert done.stdout == b"a.gnc: OK\n"
    done = shell("$G decompress a.gnc -o x.png 2>&- && $G decompress a.gnc -o - >&-", tmp_path)
    assert done.stderr == b"Error: a.gnc: Standard output is closed; give -o FILE.\n"
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (64, 48)


def test_names_that_the_terminal_cannot_show(tmp_path: Path, small_gnc: bytes) -> None:
    (tmp_path / "名.gnc").write_bytes(small_gnc)
    done = shell("$G verify 名.gnc; $G info 名.gnc", tmp_path, PYTHONIOENCODING="cp1252")
    assert done.stderr == b""
    assert done.stdout.startswith(b"\\u540d.gnc: OK\n")
    assert done.stdout.count(b"\\u540d.gnc") == 2


def test_a_pipe_by_its_name(tmp_path: Path, small_gnc: bytes) -> None:
    (tmp_path / "a.gnc").write_bytes(small_gnc)
    done = shell("$G decompress a.gnc -o /dev/stdout | cat", tmp_path)
    assert done.stderr == b""
    assert done.stdout.startswith(b"\x89PNG")


def test_a_folder_that_was_deleted(tmp_path: Path, small_gnc: bytes) -> None:
    (tmp_path / "a.gnc").write_bytes(small_gnc)
    (tmp_path / "gone").mkdir()
    done = shell(
        f"cd gone; rmdir ../gone; $G decompress {tmp_path}/a.gnc; $G verify a.gnc", tmp_path
    )
    assert (tmp_path / "a.png").exists()
    assert b"Traceback" not in done.stderr
    assert b"a.gnc does not exist; check its name." in done.stderr


def test_a_name_too_long_for_its_output(
    run: Callable[..., Result], tmp_path: Path, small_gnc: bytes
) -> None:
    long = "x" * 245 + ".jpg"
    shutil.copy(FIELD / "exif_orientation6.jpg", tmp_path / long)
    shutil.copy(FIELD / "exif_orientation6.jpg", tmp_path / "short.jpg")
    result = run("denoise", long, "short.jpg", code=1)
    assert result.stderr.count("Error:") == 1
    assert "the name is too long; give another with -o." in result.stderr
    assert (tmp_path / "short-denoised.png").exists()
    run("info", "x" * 300, code=1)
    run("compress", "x" * 300 + ".jpg", code=1)


def test_what_pillow_logs_is_not_printed_beside_the_error(tmp_path: Path) -> None:
    """A TIFF of 65,535 samples a pixel is logged as an error as well as raised."""
    tags = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 65535), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    (tmp_path / "many.tif").write_bytes(head + entries + bytes(4))
    done = shell("$G compress many.tif", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: many.tif is not a picture that Pillow can read;")
    assert done.stderr.count(b"\n") == 1
