"""Golden files: what an earlier version wrote still decodes, to the same pixels.

Each folder under ``golden/`` is named after a scheme and a container version and holds a tiny
model of its own (`graphics` has none), files written with it, and the pictures that they decoded
to. ``v1/`` is for `test_corpus`. Nothing here is ever written by a test: a missing file is a
failure. ``golden/README.md`` says how they were made.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gencodec.codec import api, container

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = ["autoencoder-1", "flow-1", "vqvae-1"]
CASES = ["q0", "q50", "q100", "grey", "alpha", "wide", "one-pixel"]
# What a segment is, and the digest of the decoded pixels.
GRAPHICS_CASES = {
    "colours": (b"RIFF", "2c450d90d0745932"),
    "palette": (b"RIFF", "0344874c02dd58c1"),
    "grey": (b"RIFF", "9a46d12c1be5e66e"),
    "alpha": (b"RIFF", "ce932162375f84f4"),
    "tiles": (b"RIFF", "fb92a982a65caad7"),
    "one-pixel": (b"RIFF", "874e7d42b5df725f"),
    "png-colours": (b"\x89PNG", "60974bb1a5bb0726"),
    "png-palette": (b"\x89PNG", "0344874c02dd58c1"),
    "png-grey": (b"\x89PNG", "9a46d12c1be5e66e"),
    "png-bilevel": (b"\x89PNG", "82b2101fcade775f"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("folder", FOLDERS)
def test_golden_files_decode_to_their_pictures(folder: str, name: str) -> None:
    (decoder,) = (GOLDEN / folder).glob("*-decoder.onnx")
    data = (GOLDEN / folder / f"{name}.gnc").read_bytes()
    with Image.open(GOLDEN / folder / f"{name}.png") as wanted:
        decoded = api.decompress(data, model=decoder)
        assert decoded.mode == wanted.mode
        gap = np.abs(np.asarray(decoded).astype(int) - np.asarray(wanted).astype(int))
    assert gap.max() <= (folder != "flow-1")  # flow is exact on every machine
    api.verify(data, model=decoder)


@pytest.mark.parametrize("name", GRAPHICS_CASES)
def test_golden_files_of_graphics_decode_exactly(name: str) -> None:
    kind, digest = GRAPHICS_CASES[name]
    data = (GOLDEN / "graphics-1" / f"{name}.gnc").read_bytes()
    decoded = api.decompress(data)
    with Image.open(GOLDEN / "graphics-1" / f"{name}.png") as wanted:
        assert (decoded.mode, decoded.size) == (wanted.mode, wanted.size)
        assert decoded.tobytes() == wanted.tobytes()
    assert hashlib.sha256(decoded.tobytes()).hexdigest()[:16] == digest
    _, _, segments = container.read(data)
    assert len(segments) == 1 + (name == "tiles")
    assert all(segment[2:].startswith(kind) for segment in segments)
    api.verify(data)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tiny_models_are_tiny(folder: str) -> None:
    files = list((GOLDEN / folder).glob("*.onnx"))
    assert len(files) == 1 + (folder != "flow-1")  # flow's encoder needs no more
    # flow's 24 networks take 190 kB however few weights they have: nodes and their names.
    limit = 270_000 if folder == "flow-1" else 200_000
    assert sum(path.stat().st_size for path in files) < limit


def test_golden_files_are_of_the_version_they_stand_for() -> None:
    for path in GOLDEN.glob("*-*/*.gnc"):
        version = int(path.parent.name.rpartition("-")[2])
        assert container.read_header(path.read_bytes()).version == version


# Digests of flow's files, the same on every machine: they change only with the format, the scheme
# or the shipped model.
FLOW_FILES = {
    0: {"noise": "4c90973050047842", "ramp": "0849fcd582ed8cc6", "pixel": "45fe62683ff8c880"},
    30: {"noise": "d5b7c3a618daaaf6", "ramp": "7c20fae1ff407d13", "pixel": "d0348063d9385502"},
    70: {"noise": "d17c6220c47430d7", "ramp": "f3da08d22818bf21", "pixel": "6dc6f461d3898ce2"},
    "lossless": {
        "noise": "93ea07d5f69bc923",
        "ramp": "22f47143945ac167",
        "pixel": "456385b715f95f40",
    },
}


def generated() -> dict[str, np.ndarray]:
    """Small pictures of integers alone: noise, a ramp, and one of a single pixel."""
    y, x = np.mgrid[0:40, 0:56]
    random = (x * x * 7 + y * y * 13 + x * y * 5) * 2654435761 >> 7
    noise = np.stack([random, random >> 3, random >> 6], -1) % 256
    ramp = np.stack([3 * x + y, 2 * y + 40, (x + y) // 2], -1) % 256
    pictures = {"noise": noise, "ramp": ramp, "pixel": np.array([[[200, 30, 90]]])}
    return {name: picture.astype(np.uint8) for name, picture in pictures.items()}


@pytest.mark.parametrize("quality", [0, 30, 70, "lossless"])
def test_files_of_flow_are_the_same_bytes_everywhere(quality: int | str) -> None:
    found = {}
    for name, picture in generated().items():
        lossless = quality == "lossless"
        level = 50 if isinstance(quality, str) else quality
        data = api.compress(picture, "flow", level, lossless)
        found[name] = hashlib.sha256(data).hexdigest()[:16]
    assert found == FLOW_FILES[quality]
