"""The JavaScript reader of files and entropy-coded streams against the Python one, in node."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gencodec.codec import container
from gencodec.codec.entropy import Encoder, Tables
from gencodec.codec.errors import FormatError

GOLDEN = Path(__file__).parent / "golden"
SCRIPT = Path(__file__).parent / "helpers" / "reader.mjs"
RNG = np.random.default_rng(29)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Golden files; small ones also cut off at every length, and with changed bytes."""
    whole = [path.read_bytes() for path in sorted(GOLDEN.glob("*/*.gnc"))]
    small = [data for data in whole if len(data) < 140]
    cut = [data[:length] for data in small for length in range(len(data))]
    changed = [
        data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
        for data in small
        for at in range(min(40, len(data)))
        for bit in (1, 64, 128)
    ]
    return [*whole, *cut, *changed, *(data + b"\x20\0\0\0\0\0" for data in small)]


def tables() -> dict[str, Any]:
    """Rows of all kinds: short and long ones, some that are mostly zero."""
    sizes = [2, 3, 5, 17, 126, 9, 9]
    low = [0, -1, -2, -8, -62, -4, 3]
    rows = []
    for number, size in enumerate(sizes):
        weights = RNG.integers(1, 50, size)
        if number in (3, 5):
            weights[-low[number]] = 60_000 if number == 3 else 40_000
        row = weights * (2**16 - size) // weights.sum() + 1
        row[np.argmax(row)] += 2**16 - row.sum()
        rows.append(row)
    frequencies = np.concatenate(rows).tolist()
    return {"low": low, "sizes": sizes, "frequencies": frequencies, "blocks": True}


def stream(about: dict[str, Any], count: int) -> tuple[dict[str, Any], list[list[int]]]:
    """A stream of several calls, and the values that it holds; many of them are escaped."""
    low, sizes, frequencies = (np.array(about[name]) for name in ("low", "sizes", "frequencies"))
    coded = Tables(low, sizes, frequencies, blocks=True)
    coder, calls, wanted = Encoder(), [], []
    for spread in (1, 40, 12_000):
        rows = RNG.integers(0, len(coded), count).astype(np.int32)
        values = (RNG.normal(0, spread, count) * (RNG.random(count) < 0.3)).astype(np.int32)
        coder.put(values, rows, coded)
        calls.append(["rows", 0, rows.tolist()])
        wanted.append(values.tolist())
    each = RNG.integers(1, 1000, (count // 10, 30))
    each[:, 0] += 2**20 - each.sum(1)
    chosen = RNG.integers(0, 30, len(each)).astype(np.int32)
    coder.put_each(chosen, each)
    calls.append(["each", 2**20, each.tolist()])
    wanted.append(chosen.tolist())
    return {"data": text(coder.finish()), "tables": [about], "calls": calls}, wanted


@pytest.fixture(scope="module")
def streams() -> list[tuple[dict[str, Any], list[list[int]]]]:
    return [stream(tables(), count) for count in (10, 333, 2000)]


@pytest.fixture(scope="module")
def answers(
    root: Path,
    files: list[bytes],
    streams: list[tuple[dict[str, Any], list[list[int]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What node says to all of them, in one run."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node: there is none here, to run the reader in JavaScript")
    folder = tmp_path_factory.mktemp("reader")
    for path in (root / "codec" / "viewer").glob("*.js"):
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    damaged = dict(streams[1][0])
    damaged["data"] = text(base64.b64decode(damaged["data"]) + b"\1\2\3\4")
    asked = {"files": [text(data) for data in files], "streams": [each for each, _ in streams]}
    asked["streams"].append(damaged)
    found = subprocess.run(
        [node, str(SCRIPT), folder.as_uri()],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_files_are_parsed_and_refused_alike(files: list[bytes], answers: dict[str, Any]) -> None:
    for data, found in zip(files, answers["files"], strict=True):
        try:
            header, metadata, segments = container.read(data)
        except FormatError as error:
            assert found["kind"] == "GencodecError", (data, found, error)
            assert found["error"].endswith("."), found
        else:
            assert found["header"] == {
                "scheme": header.scheme,
                "quality": header.quality,
                "decoder": header.decoder.hex(),
                "width": header.width,
                "height": header.height,
                "grey": header.grey,
                "lossless": header.lossless,
            }
            assert dict(found["metadata"]) == {key: len(each) for key, each in metadata.items()}
            assert found["segments"] == [len(segment) for segment in segments]


def test_streams_decode_to_the_values_that_were_written(
    streams: list[tuple[dict[str, Any], list[list[int]]]], answers: dict[str, Any]
) -> None:
    for (_, wanted), found in zip(streams, answers["streams"], strict=False):
        assert found == wanted
    assert answers["streams"][-1]["kind"] == "GencodecError"


def test_the_reader_is_small(root: Path) -> None:
    counts = {}
    for path in (root / "codec" / "viewer").glob("*.js"):
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
        assert len(lines) <= 350, path.name
        counts[path.stem] = sum(bool(line) and not line.startswith("//") for line in lines)
    assert counts["container"] + counts["entropy"] < 300
    assert sum(counts.values()) - counts["page"] - counts["worker"] < 1250
