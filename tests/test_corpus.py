"""The promise of container version 1: what a release wrote is read by every later one.

``golden/v1/`` has a folder for each decoder that was ever released, and one of `graphics`. Files
are added to it and never changed. Decoded pixels stand beside them, as a PNG or, where they are
the same on every machine, as their SHA-256.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.codec import api, container, library
from gencodec.codec.schemes.base import by_name, level_of
from gencodec.codec.session import Runtime

V1 = Path(__file__).parent / "golden" / "v1"
CASES = ["photo", "low", "high", "grey", "alpha", "one-pixel", "odd", "segments", "metadata"]
EXACT = ("flow", "graphics")  # schemes whose pixels are the same on every machine
FILES = [path.relative_to(V1).with_suffix("").as_posix() for path in sorted(V1.glob("*/*.gnc"))]
REGION = (1000, 3, 60, 20)  # across a border of segments, of all schemes but graphics
RUNTIMES = [Runtime("cpu", 2), Runtime("cpu", 1, optimise=False)]
PLAIN = """
import json, sys
from pathlib import Path
sys.modules["constriction"] = None
import numpy as np
from gencodec.codec import api
from gencodec.codec.entropy import backend
assert backend.AnsCoder.__module__ == "gencodec.codec.entropy.ans"
read = {}
for name in sys.argv[2:]:
    pixels = np.asarray(api.decompress(Path(sys.argv[1], name + ".gnc"), threads=1))
    read[name] = pixels.shape, pixels.tobytes().hex()
print(json.dumps(read))
"""
each_file = pytest.mark.parametrize("name", FILES)


def check(name: str, decoded: NDArray[np.uint8]) -> None:
    """As the promise has it: equal, or one level apart at most."""
    if name.startswith(EXACT):
        digest = (V1 / f"{name}.sha256").read_text().strip()
        assert hashlib.sha256(decoded.tobytes()).hexdigest() == digest
    else:
        with Image.open(V1 / f"{name}.png") as wanted:
            gap = decoded.astype(int) - np.asarray(wanted).astype(int)
        assert np.abs(gap).max() <= 1


@each_file
def test_files_of_version_1_are_read(name: str) -> None:
    data = (V1 / f"{name}.gnc").read_bytes()
    assert container.read_header(data).version == 1
    check(name, np.asarray(api.decompress(data)))
    api.verify(data)


@each_file
def test_in_every_configuration(name: str) -> None:
    """With other threads, and with what onnxruntime makes faster switched off."""
    header, _, segments = container.read((V1 / f"{name}.gnc").read_bytes())
    scheme = by_name(api.info(V1 / f"{name}.gnc").codec)
    model = library.decoder_for(scheme.name, header.decoder).path if scheme.has_model else None
    size = header.width, header.height
    quality = level_of(scheme, header.quality, header.lossless)
    first, *others = (
        scheme.open(model).decode(segments, size, quality, runtime) for runtime in RUNTIMES
    )
    for other in others:
        gap = np.abs(first.astype(int) - other.astype(int))
        assert gap.max() <= (scheme.name not in EXACT)


def test_without_constriction(fresh_python: Callable[..., CompletedProcess[str]]) -> None:
    """By the coder in plain Python, which reads files where constriction has no wheel."""
    read = json.loads(fresh_python(PLAIN, str(V1), *FILES).stdout)
    for name, (shape, pixels) in read.items():
        check(name, np.frombuffer(bytes.fromhex(pixels), np.uint8).reshape(shape))
    assert set(read) == set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("/segments")])
def test_a_region_is_a_part_of_the_picture(name: str) -> None:
    x, y, width, height = REGION
    whole = np.asarray(api.decompress(V1 / f"{name}.gnc")).astype(int)
    part = np.asarray(api.decompress(V1 / f"{name}.gnc", region=REGION)).astype(int)
    gap = np.abs(part - whole[y : y + height, x : x + width])
    assert gap.max() <= (not name.startswith(EXACT))
    assert len(container.read((V1 / f"{name}.gnc").read_bytes())[2]) > 1


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("/metadata")])
def test_metadata_is_read(name: str) -> None:
    info = api.decompress(V1 / f"{name}.gnc").info
    assert info["exif"] == b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
    assert info["xmp"] == b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    assert info["dpi"] == (300, 150)
    assert info["icc_profile"][36:40] == b"acsp"


def test_every_released_decoder_has_its_files() -> None:
    released = {
        f"{scheme}-{digest[:8]}": digest
        for scheme, entry in library.shipped().items()
        for digest in entry.get("decoders", {})
    }
    folders = {path.name for path in V1.iterdir()}
    assert folders == {"graphics", *released}
    for folder in folders:
        assert {path.stem for path in (V1 / folder).glob("*.gnc")} >= set(CASES)
        for path in (V1 / folder).glob("*.gnc"):
            wanted = bytes.fromhex(released.get(folder, "00" * 8))
            assert container.read_header(path.read_bytes()).decoder == wanted


def test_readme_promises_what_the_code_keeps() -> None:
    text = " ".join((V1.parents[2] / "README.md").read_text("utf-8").split())
    (version, side, pixels), *more = re.findall(
        r"container version (\d+), up to 2\^(\d+) pixels a side and 2\^(\d+) in all", text
    )
    assert not more
    assert int(version) == container.VERSION == container.Header(1, 0, 0, bytes(8), 1, 1).version
    assert (2 ** int(side), 2 ** int(pixels)) == (container.MAX_SIDE, container.MAX_PIXELS)
    exact = re.findall(r"of `(\w+)` and `(\w+)` the same pixels", text)
    assert [tuple(found) for found in exact] == [EXACT]
    assert int(gencodec.__version__.partition(".")[0]) >= container.VERSION
