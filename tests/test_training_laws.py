"""Laws that every family of training obeys.

Twenty steps on generated tiles become files that the runtime codes with, and training goes on from
those files; every parameter that trains gets a gradient; names of before still load.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from gencodec.codec import api, library
from gencodec.training import export, old_names, train
from gencodec.training.families import FAMILIES

VQVAE = {
    "levels": "2",
    "codes": "16",
    "dims": "6",
    "ea": "16,16,16",
    "es": "16,16,16",
    "na": "1,1,1",
    "ns": "1,1,1",
    "embed": "6",
    "width": "8",
    "depth": "1",
}
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
    # As few weights as a layer may have, which an export could take for a shape's numbers.
    "flow": {"width": "8", "chroma": "8", "kinds": "2"},
    "vqvae": VQVAE,
    "vqvae-prior": VQVAE,
}
STARTS = {"vqvae-prior": "vqvae"}  # a second stage, which starts from the first one's weights
EXPORTED = ["autoencoder", "denoiser", "flow", "vqvae-prior"]
SHORT = {"steps": "20", "batch": "2", "late_batch": "2", "warmup_steps": "5"}
CROPS = {"vqvae": "128", "vqvae-prior": "128"}  # pixels a side; 64 elsewhere


@dataclass(frozen=True)
class Run:
    """A family's run of twenty steps.

    Attributes:
        without_gradient: parameters that were trained, and never got one other than zero.
    """

    family: str
    folder: Path
    without_gradient: list[str]


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
    """A folder of tiles to train on, and one of a smaller tile to validate on."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, tiles in {"train": [tile(0), tile(1)], "validation": [tile(2, 64)]}.items():
        (folder / name).mkdir()
        for number, picture in enumerate(tiles):
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    return folder


def train_on(
    folder: Path, family: str, out: Path, start: Path | None, **more: str
) -> dict[str, float]:
    network = {f"net.{name}": text for name, text in TINY[family].items()}
    crop = CROPS.get(family, "64")
    texts = {**network, **SHORT, "crop": crop, "late_crop": crop, **more}
    data, validation = folder / "train", folder / "validation"
    return train.run(family, data, 5, out, False, texts, validation, start)


Trained = Callable[[str], Run]


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A family's run, made when first asked for."""

    @cache
    def run(family: str) -> Run:
        first = STARTS.get(family)
        start = run(first).folder / "weights.safetensors" if first else None
        out = tmp_path_factory.mktemp(family)
        moved: dict[torch.nn.Parameter, bool] = {}

        def look(optimizer: torch.optim.Optimizer, *_: object) -> None:
            for group in optimizer.param_groups:
                for p in group["params"]:
                    moved[p] = moved.get(p, False) or (p.grad is not None and bool(p.grad.any()))

        hook = register_optimizer_step_pre_hook(look)
        try:
            train_on(folder, family, out, start)
        finally:
            hook.remove()
        return Run(family, out, _without_gradient(family, list(moved.values())))

    return run


def _without_gradient(family: str, moved: list[bool]) -> list[str]:
    """Names of the parameters that did not move, in the order of the loop's optimizer."""
    task = FAMILIES[family].task(TINY[family], torch.device("cpu"))
    trains = {name: p for name, p in task.model.named_parameters() if p.requires_grad}
    groups: dict[float, list[str]] = {}
    for name in trains:
        groups.setdefault(task.lr_scale(name), []).append(name)
    names = [name for group in groups.values() for name in group]
    # A parameter without numbers is what the first level would hold of the levels before it.
    pairs = zip(names, moved, strict=True)
    return [name for name, seen in pairs if not seen and trains[name].numel()]


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """A run's model files."""

    @cache
    def files(family: str) -> list[Path]:
        return export.run(trained(family).folder, tmp_path_factory.mktemp("models"), crops=2)

    return files


@pytest.mark.parametrize("family", EXPORTED)
def test_a_run_becomes_files_that_the_runtime_codes_with(family: str, exported: Callable) -> None:
    picture, (model, *_) = tile(0)[:70, :90], exported(family)
    if family == "denoiser":
        result = api.denoise_detailed(picture, model=model)
        assert np.asarray(result.image).shape == picture.shape
        assert np.isfinite(result.sigma)
        return
    codec = family.removesuffix("-prior")
    coded = api.compress_detailed(picture, codec, 90, model=model)
    assert api.info(coded.data).codec == codec
    assert abs(8 * len(coded.data) - coded.estimate_bits) < 0.01 * coded.estimate_bits + 320
    back = np.asarray(api.decompress(coded.data, model=model))
    assert back.shape == picture.shape
    if codec != "vqvae":  # its vectors know no picture after 20 steps: see test_vqvae_training
        assert np.abs(back.astype(int) - picture).mean() < 45


@pytest.mark.parametrize("family", EXPORTED)
def test_training_goes_on_from_its_files(
    family: str, exported: Callable, folder: Path, tmp_path: Path
) -> None:
    for path in exported(family):
        task = FAMILIES[family].task(TINY[family], torch.device("cpu"))
        task.load(path)
        assert not task.from_scratch
        trains = {name for name, p in task.model.named_parameters() if p.requires_grad}
        assert trains <= task.restore(path).keys()
    figures = train_on(folder, family, tmp_path, exported(family)[0], steps="2")
    assert figures
    assert all(math.isfinite(value) for value in figures.values())


@pytest.mark.parametrize("family", TINY)
def test_every_parameter_gets_a_gradient(family: str, trained: Trained) -> None:
    """Within a few steps: blocks start as the identity, their inner layers wait for the outer."""
    assert trained(family).without_gradient == []


# ---- shipped models and old names ------------------------------------------------------------


def shipped_file(family: str) -> Path:
    entry = library.shipped()[family.removesuffix("-prior")]
    if family == "denoiser":
        return library.default_single("denoiser").path
    return library.default_pair(family.removesuffix("-prior"))[0].path if entry else Path()


@pytest.mark.parametrize("family", TINY)
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
