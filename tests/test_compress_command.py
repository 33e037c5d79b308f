"""``gencodec compress`` and ``decompress``: files in, files out, messages and exit codes."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

Run = Callable[..., Result]
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


# ---- compress and decompress -----------------------------------------------------------------


def test_there_and_back(run: Run, photo: Path) -> None:
    first = run("compress", "photo.jpg")
    second = run("decompress", "photo.gnc")
    assert size_of("photo.png") == (96, 64)
    assert first.output == second.output == ""  # silent where stderr is no terminal
    assert sorted(os.listdir()) == ["photo.gnc", "photo.jpg", "photo.png"]


def test_quality_orders_the_sizes(run: Run, photo: Path) -> None:
    for quality in ("0", "37.5", "100"):
        run("compress", "photo.jpg", "-q", quality, "-o", f"{quality}.gnc")
    sizes = [os.path.getsize(f"{quality}.gnc") for quality in ("0", "37.5", "100")]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".jpg", "JPEG"),
        (".webp", "WEBP"),
        (".avif", "AVIF"),
        (".tif", "TIFF"),
        (".bmp", "BMP"),
        (".PNG", "PNG"),
    ],
)
def test_the_suffix_chooses_the_format(run: Run, small_gnc: bytes, suffix: str, name: str) -> None:
    Path("a.gnc").write_bytes(small_gnc)
    run("decompress", "a.gnc", "-o", f"out{suffix}")
    with Image.open(f"out{suffix}") as image:
        assert (image.format, image.size) == (name, (64, 48))


def test_metadata_is_carried_and_stripped(run: Run, photo: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    with Image.open(photo) as image:
        image.save("rich.jpg", exif=exif, xmp=XMP, icc_profile=b"a profile of no meaning")
    run("compress", "rich.jpg")
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        run("decompress", "rich.gnc", "-o", f"out{suffix}")
        with Image.open(f"out{suffix}") as image:
            image.load()
            assert image.info["icc_profile"] == b"a profile of no meaning", suffix
            xmp = image.info["xmp"]
            assert (xmp if isinstance(xmp, bytes) else xmp.encode()) == XMP, suffix
            if suffix != ".tif":  # Pillow turns a TIFF upright as it loads it
                assert image.size == (96, 64), suffix
                assert image.getexif()[0x0112] == 6, suffix
    run("compress", "rich.jpg", "--strip", "-f")
    run("decompress", "rich.gnc", "-o", "bare.png")
    with Image.open("bare.png") as image:
        image.load()
        assert not {"icc_profile", "exif", "xmp"} & set(image.info)


def test_transparency_comes_back_but_not_as_jpeg(run: Run, photo: Path) -> None:
    with Image.open(photo) as image:
        image.putalpha(128)
        image.save("clear.png")
    run("compress", "clear.png")
    error = run("decompress", "clear.gnc", "-o", "clear.jpg", code=1).stderr
    assert "JPEG holds no transparency" in error
    assert ".png" in error
    assert not Path("clear.jpg").exists()
    run("decompress", "clear.gnc", "-o", "back.png")
    with Image.open("back.png") as image:
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema() == (128, 128)


def test_standard_streams(run: Run, photo: Path) -> None:
    packed = run("compress", "-", stdin=photo.read_bytes())
    assert packed.stderr == ""
    unpacked = run("decompress", "-", stdin=packed.stdout_bytes)
    assert size_of_bytes(unpacked.stdout_bytes) == (96, 64)
    same = run("compress", "photo.jpg", "-o", "-", "--json")
    assert same.stdout_bytes == packed.stdout_bytes
    assert json.loads(same.stderr)[0]["output"] == "-"  # stdout carries the file
    run("compress", "-", "-o", "named.gnc", stdin=photo.read_bytes())
    assert Path("named.gnc").read_bytes() == packed.stdout_bytes
    assert "standard input" in run("decompress", "-", stdin=b"junk", code=1).stderr


def size_of_bytes(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_a_folder_there_and_back(run: Run, photo: Path) -> None:
    os.makedirs("in/sub")
    for name in ("in/a.jpg", "in/sub/b.jpg"):
        Path(name).write_bytes(photo.read_bytes())
    Path("in/note.txt").write_text("no picture")
    run("compress", "in", "-o", "packed")
    run("decompress", "packed", "-o", "out")
    assert size_of("out/a.png") == size_of("out/sub/b.png") == (96, 64)
    assert sorted(os.listdir("packed")) == ["a.gnc", "sub"]


def test_json_tells_of_each_file(run: Run, photo: Path) -> None:
    result = run("compress", "missing.jpg", "photo.jpg", "--json", code=1)
    bad, good = json.loads(result.stdout)
    assert bad["input"] == "missing.jpg"
    assert "missing.jpg" in bad["error"]
    assert good["output"] == "photo.gnc"
    assert good["bytes"] == os.path.getsize("photo.gnc")
    assert good["source_bytes"] == os.path.getsize("photo.jpg")
    assert (good["width"], good["height"]) == (96, 64)
    assert good["bpp"] == pytest.approx(8 * good["bytes"] / (96 * 64))
    (back,) = json.loads(run("decompress", "photo.gnc", "--json").stdout)
    assert (back["output"], back["format"], back["mode"]) == ("photo.png", "PNG", "RGB")


# ---- warnings --------------------------------------------------------------------------------


def test_a_larger_file_is_one_warning(run: Run) -> None:
    Image.new("L", (1, 1)).save("dot.pgm")  # 12 bytes
    lines = run("compress", "dot.pgm").stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Warning: dot.gnc")
    assert "larger than dot.pgm" in lines[0]


def test_sixteen_bits_are_one_warning(run: Run) -> None:
    for name in ("deep.png", "deep.tif"):
        Image.new("I;16", (200, 100), 40000).save(name)
        lines = run("compress", name, "-f").stderr.splitlines()
        assert all(line.startswith("Warning: ") for line in lines)
        (line,) = (line for line in lines if "16-bit" in line)
        assert name in line


# ---- errors ----------------------------------------------------------------------------------


def test_never_overwrites_without_force(run: Run, photo: Path) -> None:
    Path("photo.gnc").write_bytes(b"precious")
    assert "-f" in run("compress", "photo.jpg", code=1).stderr
    assert Path("photo.gnc").read_bytes() == b"precious"
    run("compress", "photo.jpg", "-f")
    run("decompress", "photo.gnc")
    assert "photo.png exists" in run("decompress", "photo.gnc", code=1).stderr


def test_the_others_go_on(run: Run, photo: Path) -> None:
    Path("bad.jpg").write_bytes(photo.read_bytes()[:500])
    Path("empty.png").touch()
    result = run("compress", "bad.jpg", "empty.png", "photo.jpg", code=1)
    assert sorted(os.listdir()) == ["bad.jpg", "empty.png", "photo.gnc", "photo.jpg"]
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Error", "Error"]
    assert "bad.jpg" in lines[0]
    assert "empty.png" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.jpg"], 1, "missing.jpg"),
        (["text.jpg"], 1, "text.jpg"),
        (["photo.jpg", "-o", "nowhere/x.gnc"], 1, "nowhere/x.gnc"),
        (["photo.jpg", "-o", "text.jpg/"], 1, "text.jpg/photo.gnc"),
        (["photo.jpg", "--model", "text.jpg"], 1, "text.jpg"),
        (["photo.jpg", "--model", "missing.onnx"], 1, "missing.onnx"),
        (["folder", "-o", "out"], 1, "folder"),
        (["folder"], 2, "-o DIR"),
        (["photo.jpg", "-q", "101"], 2, "101"),
        (["photo.jpg", "-q", "nan"], 2, "quality"),
        (["photo.jpg", "--codec", "jpeg"], 2, "autoencoder"),
        (["photo.jpg", "--device", "tpu"], 2, "cuda"),
        (["photo.jpg", "--threads", "0"], 2, "threads"),
        (["photo.jpg", "photo.png"], 2, "photo.gnc"),
        ([], 2, "IN"),
    ],
)
def test_bad_input(run: Run, photo: Path, arguments: list[str], code: int, words: str) -> None:
    Path("text.jpg").write_text("These are words, not a picture.")
    os.mkdir("folder")
    before = sorted(os.listdir())
    stderr = run("compress", *arguments, code=code).stderr
    assert words in stderr
    assert "Error: " in stderr
    assert "Traceback" not in stderr
    if code == 1:
        assert len(stderr.splitlines()) == 1
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("name", ["x.xyz", "x", "x.gnc.txt"])
def test_an_unknown_output_format_is_wrong_usage(run: Run, small_gnc: bytes, name: str) -> None:
    Path("a.gnc").write_bytes(small_gnc)
    assert ".png" in run("decompress", "a.gnc", "-o", name, code=2).stderr


def test_damaged_files_give_one_sentence_and_no_output(run: Run, small_gnc: bytes) -> None:
    Path("old.png").write_bytes(b"precious")
    changed = bytearray(small_gnc)
    changed[len(changed) // 2] ^= 16
    for data in (b"", small_gnc[:-1], small_gnc[:9], bytes(changed), b"GIF89a", small_gnc + b"x"):
        Path("a.gnc").write_bytes(data)
        for command in (["decompress", "-f", "-o", "old.png"], ["verify"], ["info"]):
            result = run(*command, "a.gnc", code=1)
            assert result.stdout == ""
            assert len(result.stderr.splitlines()) == 1
            assert result.stderr.startswith("Error: ")
            assert "a.gnc" in result.stderr
    assert Path("old.png").read_bytes() == b"precious"
    assert sorted(os.listdir()) == ["a.gnc", "old.png"]
