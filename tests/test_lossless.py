"""What ``lossless`` promises at the interface: every bit, or an error that names why not."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec.cli import cli
from gencodec.codec import api, container, library
from gencodec.codec.errors import FormatError, InputError

CMYK = Image.new("CMYK", (9, 7), (10, 20, 30, 40))
SIXTEEN = Image.new("I;16", (9, 7), 40_000)


@pytest.mark.parametrize(
    ("image", "said"), [(CMYK, "CMYK"), (SIXTEEN, "16-bit"), (Image.new("F", (9, 7)), "Floating")]
)
def test_what_cannot_be_kept_is_refused_by_name(
    image: Image.Image, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "default_pair", lambda *_: pytest.fail("not refused"))
    with pytest.raises(InputError, match=f"cannot be kept losslessly: {said}"):
        api.compress(image, lossless=True)


def test_lossless_goes_with_flow_alone(tmp_path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(InputError, match="flow can"):
        api.compress(pixels, "autoencoder", lossless=True)
    with pytest.raises(InputError, match="leave out one"):
        api.compress(pixels, lossless=True, denoise=True)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for more in (["--codec", "autoencoder"], ["--denoise"]):
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
