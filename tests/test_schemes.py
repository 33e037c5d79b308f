"""Laws that hold for every scheme, with every model at hand.

Whatever a scheme is, a file must decode to the same symbols however it is read: with other
numbers of threads, optimisations off, tiles and segments in another order.
"""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gencodec.codec import api, container, library, metrics
from gencodec.codec.errors import FormatError, GencodecError
from gencodec.codec.schemes import segments as segments_module
from gencodec.codec.schemes import tiling
from gencodec.codec.schemes.base import LOSSLESS, SCHEMES, Scheme, by_name, by_wire_id
from gencodec.codec.schemes.vqvae import codec as vqvae
from gencodec.codec.session import Runtime

GOLDEN = Path(__file__).parent / "golden"
# Scheme -> its models: the tiny one of the golden files, the shipped one, those tuned otherwise.
MODELS: list[tuple[str, Path | None]] = [
    *((path.parent.name.partition("-")[0], path) for path in GOLDEN.glob("*/*-decoder.onnx")),
    *((name, None) for name in api.installed()),
    *(
        (name, library.PRETRAINED / pair["encoder"])
        for name in api.installed()
        for pair in library.shipped().get(name, {}).get("tuned", {}).values()
    ),
]
RUNTIMES = [Runtime("cpu", 1), Runtime("cpu", 2), Runtime("cpu", 1, optimise=False)]
each_model = pytest.mark.parametrize(
    ("codec", "model"),
    MODELS,
    ids=lambda v: (
        v
        if isinstance(v, str)
        else "shipped"
        if v is None
        else "tiny"
        if GOLDEN in v.parents
        else "tuned"
    ),
)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return np.asarray(Image.open(Path(__file__).parent / "data" / "cat.jpg"))


def opened(codec: str, model: Path | None) -> Scheme:
    return by_name(codec).open(model)


def differ(a: NDArray, b: NDArray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@each_model
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (16, 16), (17, 15), (64, 64), (65, 65), (3, 200), (130, 97)]
)
def test_any_size(codec: str, model: Path | None, size: tuple[int, int], photo: NDArray) -> None:
    picture = photo[: size[0], : size[1]]
    result = api.compress_detailed(picture, codec, 70, model=model)
    decoded = np.asarray(api.decompress(result.data, model=model))
    assert decoded.shape == picture.shape
    assert decoded.dtype == np.uint8
    again = api.compress(np.ascontiguousarray(picture), codec, 70, model=model)
    assert again == result.data


@each_model
def test_only_the_latents_that_cover_the_picture_are_coded(
    codec: str, model: Path | None, photo: NDArray
) -> None:
    """65x65 pays for 65x65, not for the 128x128 that the networks might pad it to."""
    picture = photo[40:168, 100:228]
    small = len(api.compress(picture[:65, :65], codec, 80, model=model))
    full = len(api.compress(picture, codec, 80, model=model))
    assert small < 0.55 * full


@each_model
def test_written_with_one_configuration_read_with_every_other(
    codec: str, model: Path | None, photo: NDArray
) -> None:
    """The check of the symbols inside each segment stands for their identity."""
    scheme = opened(codec, model)
    picture = np.ascontiguousarray(photo[:150, :210])
    height, width = picture.shape[:2]
    for quality in (0, 5000, 10000):
        read = []
        for writer in RUNTIMES:
            coded = scheme.encode(picture, quality, writer)
            for reader in RUNTIMES:
                read.append(scheme.decode(coded.segments, (width, height), quality, reader))
        # Another writer may round a coefficient the other way; the reader never minds.
        for start in (0, 3, 6):
            one, threads, plain = read[start : start + 3]
            assert differ(one, threads) <= 1
            assert differ(one, plain) <= 1


