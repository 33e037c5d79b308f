"""Golden files: what an earlier version wrote still decodes, to the same pixels.

Each folder under ``golden/`` is named after a scheme and a container version and holds a tiny
model of its own, files written with it, and the pictures that they decoded to. ``shipped/`` holds
one picture per decoder that was ever shipped. Nothing here is ever written by a test: a missing
file is a failure. ``golden/README.md`` says how they were made.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gencodec.codec import api, container, library

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = ["autoencoder-0", "flow-0", "vqvae-0"]
CASES = ["q0", "q50", "q100", "grey", "alpha", "wide", "one-pixel"]


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


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tiny_models_are_tiny(folder: str) -> None:
    files = list((GOLDEN / folder).glob("*.onnx"))
    assert len(files) == 1 + (folder != "flow-0")  # flow's encoder needs no more
    assert sum(path.stat().st_size for path in files) < 200_000


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
