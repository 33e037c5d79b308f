"""Golden files: what an earlier version wrote still decodes, to the same pixels.

Each folder under ``golden/`` is named after a scheme and a container version and holds a tiny
model of its own (`graphics` has none), files written with it, and the pictures that they decoded
to. ``shipped/`` holds one picture per decoder that was ever shipped. Nothing here is ever written
by a test: a missing file is a failure. ``golden/README.md`` says how they were made.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gencodec.codec import api, container, library

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = ["autoencoder-0", "flow-0", "vqvae-0"]
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
    assert gap.max() <= (folder != "flow-0")  # flow is exact on every machine
    api.verify(data, model=decoder)


@pytest.mark.parametrize("name", GRAPHICS_CASES)
def test_golden_files_of_graphics_decode_exactly(name: str) -> None:
    kind, digest = GRAPHICS_CASES[name]
    data = (GOLDEN / "graphics-0" / f"{name}.gnc").read_bytes()
    decoded = api.decompress(data)
    with Image.open(GOLDEN / "graphics-0" / f"{name}.png") as wanted:
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
    assert len(files) == 1 + (folder != "flow-0")  # flow's encoder needs no more
    # flow's 24 networks take 190 kB however few weights they have: nodes and their names.
    limit = 270_000 if folder == "flow-0" else 200_000
    assert sum(path.stat().st_size for path in files) < limit


def test_golden_files_are_of_the_version_they_stand_for() -> None:
    for path in GOLDEN.glob("*-*/*.gnc"):
        version = int(path.parent.name.rpartition("-")[2])
        assert container.read_header(path.read_bytes()).version == version


def test_every_shipped_decoder_has_its_golden_picture() -> None:
    for scheme, entry in library.shipped().items():
        for digest in entry.get("decoders", {}):
            title = f"{scheme}-{digest[:8]}"
            data = (GOLDEN / "shipped" / f"{title}.gnc").read_bytes()
            assert container.read_header(data).decoder.hex() == digest
            with Image.open(GOLDEN / "shipped" / f"{title}.png") as wanted:
                gap = np.asarray(api.decompress(data)).astype(int) - np.asarray(wanted).astype(int)
            assert np.abs(gap).max() <= 1


# Digests of flow's files, the same on every machine: they change only with the format, the scheme
# or the shipped model.
FLOW_FILES = {
    0: {"noise": "64bd326a58180f8e", "ramp": "98cca8f06af3510a", "pixel": "ee06fd91734d17a0"},
    30: {"noise": "1cb08c4a1afaf1b5", "ramp": "9acb44246ce23cfb", "pixel": "2abd6e3abf7df27e"},
    70: {"noise": "5a7bce2d88da3f51", "ramp": "00fa68ca00d4eb51", "pixel": "04ff4cb249c4a7c4"},
    "lossless": {
        "noise": "58a326af3414f64c",
        "ramp": "f38223be26c0a972",
        "pixel": "134057dfef0f02c2",
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
