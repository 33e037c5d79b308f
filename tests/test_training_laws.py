"""Laws that every family of training obeys: names of before still load, restore undoes export."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.codec import library
from gencodec.training import old_names, train
from gencodec.training.families import FAMILIES

SHIPPED = ["autoencoder", "denoiser", "flow", "vqvae", "vqvae-prior"]


def shipped_file(family: str) -> Path:
    entry = library.shipped()[family.removesuffix("-prior")]
    if family == "denoiser":
        return library.default_single("denoiser").path
    return library.default_pair(family.removesuffix("-prior"))[0].path if entry else Path()


@pytest.mark.parametrize("family", SHIPPED)
def test_training_starts_from_the_shipped_model(family: str) -> None:
    """Every parameter that trains comes back out of the model file."""
    torch.set_num_threads(1)
    task = FAMILIES[family].task({}, torch.device("cpu"))
    tensors = task.restore(shipped_file(family))
    wanted = {name for name, p in task.model.named_parameters() if p.requires_grad}
    assert wanted <= tensors.keys()
    task.load(shipped_file(family))
    assert not task.from_scratch


def test_names_of_before_are_mapped() -> None:
    old = {
        "fresh": False,
        "network": {"banks": 2, "rungs": 3, "bit_worth": 0.1},
        "model": {"bank_logits.table": 1, "residuals.gaussian.x": 2, "h_s.out.reach": 3},
        "average": {"halvings.0.y.a.weight": 4},
        "optimizer": {"param_groups": [{"pace": 0.5}]},
    }
    new = old_names.checkpoint(old)
    assert new["from_scratch"] is False
    assert new["network"] == {"z_priors": 2, "gain_levels": 3, "rdo_lambda": 0.1}
    names = ["z_prior_logits.table", "quantizer.gaussian.x", "h_s.out.activation_range"]
    assert list(new["model"]) == names
    assert list(new["average"]) == ["lifting.0.y.a.weight"]
    assert new["optimizer"]["param_groups"] == [{"lr_scale": 0.5}]
    assert train.FAMILIES is FAMILIES
