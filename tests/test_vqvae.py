"""What is particular to the vqvae scheme; the laws of all schemes are in test_schemes.py."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gencodec.codec import api, container
from gencodec.codec.entropy import Decoder, Encoder
from gencodec.codec.errors import FormatError
from gencodec.codec.schemes.segments import positions
from gencodec.codec.schemes.tiling import boxes
from gencodec.codec.schemes.vqvae import codec as codec_module
from gencodec.codec.schemes.vqvae.codec import Vqvae, choose
from gencodec.codec.schemes.vqvae.contract import TOTAL
from gencodec.codec.session import Runtime

(MODEL,) = (Path(__file__).parent / "golden" / "vqvae-1").glob("*-encoder.onnx")
RUNTIME = Runtime("cpu", 1)


@pytest.fixture(scope="module")
def picture(cat: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(cat).convert("RGB"))[50:150, 60:200].copy()


def codes_of(data: bytes) -> NDArray[np.int32]:
    vqvae = Vqvae.open(MODEL)
    header, _, segments = container.read(data)
    levels = vqvae.levels_sent(header.quality)
    places = boxes(*positions(header.width, header.height))
    (codes,) = vqvae.decode_codes(segments, places, [0], levels)
    return codes


def test_quality_is_the_number_of_levels() -> None:
    vqvae = Vqvae.open(MODEL)
    sent = [vqvae.levels_sent(quality) for quality in range(10_001)]
    assert sent == sorted(sent)
    assert set(sent) == set(range(1, vqvae.levels + 1))
    steps = vqvae.quality_steps()
    assert api.quality_steps("vqvae", MODEL) == steps
    for level, step in enumerate(steps):
        assert sent[int(np.ceil(100 * step))] == level + 1
        assert level == 0 or sent[int(np.ceil(100 * step)) - 1] == level


def test_a_better_file_begins_with_the_codes_of_a_worse_one(picture: NDArray) -> None:
    found = [codes_of(api.compress(picture, "vqvae", q, model=MODEL)) for q in (0, 50, 100)]
    assert len(found[0]) < len(found[1]) < len(found[2])
    for fewer, more in pairwise(found):
        assert np.array_equal(fewer, more[: len(fewer)])


def test_segments_do_not_depend_on_how_many_run_together(
    picture: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = np.tile(picture, (1, 7, 1))
    assert Vqvae.open(MODEL).segment_count((wide.shape[1], wide.shape[0])) == 2
    data = api.compress(wide, "vqvae", 100, model=MODEL)
    decoded = np.asarray(api.decompress(data, model=MODEL))
    monkeypatch.setattr(codec_module, "TOGETHER", 1)
    assert api.compress(wide, "vqvae", 100, model=MODEL) == data
    assert np.array_equal(np.asarray(api.decompress(data, model=MODEL)), decoded)


def test_bits_of_the_codes_of_a_picture(picture: NDArray) -> None:
    """What evaluation reads is what a file holds."""
    found = api.code_bits(picture, model=MODEL)
    result = api.compress_detailed(picture, "vqvae", 100, model=MODEL)
    wanted = codes_of(result.data)
    for level, (codes, _) in enumerate(found):
        assert np.array_equal(np.sort(codes), np.sort(wanted[level].ravel()))
    assert sum(bits for _, bits in found) == pytest.approx(result.estimate_bits)


def test_codes_weigh_distance_and_bits() -> None:
    vectors = np.array([[0.0, 0.0], [1.0, 0.0]], np.float32)
    rest = np.array([[0.4, 0.0], [0.6, 0.0]], np.float32)
    even = np.full((2, 2), TOTAL // 2)
    assert choose(rest, vectors, even, 1.0).tolist() == [0, 1]
    # The first code costs 3 bits and the second 0.19, so it takes a distance to prefer the first.
    rare = np.array([[TOTAL // 8, TOTAL * 7 // 8]] * 2)
    assert choose(rest, vectors, rare, 0.1).tolist() == [1, 1]
    assert choose(rest, vectors, rare, 0.01).tolist() == [0, 1]


def test_a_file_that_claims_other_levels_is_an_error(picture: NDArray) -> None:
    header, _, segments = container.read(api.compress(picture, "vqvae", 40, model=MODEL))
    chunk = container.Chunk(container.ChunkType.SEGMENT, segments[0])
    for quality in (0, 10_000):
        other = container.Header(**{**vars(header), "quality": quality})
        with pytest.raises(FormatError):
            api.decompress(container.write(other, [chunk]), model=MODEL)
        with pytest.raises(FormatError):
            api.verify(container.write(other, [chunk]), model=MODEL)


def test_values_under_tables_of_their_own() -> None:
    """The coder writes as many bits as the frequencies say, and reads in any portions."""
    random = np.random.default_rng(0)
    frequencies = np.maximum(1, (random.dirichlet([0.1] * 40, 900) * 2**20)).astype(np.int64)
    frequencies[np.arange(900), frequencies.argmax(1)] += 2**20 - frequencies.sum(1)
    draws = random.integers(0, 2**20, 900)
    values = (np.cumsum(frequencies, 1) <= draws[:, None]).sum(1)
    coder = Encoder()
    coder.put_each(values[:1], frequencies[:1])
    coder.put_each(values[1:], frequencies[1:])
    data = coder.finish()
    wanted = (20 - np.log2(frequencies[np.arange(900), values])).sum()
    assert coder.bits == pytest.approx(wanted)
    assert abs(8 * len(data) - wanted) < 100
    reader = Decoder(data)
    read = [reader.take_each(frequencies[start : start + 70]) for start in range(0, 900, 70)]
    reader.finish()
    assert np.array_equal(np.concatenate(read), values)


def test_the_analysis_halo_covers_the_receptive_field(picture: NDArray) -> None:
    """A change that far away does not reach a position's latent; nearer by it may."""
    vqvae = Vqvae.open(MODEL)
    wide = np.tile(picture[:32], (1, 6, 1))
    before = vqvae.latent(wide, RUNTIME)
    halo = vqvae.encoder.file.settings["halo"]
    changed = wide.copy()
    changed[:, : 16 * 4] = 255 - changed[:, : 16 * 4]
    after = vqvae.latent(changed, RUNTIME)
    # Of equal numbers the order of summation may differ by the position: not bit by bit.
    assert np.allclose(before[:, :, 4 + halo :], after[:, :, 4 + halo :], atol=1e-4)
    assert np.abs(before - after)[:, :, 3].max() > 0.01
