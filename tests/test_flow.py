"""The laws of `flow`, which hold whatever its networks say.

The transform is a bijection on integers; a picture kept losslessly comes back bit by bit; and the
picture of any file, compressed again in the same way, gives that file again. None of this rests on
trained weights, so here the networks are arbitrary integer functions of what they see.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gencodec.codec import api
from gencodec.codec.entropy import TOTAL
from gencodec.codec.errors import FormatError, ModelError
from gencodec.codec.schemes.base import LOSSLESS
from gencodec.codec.schemes.flow import lifting, networks, windows
from gencodec.codec.schemes.flow.codec import Flow
from gencodec.codec.schemes.flow.contract import PASSES
from gencodec.codec.schemes.flow.quantizer import Quantizer
from gencodec.codec.schemes.segments import positions
from gencodec.codec.schemes.tiling import boxes
from gencodec.codec.session import Runtime

ROWS, SPLIT_ROWS, FRACTIONS, PLACES = 64, 40, 4, 257
SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (7, 5), (16, 16), (33, 18), (64, 65), (70, 130)]
QUALITIES = [LOSSLESS, 0, 2000, 3333, 5000, 7000, 9000, 10_000]
RUNTIME = Runtime("cpu", 1)


def tables() -> dict[str, NDArray]:
    """Rows of ever wider bells, steps of 32 an octave, thresholds from plain rounding to lazy."""
    low, size, freq = [], [], []
    for row in np.repeat(np.arange(ROWS), [FRACTIONS] * SPLIT_ROWS + [1] * (ROWS - SPLIT_ROWS)):
        reach = min(2 + row * row // 8, 400)
        values = np.arange(-reach, reach + 1)
        mass = np.append(np.exp(-np.abs(values) / (0.05 * 1.12**row)), 1e-6)
        whole = 1 + np.floor(mass / mass.sum() * (TOTAL - mass.size)).astype(int)
        whole[reach] += TOTAL - whole.sum()
        low.append(-reach)
        size.append(whole.size)
        freq.append(whole)
    places = np.arange(PLACES)
    random = np.random.default_rng(3)
    return {
        "low": np.array(low),
        "size": np.array(size),
        "freq": np.concatenate(freq),
        "step": np.round(256 * 2 ** (places / 32)).astype(int),
        "row_offset": np.round(places * 1.44).astype(int),
        "threshold": random.integers(128, 244, (ROWS, 2)),
    }


@dataclass
class File:
    tables: dict[str, NDArray]
    name: str = "arbitrary"
    settings: dict[str, Any] = field(
        default_factory=lambda: {
            "levels": 6,
            "kinds": 6,
            "gain_levels": 3,
            "steps_per_octave": 32,
            "gain_top": 224,
            "colour_offset": [-25, 7, 16],
            "detail_max": 255,
            "fractions": FRACTIONS,
            "split_rows": SPLIT_ROWS,
            "quality_map": [[0, 216], [10_000, 32]],
        }
    )

    def table(self, name: str) -> NDArray:
        return self.tables[name]


class Arbitrary:
    """Stands where a model stands; its networks are the same wild function on every call."""

    def __init__(self) -> None:
        self.file = File(tables())

    def run(self, role: str, runtime: Runtime, mix: NDArray, **feeds: NDArray) -> list[NDArray]:
        planes = feeds["features" if "errors" in feeds else "planes"].astype(np.int64)
        total = sum((i + 3) * plane for i, plane in enumerate(planes[0]))
        for name in ("known", "errors"):
            if name in feeds:
                total = total + 5 * feeds[name].astype(np.int64)[0].sum(0)
        total = total + np.roll(total, 1, 0) + sum(role.encode()) + int(mix[0, 0])
        mean = np.clip(total, -8192, 8192)[None, None].astype(np.float32)
        row = (total % 1024)[None, None].astype(np.float32)
        if role[-1].isdigit():  # of a later pass: its own positions alone
            i, j = PASSES[int(role[-1])]
            mean, row = mean[:, :, i::2, j::2] // 9, row[:, :, i::2, j::2] // 2 - 256
        return [mean, row, *([feeds["planes"]] if role.endswith("_y") else [])]


MODEL: Any = Arbitrary()
FLOW = Flow(MODEL)


def pictures(size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Noise over the whole range, nothing but its ends, a soft ramp, and grey noise."""
    random = np.random.default_rng(size[0] * 1000 + size[1])
    noise = random.integers(0, 256, (*size, 3)).astype(np.uint8)
    ends = np.where(random.integers(0, 8, (*size, 3)) > 0, noise // 128 * 255, noise)
    ramp = np.add.outer(np.arange(size[0]), np.arange(size[1]))[..., None] * np.array([1, 2, 3])
    soft = np.clip(ramp // 2 + random.integers(-2, 3, ramp.shape), 0, 255)
    grey = np.repeat(noise[..., :1], 3, 2)
    return [noise, ends.astype(np.uint8), soft.astype(np.uint8), grey]


def packed(rgb: NDArray[np.uint8], quality: int) -> list[bytes]:
    return FLOW.encode(rgb, quality, RUNTIME).segments


def unpacked(segments: list[bytes], rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    return FLOW.decode(segments, (rgb.shape[1], rgb.shape[0]), quality, RUNTIME)


@pytest.mark.parametrize("size", SIZES)
def test_a_split_is_a_bijection(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    x = random.integers(-400, 400, (*size, 3)).astype(np.int32)
    mean, d = lifting.split(x)
    assert np.array_equal(lifting.merge(mean, d), x)
    assert np.array_equal(lifting.rgb(lifting.colours(x)), x)
    assert np.array_equal(lifting.colours(lifting.rgb(x)), x)


def test_every_difference_in_its_interval_leads_to_a_pixel() -> None:
    """And every pair of pixels has its difference there: the interval is exact."""
    a, b = np.meshgrid(np.arange(256), np.arange(256))
    mean, d = (a + b) >> 1, a - b
    low, high = lifting.detail_interval(mean, (0, 255), (0, 255))
    assert np.all((low <= d) & (d <= high))
    assert lifting.mean_interval((0, 255), (0, 255)) == (0, 255)
    for end in (low, high):
        bottom = mean - (end >> 1)
        assert min(bottom.min(), (bottom + end).min()) == 0
        assert max(bottom.max(), (bottom + end).max()) == 255


@pytest.mark.parametrize("step", [256, 257, 300, 362, 400, 512, 700, 1000, 5000])
def test_the_quantiser_is_monotone_and_keeps_what_it_made(step: int) -> None:
    quantizer = Quantizer(step, tables()["threshold"])
    residual, symbols = np.arange(-600, 601), np.arange(-100, 101)
    for row in range(0, ROWS, 5):
        k = quantizer.quantize(residual, np.full(residual.size, row))
        assert np.all(np.diff(k) >= 0)
        assert np.abs(quantizer.dequantize(k) - residual).max() <= step / 256
        kept = quantizer.quantize(quantizer.dequantize(symbols), np.full(symbols.size, row))
        assert np.array_equal(kept, symbols)


@pytest.mark.parametrize("size", SIZES)
def test_lossless_and_stable(size: tuple[int, int]) -> None:
    for rgb in pictures(size):
        for quality in QUALITIES:
            first = packed(rgb, quality)
            decoded = unpacked(first, rgb, quality)
            if quality == LOSSLESS:
                assert np.array_equal(decoded, rgb)
            assert packed(decoded, quality) == first


WIDE, TALL = (800, 40), (70, 1600)


@pytest.mark.parametrize("size", [WIDE, TALL, (769, 769), (1, 769)])
def test_windows_hold_what_the_next_split_needs(size: tuple[int, int]) -> None:
    tiles = boxes(*positions(*size))
    covered = np.zeros(size[::-1], int)
    for tile in tiles:
        found = windows.tile_windows(size, tile)
        finest = found[0]
        assert finest.kept == finest.own
        covered[
            finest.own.rows.start : finest.own.rows.end,
            finest.own.columns.start : finest.own.columns.end,
        ] += 1
        for number, window in found.items():
            for box, height in ((window.given, number + 1), (window.kept, number)):
                rows, columns = windows.resolution(size, height)
                assert 0 <= box.rows.start < box.rows.end <= rows
                assert 0 <= box.columns.start < box.columns.end <= columns
            assert window.given.rows.start % 2 == window.given.columns.start % 2 == 0
            if number:
                assert window.kept == found[number - 1].given
    assert np.all(covered == 1)


@pytest.mark.parametrize("size", [WIDE, TALL, (769, 200)])
@pytest.mark.parametrize("quality", [LOSSLESS, 0, 5000])
def test_a_picture_of_several_tiles_is_lossless_and_stable(
    size: tuple[int, int], quality: int
) -> None:
    columns, rows = size
    rgb = np.tile(pictures((40, 35))[2], (-(-rows // 40), -(-columns // 35), 1))[:rows, :columns]
    first = packed(rgb, quality)
    assert len(first) == FLOW.segment_count(size) > 1
    decoded = unpacked(first, rgb, quality)
    if quality == LOSSLESS:
        assert np.array_equal(decoded, rgb)
    assert packed(decoded, quality) == first


def test_a_tile_needs_the_first_segment_and_its_own_alone() -> None:
    rgb = np.tile(pictures((40, 100))[2], (1, 8, 1))
    segments = packed(rgb, 5000)
    assert len(segments) == FLOW.segment_count(WIDE) == 3
    changed = rgb.copy()
    changed[7, 799] ^= 1  # a fine detail of the second tile
    assert packed(changed, LOSSLESS)[:2] == packed(rgb, LOSSLESS)[:2]
    for wrong in (segments[:1], segments[::-1], [*segments, segments[0]]):
        with pytest.raises(FormatError):
            unpacked(wrong, rgb, 5000)


@pytest.mark.parametrize(
    "region", [(0, 0, 800, 40), (447, 39, 2, 1), (3, 5, 70, 20), (448, 0, 9, 9)]
)
def test_a_region_is_cut_from_its_segments_alone(region: tuple[int, int, int, int]) -> None:
    rgb = np.tile(pictures((40, 100))[2], (1, 8, 1))
    segments = packed(rgb, 5000)
    x, y, w, h = region
    needed = FLOW.segments_of(WIDE, region)
    assert needed == [0, *(n for n in (1, 2) if (x < 448, x + w > 448)[n - 1])]
    seen = [data if number in needed else b"" for number, data in enumerate(segments)]
    part = FLOW.decode(seen, WIDE, 5000, RUNTIME, region)
    assert np.array_equal(part, unpacked(segments, rgb, 5000)[y : y + h, x : x + w])


@pytest.mark.parametrize("quality", [LOSSLESS, 3000])
def test_damage_is_an_error(quality: int) -> None:
    """Never a wrong picture, and no other exception, whatever stands in a segment."""
    rgb = pictures((33, 18))[0]
    (data,) = packed(rgb, quality)
    random = np.random.default_rng(4)
    forged = [data[:length] for length in range(0, len(data), 7)]
    for _ in range(60):
        changed = bytearray(data)
        changed[int(random.integers(len(data)))] ^= int(random.integers(1, 256))
        forged.append(bytes(changed))
    forged += [bytes([0, 0, 0]) + random.bytes(4 * n) for n in range(12)]
    for each in forged:
        with pytest.raises(FormatError):
            unpacked([each], rgb, quality)


def test_grey_costs_no_colour() -> None:
    grey = pictures((64, 65))[3]
    tinted = grey.copy()
    tinted[0, 0, 0] ^= 1
    assert len(packed(grey, LOSSLESS)[0]) < 0.6 * len(packed(tinted, LOSSLESS)[0])


@pytest.mark.parametrize("strip", [1, 100, 700])
def test_strips_give_what_the_whole_gives(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = (Path(__file__).parent / "golden" / "flow-1").glob("*-decoder.onnx")
    rgb = pictures((50, 90))[2]
    whole = api.compress(rgb, "flow", 60, model=model)
    monkeypatch.setattr(networks, "STRIP", strip)
    assert api.compress(rgb, "flow", 60, model=model) == whole
    api.verify(whole, model=model)


def test_a_model_without_a_setting_is_an_error_that_names_it() -> None:
    """As one of an earlier version is."""
    model: Any = Arbitrary()
    del model.file.settings["fractions"]
    model.file.name = "old-decoder.onnx"
    with pytest.raises(ModelError, match=r"old-decoder.onnx has no setting 'fractions'"):
        Flow._of(model, model)
