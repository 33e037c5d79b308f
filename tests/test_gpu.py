"""Files across devices: what the CPU writes a GPU reads, and the reverse.

Symbols are identical, since the integer networks run on the CPU always and every segment carries
a check of its symbols; pixels differ by at most one level.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from gencodec.codec import api, container, session
from gencodec.codec.schemes.autoencoder import segment as segment_module
from gencodec.codec.schemes.autoencoder.codec import Autoencoder
from gencodec.codec.session import Runtime

(TINY,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-encoder.onnx")
HERE = session.driver_present() and (
    "CUDAExecutionProvider" in onnxruntime.get_available_providers()
)
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not HERE, reason="gpu: no NVIDIA driver, or onnxruntime without CUDA"),
]
each_model = pytest.mark.parametrize("model", [TINY, None], ids=["tiny", "shipped"])


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    photo = np.asarray(Image.open(Path(__file__).parent / "data" / "cat.jpg"))
    return np.ascontiguousarray(np.tile(photo, (4, 4, 1))[:1100, :1700])


def differ(a: NDArray, b: NDArray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@each_model
@pytest.mark.parametrize("quality", [0, 50, 100])
def test_files_across_devices(model: Path | None, quality: int, picture: NDArray) -> None:
    """Checks of symbols are part of decoding: it fails if a single one differs."""
    for writer in ("cpu", "cuda"):
        data = api.compress(picture, quality=quality, device=writer, model=model)
        one, other = (
            np.asarray(api.decompress(data, device=reader, model=model))
            for reader in ("cpu", "cuda")
        )
        assert differ(one, other) <= 1


@each_model
def test_symbols_are_the_same(
    model: Path | None, picture: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = api.compress(picture, device="cuda", model=model)
    header, _, segments = container.read(data)
    autoencoder = Autoencoder.open_decoder(header.decoder, model)
    read, checksum = [], segment_module._checksum
    monkeypatch.setattr(
        segment_module,
        "_checksum",
        lambda *symbols: read.append(np.concatenate(symbols)) or checksum(*symbols),
    )
    for device in ("cpu", "cuda"):
        entropy = autoencoder.entropy_model(header.quality, Runtime(device))
        segment_module.decode_segment(segments[0], 32, 32, entropy)
    assert np.array_equal(read[0], read[1])


@each_model
def test_a_region_on_a_gpu(model: Path | None, picture: NDArray) -> None:
    data = api.compress(picture, model=model)
    whole = np.asarray(api.decompress(data, device="cpu", model=model))
    part = np.asarray(api.decompress(data, (600, 500, 300, 200), device="cuda", model=model))
    assert differ(part, whole[500:700, 600:900]) <= 1
