"""What ``lossless`` promises at the interface: every bit, or an error that names why not."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec.cli import cli
from gencodec.codec import api, container, library
from gencodec.codec.errors import FormatError, InputError, ModelError
from helpers.pictures import noise

CMYK = Image.new("CMYK", (9, 7), (10, 20, 30, 40))
SIXTEEN = Image.new("I;16", (9, 7), 40_000)
TINY = next((Path(__file__).parent / "golden" / "flow-1").glob("*-decoder.onnx"))


def test_every_bit_comes_back_and_so_does_a_region(cat: Path) -> None:
    with Image.open(cat) as image:
        pixels = np.asarray(image.convert("RGB"))[100:140]
    wide = np.tile(pixels, (1, 2, 1))[:, :800]  # two segments
    done = api.compress_detailed(wide, lossless=True, model=TINY)
    assert (done.codec, done.quality, done.lossless, done.stable) == ("flow", 100, True, True)
    assert api.info(done.data).lossless
    api.verify(done.data, model=TINY)
    assert np.array_equal(np.asarray(api.decompress(done.data, model=TINY)), wide)
    part = api.decompress(done.data, (500, 3, 40, 9), model=TINY)
    assert np.array_equal(np.asarray(part), wide[3:12, 500:540])


def test_where_no_model_is_shipped_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "shipped", dict)
    pixels = noise(4, 4, 3)
    for codec, lossless in ((None, True), ("flow", True), ("flow", False)):
        with pytest.raises(ModelError, match="ships no model for flow; pass --model FILE"):
            api.compress(pixels, codec, lossless=lossless)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for option in (["--lossless"], ["--codec", "flow"]):
        done = CliRunner().invoke(cli, ["compress", str(tmp_path / "a.png"), *option])
        assert done.exit_code == 1
        assert "ships no model for flow" in done.output
        assert not (tmp_path / "a.gnc").exists()


@pytest.mark.parametrize(
    ("image", "said"), [(CMYK, "CMYK"), (SIXTEEN, "16-bit"), (Image.new("F", (9, 7)), "Floating")]
)
def test_what_cannot_be_kept_is_refused_by_name(
    image: Image.Image, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "default_pair", lambda *_: pytest.fail("not refused"))
    with pytest.raises(InputError, match=f"cannot be kept losslessly: {said}"):
        api.compress(image, lossless=True)


def test_lossless_goes_with_exact_codecs_alone(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(InputError, match="flow and graphics can"):
        api.compress(pixels, "autoencoder", lossless=True)
    with pytest.raises(InputError, match="leave out one"):
        api.compress(pixels, lossless=True, denoise=True)
    with pytest.raises(InputError, match="leave out the target"):
        api.compress(pixels, lossless=True, target_size=500)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for more in (["--codec", "autoencoder"], ["--denoise"], ["--target-size", "500"]):
        done = CliRunner().invoke(cli, ["compress", str(tmp_path / "a.png"), "--lossless", *more])
        assert done.exit_code == 2, done.output
        assert "--lossless" in done.output


def test_a_lossless_flag_on_another_codec_is_damage() -> None:
    data = api.compress(np.zeros((16, 16, 3), np.uint8), "autoencoder")
    header, _, segments = container.read(data)
    forged = container.Header(
        scheme=1, flags=2, quality=header.quality, decoder=header.decoder, width=16, height=16
    )
    chunks = [container.Chunk(container.ChunkType.SEGMENT, data) for data in segments]
    with pytest.raises(FormatError, match="claims to be lossless"):
        api.decompress(container.write(forged, chunks))