@each_model
def test_tiles_do_not_show(
    codec: str, model: Path | None, photo: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coded in tiles and in one piece, by whatever tiles, a picture is the same."""
    scheme = opened(codec, model)
    picture = np.ascontiguousarray(np.tile(photo, (4, 2, 1))[:800, :400])
    coded = scheme.encode(picture, 5000, RUNTIMES[0])
    shape = (400, 800), 5000
    whole = scheme.decode(coded.segments, *shape, RUNTIMES[0])
    monkeypatch.setattr(tiling, "WHOLE", 0)
    for group, runtime in ((1, RUNTIMES[0]), (2, RUNTIMES[1])):
        monkeypatch.setattr(tiling, "GROUP", group)
        assert differ(whole, scheme.decode(coded.segments, *shape, runtime)) <= 1
        again = scheme.encode(picture, 5000, runtime)
        assert differ(whole, scheme.decode(again.segments, *shape, RUNTIMES[0])) <= 1
        assert abs(again.estimate_bits / coded.estimate_bits - 1) < 1e-3


@each_model
def test_segments_and_tiles_in_another_order(
    codec: str, model: Path | None, photo: NDArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = opened(codec, model)
    picture = np.ascontiguousarray(np.tile(photo, (2, 2, 1))[:560, :800])
    coded = scheme.encode(picture, 5000, RUNTIMES[0])
    shape = (800, 560), 5000
    whole = scheme.decode(coded.segments, *shape, RUNTIMES[0])
    monkeypatch.setattr(tiling, "WHOLE", 0)
    monkeypatch.setattr(tiling, "GROUP", 1)
    monkeypatch.setattr(vqvae, "TOGETHER", 1)
    tiles, overlapping = tiling.tiles, tiling.overlapping
    own = import_module(type(scheme).__module__)
    if hasattr(own, "tiles"):  # flow has none
        monkeypatch.setattr(own, "tiles", lambda *a: tiles(*a)[::-1])
    for module in (own, segments_module):
        monkeypatch.setattr(module, "overlapping", lambda *a: overlapping(*a)[::-1])
    turned = scheme.decode(coded.segments, *shape, RUNTIMES[0])
    assert differ(whole, turned) <= 1
    again = scheme.encode(picture, 5000, RUNTIMES[0])
    assert differ(whole, scheme.decode(again.segments, *shape, RUNTIMES[0])) <= 1


@each_model
def test_the_file_is_as_large_as_the_model_reckons(
    codec: str, model: Path | None, photo: NDArray
) -> None:
    for quality in (0, 30, 60, 100):
        result = api.compress_detailed(photo[:200, :300], codec, quality, model=model)
        estimate = result.estimate_bits / 8
        assert abs(len(result.data) - estimate) < 0.01 * estimate + 40


@each_model
def test_bits_and_quality_rise_together(codec: str, model: Path | None, photo: NDArray) -> None:
    picture = photo[:192, :256]
    sizes, psnr = [], []
    for quality in range(0, 101, 20):
        data = api.compress(picture, codec, quality, model=model)
        sizes.append(len(data))
        psnr.append(metrics.psnr(picture, np.asarray(api.decompress(data, model=model))))
    assert sizes == sorted(sizes)
    if model is None:  # the tiny model was trained for seconds and promises no quality
        assert psnr == sorted(psnr)


@each_model
def test_a_grey_picture_costs_no_colour(codec: str, model: Path | None, photo: NDArray) -> None:
    grey = photo[:200, :200, 1]
    colour = np.repeat(grey[:, :, None], 3, 2)
    one = api.compress(grey, codec, 60, model=model)
    assert len(one) <= len(api.compress(colour, codec, 60, model=model))
    assert api.decompress(one, model=model).mode == "L"


@each_model
def test_every_single_byte_changed_is_an_error(
    codec: str, model: Path | None, photo: NDArray
) -> None:
    data = api.compress(photo[100:116, 100:116], codec, 30, model=model)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        with pytest.raises(GencodecError):
            api.decompress(bytes(changed), model=model)
    for length in range(len(data)):
        with pytest.raises(GencodecError):
            api.decompress(data[:length], model=model)


@each_model
def test_symbols_that_fail_their_check_are_an_error_even_if_the_crc_holds(
    codec: str, model: Path | None, photo: NDArray
) -> None:
    """A forged file: damage inside a segment, with the container's checksums made right again."""
    data = api.compress(photo[100:164, 100:164], codec, 60, model=model)
    header, _, segments = container.read(data)
    random = np.random.default_rng(0)
    for _ in range(40):
        forged = bytearray(segments[0])
        for place in random.integers(0, len(forged), 3):
            forged[place] ^= int(random.integers(1, 256))
        if bytes(forged) == segments[0]:
            continue
        chunk = container.Chunk(container.ChunkType.SEGMENT, bytes(forged))
        with pytest.raises(FormatError):
            api.decompress(container.write(header, [chunk]), model=model)


@each_model
def test_too_few_or_too_many_segments(codec: str, model: Path | None, photo: NDArray) -> None:
    count = by_name(codec).open(model).segment_count
    width = next(width for width in (800, 2064) if count((width, 32)) > 1)
    wide = np.tile(photo[:32], (1, 5, 1))[:, :width]
    header, _, segments = container.read(api.compress(wide, codec, 30, model=model))
    chunks = [container.Chunk(container.ChunkType.SEGMENT, data) for data in segments]
    assert len(chunks) > 1
    for wrong in (chunks[:1], chunks[1:], [*chunks, chunks[0]], chunks[::-1]):
        with pytest.raises(FormatError):
            api.decompress(container.write(header, wrong), model=model)


def test_names_and_wire_ids() -> None:
    """The wire ids are for ever."""
    assert {wire_id: scheme.name for wire_id, scheme in SCHEMES.items()} == {
        1: "autoencoder",
        2: "flow",
        3: "vqvae",
        4: "graphics",
    }
    for wire_id, scheme in SCHEMES.items():
        assert wire_id == scheme.wire_id
        assert by_wire_id(wire_id) is by_name(scheme.name) is scheme
    with pytest.raises(FormatError, match="codec number 9"):
        by_wire_id(9)


@each_model
def test_a_codec_is_made_once(codec: str, model: Path | None) -> None:
    """For its models, whichever thread asks for it, and whether to write or to read."""
    scheme = by_name(codec)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: scheme.open(model), range(8)))
    assert all(one is made[0] for one in made)
    reader = scheme.open_decoder(made[0].digest, model)
    assert reader is scheme.open_decoder(made[0].digest, model)
    assert reader.digest == made[0].digest
    assert reader.quality_steps() == made[0].quality_steps() == api.quality_steps(codec, model)


