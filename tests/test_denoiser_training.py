"""The denoiser under training: its network, the noise it sees, and the way to a model file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from torch import Tensor, nn

from gencodec.cli import console
from gencodec.codec import denoiser
from gencodec.codec.errors import InputError
from gencodec.training import export, noise, train
from gencodec.training.denoiser import evaluate as evaluate_denoiser
from gencodec.training.denoiser.network import BLIND, STEP, Denoiser, DenoiserConfig
from gencodec.training.denoiser.restore import read_tensors

TINY = {"net.widths": "8,12,16,16", "net.blocks": "1,0,1,1,0,0,1", "net.estimator": "8,8,8"}
SHORT = {"steps": "12", "batch": "4", "crop": "64", "late_crop": "64", "warmup_steps": "3"}
CONFIG = DenoiserConfig((8, 12, 16, 16), (1, 0, 1, 1, 0, 0, 1), (8, 8, 8))
LARGEST = 4 * 10**6  # bytes of the shipped file


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for number in range(3):
        small = random.integers(0, 256, (6, 6, 3), np.uint8)
        image = Image.fromarray(small).resize((96, 72), Image.Resampling.BICUBIC)
        image.save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    figures = train.run("denoiser", folder, 5, out, overrides={**TINY, **SHORT})
    assert {"psnr15", "psnr25_e", "clean", "real", "gain", "sigma_error", "score"} <= set(figures)
    return out


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = export.run(trained, tmp_path_factory.mktemp("models"))
    return path


# ---- the network -----------------------------------------------------------------------------


def multiplications(model: Denoiser, side: int = 64) -> float:
    """Multiply-accumulates per pixel of noise and estimate, all convolutions counted."""
    total = 0

    def count(layer: nn.Conv2d, _: tuple, out: Tensor) -> None:
        nonlocal total
        total += out[0, 0].numel() * layer.weight.numel()

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    x = torch.zeros(1, 3, side, side)
    model.eval()(x, torch.tensor([10.0]))
    model.estimator(x)
    return total / side**2


def test_the_default_network_keeps_its_budget() -> None:
    model = Denoiser()
    assert multiplications(model) <= 60_000
    assert 2 * sum(p.numel() for p in model.parameters()) < LARGEST - 200_000


def test_it_starts_as_the_identity_and_every_parameter_learns() -> None:
    model = Denoiser(CONFIG)
    x, level = torch.rand(2, 3, 32, 48), torch.tensor([10.0, BLIND])
    assert torch.equal(model.eval()(x, level), x)
    with torch.no_grad():
        model.tail.weight.normal_(0, 0.1)
    (model(x, level).square().mean() + model.estimator(x).square().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("config", [CONFIG, DenoiserConfig((4,) * 4, (1,) * 7)])
def test_the_halo_holds_the_receptive_field(config: DenoiserConfig) -> None:
    model = Denoiser(config).eval()
    with torch.no_grad():
        model.tail.weight.normal_(0, 0.1)
    halo, side = model.halo, 16
    x = torch.rand(1, 3, 2 * halo + side, 2 * halo + side + 64, requires_grad=True)
    level = torch.tensor([20.0])
    inside = model(x, level)[..., halo : halo + side, halo : halo + side]
    (seen,) = torch.autograd.grad(inside.sum(), x)
    assert seen[..., 2 * halo + side :].abs().max() == 0
    assert halo % STEP == 0


def test_blind_is_not_level_zero() -> None:
    model = Denoiser(CONFIG).eval()
    with torch.no_grad():
        model.tail.weight.normal_(0, 0.1)
    x = torch.rand(1, 3, 16, 16)
    results = [model(x, torch.tensor([level])) for level in (BLIND, 0.0, 30.0)]
    assert not torch.equal(results[0], results[1])
    assert not torch.equal(results[1], results[2])


# ---- noise -----------------------------------------------------------------------------------


@pytest.fixture
def pictures() -> Tensor:
    soft = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(soft, (96, 96), mode="bilinear") * 0.6 + 0.2


@pytest.mark.parametrize("kind", noise.KINDS)
def test_every_kind_has_the_level_it_says(kind: str, pictures: Tensor) -> None:
    random, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
    noisy, level, clean = noise.mixture(pictures, random, generator, {kind: 1.0})
    assert noisy.shape == clean.shape == pictures.shape
    assert torch.isfinite(noisy).all()
    measured = 255 * (noisy - clean).square().mean((1, 2, 3)).sqrt()
    if kind == "white8":  # clipping takes some away, rounding adds a little
        assert (measured <= level + 1).all()
        assert (measured > 0.8 * level - 1).all()
    else:
        assert torch.allclose(measured, level, rtol=0.05, atol=0.05)
    if kind not in ("clean", "white"):
        levels = noisy * 255
        assert torch.allclose(levels, levels.round(), atol=1e-3)
    again, _, _ = noise.mixture(
        pictures, np.random.default_rng(1), torch.Generator().manual_seed(1), {kind: 1.0}
    )
    assert torch.equal(again, noisy)


def test_white_noise_keeps_what_lies_outside() -> None:
    noisy = noise.add(torch.zeros(1, 3, 64, 64), 25.0, torch.Generator().manual_seed(0))
    assert noisy.min() < 0
    assert float(noisy.std()) * 255 == pytest.approx(25, rel=0.05)


def test_correlated_noise_is_correlated() -> None:
    field = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    for seed in range(8):
        made = noise.correlated(field, np.random.default_rng(seed))
        assert float(made.square().mean()) == pytest.approx(1, rel=0.01)
        beside = float((made[..., 1:] * made[..., :-1]).mean())
        assert beside > 0.1, seed


def test_light_makes_noise(pictures: Tensor) -> None:
    map_ = noise.deviation(pictures, 1.0, 0.0, 0.0)
    assert float(map_.square().mean()) == pytest.approx(1, rel=0.01)
    bright = pictures > pictures.mean()
    assert map_[bright].mean() > map_[~bright].mean()


# ---- a run -----------------------------------------------------------------------------------


def test_the_runtime_gives_what_torch_gives(exported: Path) -> None:
    model = Denoiser(CONFIG)
    model.load_state_dict(read_tensors(exported, model))
    x = np.random.default_rng(0).random((32, 48, 3), np.float32)
    planes = torch.from_numpy(x).permute(2, 0, 1)[None]
    with torch.no_grad():
        wanted = model.eval()(planes, torch.tensor([30.0]))[0].permute(1, 2, 0).numpy()
    found = denoiser.denoise(x, sigma=30, model=exported)
    assert np.abs(found - wanted).max() < 1e-4


def test_training_starts_from_a_model_file(folder: Path, exported: Path, tmp_path: Path) -> None:
    few = {**TINY, **SHORT, "steps": "1", "lr": "0", "lr_end": "0"}
    train.run("denoiser", folder, 5, tmp_path / "run", overrides=few, start=exported)
    (again,) = export.run(tmp_path / "run", tmp_path / "models")
    wanted, found = Denoiser(CONFIG), Denoiser(CONFIG)
    for name, tensor in read_tensors(exported, wanted).items():
        assert torch.allclose(tensor, read_tensors(again, found)[name], atol=1e-6), name
    with pytest.raises(InputError, match="not a denoiser of these settings"):
        train.run("denoiser", folder, 5, tmp_path / "other", overrides=SHORT, start=exported)


def test_evaluate(folder: Path, exported: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        (tmp_path / "plain").mkdir(exist_ok=True)
        (tmp_path / "real").mkdir(exist_ok=True)
        (tmp_path / "plain" / path.name).write_bytes(path.read_bytes())
        (tmp_path / "real" / f"{number}_mean.png").write_bytes(path.read_bytes())
        (tmp_path / "real" / f"{number}_real.png").write_bytes(path.read_bytes())
    rows = evaluate_denoiser.run(tmp_path, exported)["rows"]
    kinds = [(row["set"], row["noise"], row["pictures"]) for row in rows]
    white = [("plain", f"white {level}", 3) for level in evaluate_denoiser.LEVELS]
    assert kinds == [*white, ("plain", "none", 3), ("real", "real", 3)]
    assert rows[2]["noisy"] == pytest.approx(20.17, abs=0.1)  # sigma 25, not clipped
    with pytest.raises(InputError, match="no pictures"):
        evaluate_denoiser.run(exported.parent, exported)


# ---- what a run tells ------------------------------------------------------------------------


def test_a_run_tells_how_far_it_is(
    folder: Path, tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[tuple[float, str]] = []
    share = console.Progress.share

    def shown(bar: console.Progress, done: float, detail: str = "") -> None:
        shares.append((done, detail))
        share(bar, done, detail)

    monkeypatch.setattr(console.Progress, "share", shown)
    settings = [f"{name}={value}" for name, value in (TINY | SHORT | {"steps": "4"}).items()]
    arguments = [word for setting in settings for word in ("--set", setting)]
    command = ("train", "denoiser", "--data", str(folder), "--minutes", "5", *arguments)
    told = run(*command, "--out", "loud", "-v")
    assert told.stdout == (tmp_path / "loud" / "log.jsonl").read_text()
    assert told.stderr.startswith("loud holds the run; 'gencodec export loud -o DIR' makes")
    rounded = [(round(done, 2), detail) for done, detail in shares]
    assert rounded == [(0, "step 1"), (0.25, "step 2"), (0.5, "step 3"), (0.75, "step 4")]
    told = run(*command, "--out", "quiet", "--quiet")
    assert (told.stdout, told.stderr) == ("", "")
    assert (tmp_path / "quiet" / "log.jsonl").read_text().count("\n") == 1
