"""Laws that every family of training obeys.

A run becomes files that the runtime codes with, and training goes on from those files; names of
before still load.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.codec import api, library
from gencodec.training import export, old_names, train
from gencodec.training.families import FAMILIES

TINY = {
    "autoencoder": {
        "y": "16",
        "z": "8",
        "z_priors": "2",
        "ea": "48,24,16",
        "es": "48,24",
        "h4": "16",
        "h8": "16",
        "h16": "",
        "na": "1,1,1",
        "mean": "12",
        "context": "16",
        "index": "8,4,6",
    },
    "denoiser": {"widths": "8,12,16,16", "blocks": "1,0,1,1,0,0,1", "estimator": "8,8,8"},
}
SHORT = {"steps": "20", "batch": "2", "late_batch": "2", "warmup_steps": "5"}
SHIPPED = ["autoencoder", "denoiser", "flow", "vqvae", "vqvae-prior"]


@dataclass(frozen=True)
class Run:
    """A family's run of twenty steps, and the model files made of it."""

    family: str
    run_dir: Path
    files: list[Path]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


def tile(seed: int, side: int = 128) -> np.ndarray:
    """A generated picture ``side side 3``, much like a photo: gradients, an edge, grain."""
    random = np.random.default_rng(seed)
    few = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
    soft = np.asarray(few.resize((side, side), Image.Resampling.BICUBIC))
    made = np.clip(soft + random.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)
    made[side // 4 : side // 2, side // 3 :] = random.integers(0, 256, 3)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        Image.fromarray(tile(number)).save(folder / f"{number}.png")
    return folder


def settings(family: str, **more: str) -> dict[str, str]:
    network = {f"net.{name}": text for name, text in TINY[family].items()}
    return {**network, **SHORT, "crop": "64", "late_crop": "64", **more}


@pytest.fixture(scope="module", params=["autoencoder", "denoiser"])
def run(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    family = request.param
    out = tmp_path_factory.mktemp(family)
    train.run(family, folder, 5, out, overrides=settings(family))
    return Run(family, out, export.run(out, out / "models", crops=2))


def test_a_run_becomes_files_that_the_runtime_codes_with(run: Run) -> None:
    picture = tile(0)[:70, :90]
    model = run.files[0]
    if run.family == "denoiser":
        result = api.denoise_detailed(picture, model=model)
        assert np.asarray(result.image).shape == picture.shape
        assert np.isfinite(result.sigma)
        return
    data = api.compress(picture, quality=90, model=model)
    back = np.asarray(api.decompress(data, model=model))
    assert back.shape == picture.shape
    assert np.abs(back.astype(int) - picture).mean() < 45
    assert api.info(data).codec == run.family.removesuffix("-prior")


def test_training_goes_on_from_its_files(run: Run, folder: Path, tmp_path: Path) -> None:
    for path in run.files:
        task = FAMILIES[run.family].task(TINY[run.family], torch.device("cpu"))
        task.load(path)
        assert not task.from_scratch
        wanted = {name for name, p in task.model.named_parameters() if p.requires_grad}
        assert wanted <= task.restore(path).keys()
    few = settings(run.family, steps="3")
    figures = train.run(run.family, folder, 5, tmp_path, overrides=few, start=run.files[0])
    assert figures
    assert all(math.isfinite(value) for value in figures.values())


# ---- shipped models and old names ------------------------------------------------------------


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