@each_model
def test_segments_of_regions(codec: str, model: Path | None) -> None:
    scheme = opened(codec, model)
    size = (4000, 3000)
    count = scheme.segment_count(size)
    assert scheme.segments_of(size, (0, 0, *size)) == list(range(count))
    few = scheme.segments_of(size, (1800, 1400, 5, 5))
    assert 1 <= len(few) < count


@each_model
def test_only_codecs_that_support_it_are_lossless(
    codec: str, model: Path | None, photo: NDArray
) -> None:
    scheme = opened(codec, model)
    picture = np.ascontiguousarray(photo[:40, :50])
    assert scheme.supports_lossless or scheme.supports_lossy
    if not scheme.supports_lossless:
        return
    coded = scheme.encode(picture, LOSSLESS, RUNTIMES[0])
    decoded = scheme.decode(coded.segments, (50, 40), LOSSLESS, RUNTIMES[1])
    assert np.array_equal(decoded, picture)
    scheme.verify(coded.segments, (50, 40), LOSSLESS, RUNTIMES[0])


@pytest.mark.parametrize("length", [1, 15, 16, 17, 32, 47, 48, 49, 64, 81, 500])
def test_segments_cover_an_axis_once(length: int) -> None:
    cut = tiling.spans(length)
    assert [p for span in cut for p in range(span.start, span.end)] == list(range(length))
    assert all(span.start % 4 == 0 for span in cut)  # z's grid
    assert all(16 < span.size <= 48 for span in cut) or length <= 48


@pytest.mark.parametrize("size", [(1, 1), (200, 1), (130, 129), (64, 300), (33, 900)])
@pytest.mark.parametrize("whole", [0, tiling.WHOLE])
def test_tiles_cover_the_grid_once(
    size: tuple[int, int], whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiling, "WHOLE", whole)
    parts = [tiling.Box(tiling.Span(0, size[0]), tiling.Span(0, size[1]))]
    parts.append(tiling.Box(tiling.Span(size[0] // 3, size[0]), tiling.Span(0, size[1] // 2 + 1)))
    places = tiling.boxes(*size)
    for part in parts:
        seen, cut = np.zeros(size, int), tiling.tiles(*size, 5, part)
        for tile in cut:
            inside = np.zeros(tile.outer.size, int)
            inside[tile.inner.within(tile.outer)] = 1
            assert inside.sum() == tile.inner.size[0] * tile.inner.size[1]
            seen[tile.inner.within(parts[0])] += 1
            # Every segment is looked into that the network sees, and none that it does not.
            seeing = np.zeros(size, int)
            for number in tiling.overlapping(*size, tile.outer):
                assert seeing[places[number].within(parts[0])].sum() == 0
                seeing[places[number].within(parts[0])] = 1
            assert seeing[tile.outer.within(parts[0])].all()
        wanted = np.zeros(size, int)
        wanted[part.within(parts[0])] = 1
        assert np.array_equal(seen, wanted)


def test_whole_tiles_are_made_of_whole_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer codes the segments of a tile as soon as it has them."""
    monkeypatch.setattr(tiling, "WHOLE", 0)
    for size in ((300, 170), (97, 500)):
        met = [n for tile in tiling.tiles(*size, 5) for n in tiling.overlapping(*size, tile.inner)]
        assert sorted(met) == list(range(len(tiling.boxes(*size))))
