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
    for tune in (None, *library.TUNES):
        data = api.compress(photo, quality=40, tune=tune)
        pair = TUNED.get(tune, library.shipped()["autoencoder"])
        assert api.info(data).decoder == f"autoencoder-{pair['default'][:8]}"
        api.verify(data)
        with Image.open(photo) as image:
            assert api.decompress(data).size == image.size


@pytest.mark.parametrize("bpp", [0.2, 0.4, 0.6])
def test_it_is_good_at_what_it_is_tuned_for(cat: Path, bpp: float) -> None:
    """Of files of one size each is ahead in its own measure."""
    with Image.open(cat) as image:
        picture = np.asarray(image.convert("RGB"))
    found = {}
    for tune in library.TUNES:
        data = api.compress(picture, target_bpp=bpp, tune=tune, threads=1)
        decoded = np.asarray(api.decompress(data, threads=1))
        found[tune] = metrics.psnr(picture, decoded), metrics.ssimulacra2(picture, decoded)
    assert found["psnr"][0] > found["visual"][0]
    assert found["visual"][1] > found["psnr"][1] + 2


def test_an_unknown_tune_is_refused(photo: Path) -> None:
    with pytest.raises(InputError, match="choose from: visual, psnr"):
        api.compress(photo, tune="vmaf")
    with pytest.raises(InputError, match="flow has no model tuned for visual"):
        api.compress(photo, "flow", tune="visual")
    with pytest.raises(InputError, match="flow has no model tuned"):
        api.compress(photo, lossless=True, tune="visual")
    model = library.PRETRAINED / library.shipped()["autoencoder"]["encoder"]
    with pytest.raises(InputError, match="leave out tune, or the model"):
        api.compress(photo, model=model, tune="psnr")


def test_the_command_line_has_it(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.gnc"
    arguments = ["compress", str(photo), "--tune", "psnr", "-o", str(out)]
    done = CliRunner().invoke(cli.cli, arguments)
    assert done.exit_code == 0, done.output
    assert api.info(out).decoder.endswith(TUNED["psnr"]["default"][:8])
    listed = CliRunner().invoke(cli.cli, ["models"])
    assert "encoder, psnr" in listed.output
    assert CliRunner().invoke(cli.cli, ["compress", str(photo), "--tune", "mse"]).exit_code == 2


def test_models_are_listed_with_what_they_are_tuned_for() -> None:
    found = [model for model in api.models() if model.codec == "autoencoder"]
    tunes = [(model.role, model.tune, model.default) for model in found]
    assert sorted(tunes) == sorted(
        (role, tune, tune == "visual") for role in ("encoder", "decoder") for tune in library.TUNES
    )
    assert {model.tune for model in api.models() if model.codec != "autoencoder"} == {""}
