"""Sizes asked for: the largest quality whose file fits."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec.cli import cli as main
from gencodec.codec import api
from gencodec.codec import rate_control as target
from gencodec.codec.api import compress_detailed, decompress
from gencodec.codec.errors import InputError
from gencodec.codec.metrics import psnr as psnr_of
from gencodec.codec.rate_control import raised_quality, smallest_quality


@pytest.mark.parametrize("limit", [900, 2500, 6000])
def test_the_largest_quality_that_fits(photo: Path, limit: int) -> None:
    result = api.compress_detailed(photo, target_size=limit, strip=True)
    assert len(result.data) <= limit
    assert api.info(result.data).quality == result.quality
    assert result.data == api.compress(photo, quality=result.quality, strip=True)
    if result.quality < 100:
        above = api.compress(photo, quality=round(result.quality + 0.01, 2), strip=True)
        assert len(above) > limit


def test_bits_per_pixel_asked_for(photo: Path) -> None:
    data = api.compress(photo, target_bpp=1.5, strip=True)
    assert data == api.compress(photo, target_size=1152, strip=True)
    assert len(data) * 8 / (96 * 64) <= 1.5


def test_sizes_that_cannot_be_had(photo: Path) -> None:
    with pytest.raises(InputError, match=r"bytes at quality 0, the lowest, which is more than"):
        api.compress(photo, target_size=30)
    with pytest.raises(InputError, match="not both"):
        api.compress(photo, target_size=3000, target_bpp=1.0)
    for wrong in (0, -5, True, "9", float("nan"), float("inf")):
        with pytest.raises(InputError, match="target_size must be a number over 0"):
            api.compress(photo, target_size=wrong)  # type: ignore


def test_the_search_needs_few_files_and_finds_the_border() -> None:
    for shape in (
        lambda q: 300 * 20 ** (q / 10_000),
        lambda q: 50 + q,
        lambda q: 100 + 9 * (q > 77),
    ):
        for limit in (320, 1000, 4000):
            tried = []

            def write(quality: int, shape=shape, tried=tried) -> bytes:
                tried.append(quality)
                return bytes(int(shape(quality)))

            if int(shape(0)) > limit:
                continue
            found, data = target.largest_quality(write, limit)
            assert len(data) == int(shape(found)) <= limit
            assert found == 10_000 or int(shape(found + 1)) > limit
            assert len(tried) <= 30


def test_sizes_on_the_command_line(photo: Path, tmp_path: Path) -> None:
    run, out = CliRunner().invoke, tmp_path / "out.gnc"
    done = run(main, ["compress", str(photo), "-o", str(out), "--target-size", "2000", "--json"])
    assert done.exit_code == 0, done.output
    (said,) = json.loads(done.stdout)
    assert said["bytes"] == out.stat().st_size <= 2000
    assert said["quality"] == api.info(out).quality
    done = run(main, ["compress", str(photo), "-o", str(out), "-f", "--target-bpp", "0.0001"])
    assert done.exit_code == 1
    assert "at quality 0, the lowest" in done.output
    for wrong in (["-q", "50"], ["--target-bpp", "1"]):
        done = run(main, ["compress", str(photo), "-o", str(out), "--target-size", "9999", *wrong])
        assert done.exit_code == 2
        assert "Give one of -q, --target-size, --target-bpp and --target-psnr" in done.output


def test_a_psnr_is_reached_by_the_least_quality() -> None:
    tried = []

    def psnr(quality: int) -> float:
        tried.append(quality)
        return 25 + 20 * (quality / 10_000) ** 1.3

    found = smallest_quality(psnr, 33)
    assert found is not None
    assert psnr(found) >= 33 > psnr(found - 1)
    assert len(tried) < 16
    assert smallest_quality(psnr, 20) == 0
    assert smallest_quality(psnr, 45.1) is None
    steps = (30.0, 30.0, 33.0, 35.0)
    assert smallest_quality(lambda quality: steps[min(3, quality // 2500)], 31) == 5000


def test_a_target_of_psnr(cat: Path) -> None:
    with Image.open(cat) as image:
        part = np.asarray(image.crop((150, 80, 214, 128)))
    result = compress_detailed(part, codec="vqvae", target_psnr=24)
    assert psnr_of(part, np.asarray(decompress(result.data))) >= 24
    worse = compress_detailed(part, codec="vqvae", quality=max(0, result.quality - 0.01))
    if result.quality:
        assert psnr_of(part, np.asarray(decompress(worse.data))) < 24
    with pytest.raises(InputError, match=r"vqvae does not reach 90 dB .* codec flow"):
        compress_detailed(part, codec="vqvae", target_psnr=90)
    for wrong in (0, -1, "30", True, float("nan")):
        with pytest.raises(InputError, match="target_psnr must be a number"):
            compress_detailed(part, target_psnr=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="Give one of"):
        compress_detailed(part, target_psnr=30, target_size=900)


def test_an_impossible_size_names_the_codec_that_can(cat: Path) -> None:
    least = len(compress_detailed(cat, codec="vqvae", quality=0).data)
    with pytest.raises(InputError, match=rf"the codec vqvae can: {least:,} bytes at quality 0"):
        compress_detailed(cat, codec="flow", target_size=least + 10)
    with pytest.raises(InputError, match="scale it down, or allow more bytes"):
        compress_detailed(cat, codec="vqvae", target_size=20)


@pytest.mark.parametrize("gain", [0.004, 0.005, 0.008])
def test_a_quality_is_raised_in_few_tries(gain: float) -> None:
    """Whatever the scores' slope; they grow more slowly toward the top."""
    tried: list[int] = []

    def score(quality: int) -> float:
        tried.append(quality)
        return 90 - 40 * 2 ** (-gain * (quality - 3000) / 20)

    for start in (3000, 5000, 7000):
        reached = score(start)
        tried.clear()
        for least in (75, 80, 88):
            found = raised_quality(score, least, start, reached)
            if reached < least <= score(10_000):
                assert found is not None and score(found) >= least
                assert found % 100 == 0 and found > start
        assert len(tried) <= 3 * (5 + 2)


def test_a_score_that_no_quality_has() -> None:
    assert raised_quality(lambda quality: 70.0, 80, 5000, 60) is None
    assert raised_quality(lambda quality: quality / 1000, 90, 9900, 9.9) is None
