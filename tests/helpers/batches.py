"""Folders of small pictures, and what `gencodec batch` is to make of them."""

import io
import json
import os
import signal
from pathlib import Path

from PIL import Image

from gencodec.codec.batch.manifest import Record
from gencodec.codec.batch.operations import Compress
from gencodec.codec.batch.plan import Task
from gencodec.codec.batch.worker import Worker

GRAPHICS = ("--codec", "graphics")


def write_pictures(folder: Path, count: int, side: int = 32) -> list[str]:
    """So many different pictures, every third in a folder below; their names."""
    with Image.open(Path(__file__).parent.parent / "data" / "cat.jpg") as cat:
        cat.load()
    if side > 256:  # a part of the photo, and larger than it
        cat = cat.resize((2 * cat.width, 2 * cat.height))
    names = []
    for number in range(count):
        name = f"{'below/' if number % 3 == 2 else ''}{number:03}.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        x, y = 7 * number % (cat.width - side), 5 * number % (cat.height - side)
        cat.crop((x, y, x + side, y + side)).save(path, compress_level=1)
        names.append(name)
    return sorted(names)


def expected(folder: Path, name: str) -> bytes:
    """The file of a picture, made here, in the codec graphics."""
    source = io.BytesIO((folder / name).read_bytes())
    return Compress(codec="graphics", threads=1)(source, "x.gnc").data


def lines(folder: Path) -> list[dict]:
    """The records of a folder's manifest, each checked to stand once."""
    text = (folder / "manifest.jsonl").read_text("utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    assert len({record["input"] for record in records}) == len(records)
    return records


def files(folder: Path) -> list[str]:
    """All files below a folder, hidden ones too, without the manifest."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    names.remove("manifest.jsonl")
    return names


def check_complete(source: Path, target: Path, names: list[str]) -> None:
    """Every output present and right, nothing beside them, the manifest with each once."""
    assert files(target) == sorted(name.replace(".png", ".gnc") for name in names)
    for name in names:
        assert (target / name).with_suffix(".gnc").read_bytes() == expected(source, name), name
    records = {record["input"]: record for record in lines(target)}
    assert sorted(records) == names
    for record in records.values():
        assert record["error"] is None
        assert record["bytes"] == (target / record["output"]).stat().st_size


class Mortal(Worker):
    """A worker that is killed by some pictures, as for want of memory."""

    def __call__(self, task: Task) -> Record:
        if "deadly" in task.input:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(task)
