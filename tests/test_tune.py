"""Models of one codec that are tuned for different measures."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec import cli
from gencodec.codec import api, library, metrics
from gencodec.codec.errors import InputError

TUNED = library.shipped()["autoencoder"]["tuned"]


def test_a_tuned_file_names_its_decoder_and_opens(photo: Path) -> None:
    for tune in (None, "psnr", *TUNED):
        data = api.compress(photo, quality=40, tune=tune)
        pair = TUNED.get(tune, library.shipped()["autoencoder"])
        assert api.info(data).decoder == f"autoencoder-{pair['default'][:8]}"
        api.verify(data)
        with Image.open(photo) as image:
            assert api.decompress(data).size == image.size


@pytest.mark.parametrize(("bpp", "lead"), [(0.2, 0.1), (0.4, 0.1), (0.6, 0.0)])
def test_it_is_good_at_what_it_is_tuned_for(cat: Path, bpp: float, lead: float) -> None:
    """Of files of one size each is ahead in its own measure."""
    with Image.open(cat) as image:
        picture = np.asarray(image.convert("RGB"))
    found = {}
    for tune in library.TUNES:
        data = api.compress(picture, target_bpp=bpp, tune=tune, threads=1)
        decoded = np.asarray(api.decompress(data, threads=1))
        found[tune] = metrics.psnr(picture, decoded), metrics.ms_ssim(picture, decoded)
    (psnr, ms_ssim), (other_psnr, other_ms_ssim) = found["psnr"], found["ms-ssim"]
    assert psnr > other_psnr
    assert metrics.ms_ssim_db(other_ms_ssim) > metrics.ms_ssim_db(ms_ssim) + lead


def test_what_is_not_to_be_had_is_refused(photo: Path) -> None:
    with pytest.raises(InputError, match="choose from: psnr, ms-ssim"):
        api.compress(photo, tune="vmaf")
    with pytest.raises(InputError, match="flow has no model tuned for ms-ssim"):
        api.compress(photo, "flow", tune="ms-ssim")
    with pytest.raises(InputError, match="flow has no model tuned"):
        api.compress(photo, lossless=True, tune="ms-ssim")
    model = library.PRETRAINED / library.shipped()["autoencoder"]["encoder"]
    with pytest.raises(InputError, match="leave out tune, or the model"):
        api.compress(photo, model=model, tune="psnr")


def test_the_command_line_has_it(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.gnc"
    arguments = ["compress", str(photo), "--tune", "ms-ssim", "-o", str(out)]
    done = CliRunner().invoke(cli.cli, arguments)
    assert done.exit_code == 0, done.output
    assert api.info(out).decoder.endswith(TUNED["ms-ssim"]["default"][:8])
    listed = CliRunner().invoke(cli.cli, ["models"])
    assert "encoder, ms-ssim" in listed.output
    assert CliRunner().invoke(cli.cli, ["compress", str(photo), "--tune", "mse"]).exit_code == 2


def test_models_are_listed_with_what_they_are_tuned_for() -> None:
    found = [model for model in api.models() if model.codec == "autoencoder"]
    tunes = [(model.role, model.tune, model.default) for model in found]
    assert sorted(tunes) == sorted(
        (role, tune, tune == "psnr") for role in ("encoder", "decoder") for tune in library.TUNES
    )
    assert {model.tune for model in api.models() if model.codec != "autoencoder"} == {""}
