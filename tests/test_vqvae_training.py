"""Both stages of vqvae's training, from generated pictures to files that the runtime decodes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gencodec.codec import api, library
from gencodec.codec.errors import InputError
from gencodec.codec.schemes.vqvae.contract import LOGIT_UNIT, TOTAL, UNIT
from gencodec.codec.schemes.vqvae.prior import PriorState, load_priors
from gencodec.codec.session import Runtime

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.training import export, families, train
from gencodec.training import task as weights
from gencodec.training.layers import MAX_EXACT_INT
from gencodec.training.vqvae.network import Codebooks, Vqvae, VqvaeConfig
from gencodec.training.vqvae.prior_network import (
    IntLayer,
    LevelPrior,
    Priors,
    gate_tables,
)

TINY = {
    "net.levels": "2",
    "net.codes": "16",
    "net.dims": "6",
    "net.ea": "16,16,16",
    "net.es": "16,16,16",
    "net.na": "1,1,1",
    "net.ns": "1,1,1",
    "net.embed": "6",
    "net.width": "8",
    "net.depth": "1",
}
SHORT = {"batch": "4", "crop": "128", "late_crop": "128", "warmup_steps": "3"}
TEXTS = {name[4:]: text for name, text in TINY.items()}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for number in range(3):
        small = random.integers(0, 256, (6, 6, 3), np.uint8)
        soft = Image.fromarray(small).resize((128, 128), Image.Resampling.BICUBIC)
        soft.save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def codes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("codes")
    train.run("vqvae", folder, 5, out, overrides={**TINY, **SHORT, "steps": "12"})
    return out / "weights.safetensors"


@pytest.fixture(scope="module")
def trained(folder: Path, codes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("priors")
    overrides = {**TINY, **SHORT, "steps": "4"}
    train.run("vqvae-prior", folder, 5, out, overrides=overrides, start=codes)
    return out


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder, _ = export.run(trained, tmp_path_factory.mktemp("models"))
    return encoder


def config() -> VqvaeConfig:
    return VqvaeConfig(**weights.parse_network(VqvaeConfig, TEXTS))


def test_two_stages_to_a_file_that_decodes(folder: Path, exported: Path) -> None:
    picture = np.asarray(Image.open(folder / "0.png"))
    result = api.compress_detailed(picture, "vqvae", 100, model=exported)
    back = np.asarray(api.decompress(result.data, model=exported))
    assert np.abs(back.astype(int) - picture).mean() < 45
    assert 8 * len(result.data) < 64 * 2 * 4 + 40 * 8


def test_the_runtimes_priors_equal_torchs(exported: Path) -> None:
    task = families.VqvaePriorTask(TEXTS, torch.device("cpu"))
    task.load(exported)
    _, decoder = library.default_pair("vqvae", exported)
    field = PriorState(load_priors(decoder.file), [(5, 4)])
    codes = np.random.default_rng(1).integers(0, 16, (2, 5, 4))
    field.codes[:, field.everywhere] = codes.reshape(2, -1)
    for level, prior in enumerate(task.model.priors.levels):
        with torch.no_grad():
            logits = prior(torch.from_numpy(codes)[None])[0]
        assert torch.equal(logits, logits.round())
        nats = torch.log_softmax(logits.double() / LOGIT_UNIT, 0).permute(1, 2, 0).reshape(20, -1)
        field.begin(level)
        share = torch.from_numpy(field.frequencies(field.everywhere) / TOTAL)
        assert torch.allclose(share.log(), nats, atol=2e-3)


def test_the_exported_networks_equal_torchs(folder: Path, exported: Path) -> None:
    task = families.VqvaeTask(TEXTS, torch.device("cpu"))
    task.load(exported)
    task.model.eval()
    encoder, decoder = library.default_pair("vqvae", exported)
    picture = np.asarray(Image.open(folder / "1.png"))[:64, :96]
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    runtime, sent = Runtime("cpu", 1), np.zeros((1, 2), np.float32)
    sent[0, 1] = 1
    with torch.no_grad():
        z = task.model.latent(x)
        (got,) = encoder.run("analysis", runtime, x=picture[None])
        assert np.allclose(got, z.numpy(), atol=1e-3)
        _, sums = task.model.codebooks(z)
        want = task.model.pixels(sums[1], torch.tensor([2]))[0].permute(1, 2, 0).numpy()
    (rgb,) = decoder.run("synthesis", runtime, z=sums[1].numpy(), sent=sent)
    gap = np.abs(rgb[0] - np.clip(np.floor(want * 255 + 0.5), 0, 255))
    assert gap.max() <= 1


def test_starting_from_shipped_models(codes: Path, trained: Path, exported: Path) -> None:
    _, _, tensors, _ = families.load_weights(trained / "weights.safetensors")
    task = families.VqvaePriorTask(TEXTS, torch.device("cpu"))
    task.load(exported)
    found = dict(task.model.named_parameters())
    assert found
    for name, parameter in found.items():
        wanted = tensors[name]
        layer = task.model.get_submodule(name.rpartition(".")[0])
        if isinstance(layer, IntLayer) and not name.endswith("bias"):  # what an int8 cannot hold
            wanted = wanted.clamp(-127 / 2.0**layer.shift, 127 / 2.0**layer.shift)
            wanted = wanted * layer.mask if name.endswith("weight") else wanted
        elif name.endswith((".own", ".others")):
            wanted = wanted.clamp(-127 / UNIT, 127 / UNIT)
        assert torch.allclose(parameter, wanted, atol=2e-2), name
    vectors = task.model.vqvae.codebooks.codevectors
    assert torch.allclose(vectors, tensors["vqvae.codebooks.codevectors"], rtol=2e-3, atol=1e-3)
    with pytest.raises(InputError, match="other settings"):
        families.VqvaeTask({**TEXTS, "dims": "7"}, torch.device("cpu")).load(exported)


def test_resume(folder: Path, trained: Path, tmp_path: Path) -> None:
    for name in ("checkpoint.pt", "run.json", "log.jsonl"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    overrides = {**TINY, **SHORT, "steps": "2"}
    train.run("vqvae-prior", folder, 5, tmp_path, resume=True, overrides=overrides)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 6
    assert 0 < rows[-1]["bpp1"] < rows[-1]["bpp2"]


def test_the_stages_are_told_apart(folder: Path, codes: Path, tmp_path: Path) -> None:
    overrides = {**TINY, **SHORT, "steps": "1"}
    with pytest.raises(InputError, match="needs --init"):
        train.run("vqvae-prior", folder, 5, tmp_path, overrides=overrides)
    with pytest.raises(InputError, match="other settings of dims"):
        wrong = {**overrides, "net.dims": "7"}
        train.run("vqvae-prior", folder, 5, tmp_path, overrides=wrong, start=codes)
    with pytest.raises(InputError, match="first stage"):
        export.run(codes.parent, tmp_path)


def test_codebooks_follow_and_revive() -> None:
    torch.manual_seed(0)
    c = config()
    books = Codebooks(c, decay=0.9)
    centres = 4 * torch.randn(c.codes, c.dims)
    assert not books.begun
    vectors = centres.repeat(20, 1) + 0.1 * torch.randn(20 * c.codes, c.dims)
    books.begin(vectors, batch=len(vectors))
    assert books.begun
    z = vectors.T.reshape(1, c.dims, 20, c.codes)
    _, sums = books(z)
    start = (sums[-1] - z).square().mean()
    assert start < 0.3 * z.square().mean()
    shifted = z + 0.5  # the averages follow where the vectors go
    for _ in range(60):
        _, sums = books(shifted, learn=True)
    assert (sums[0] - shifted).square().mean() < (books(z)[1][0] - z).square().mean()
    books.codevectors[0, 3] = 1e3  # a code that nothing is near to comes back
    books.count[0, 3], books.total[0, 3] = 1e-6, 1e-3
    books(shifted, learn=True)
    assert books.codevectors[0, 3].abs().max() < 100
    _, better = books(z)
    errors = [(part - z).square().mean() for part in better]
    assert errors[1] < errors[0]


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    task = families.VqvaeTask(TEXTS, torch.device("cpu"))
    random = torch.rand(4, 3, 128, 128)
    task.model.train()
    optimizer = torch.optim.Adam(task.model.parameters(), lr=1e-3)
    waiting = dict(task.model.named_parameters())
    for _ in range(8):
        optimizer.zero_grad()
        task.loss(random, 0.5).backward()
        optimizer.step()
        waiting = {n: p for n, p in waiting.items() if p.grad is None or not p.grad.abs().sum() > 0}
    assert not waiting, sorted(waiting)
    model = Priors(config())
    model(torch.randint(0, 16, (2, 2, 6, 6))).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.numel():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_priors_are_integers_below_their_bounds() -> None:
    torch.manual_seed(1)
    prior = LevelPrior(config(), 1)
    seen = []
    for layer in prior.modules():
        if hasattr(layer, "limits"):
            layer.register_forward_hook(lambda _m, inputs, out: seen.append((_m, inputs, out)))
    prior(torch.randint(0, 16, (1, 2, 6, 6)))
    assert len(seen) == 7
    for layer, inputs, out in seen:
        assert torch.equal(out, out.round())
        assert inputs[0].abs().max() <= layer.limits[0] < MAX_EXACT_INT
        assert layer.clip[0] <= out.min() and out.max() <= layer.clip[1]
    tanh, sigmoid = gate_tables()
    assert tanh.abs().max() <= 127
    assert sigmoid.min() > 0 and sigmoid.max() <= 127


def test_costs_stay_within_the_budget() -> None:
    """Multiplications a pixel of the default network's synthesis, and bytes of the priors."""
    model = Vqvae().eval()
    cost = 0.0

    def count(layer, _inputs, output) -> None:
        nonlocal cost
        cost += output[0, 0].numel() * layer.weight.numel() / 128**2

    for layer in model.g_s.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        model.pixels(torch.zeros(1, 48, 8, 8), torch.tensor([1]))
    assert 1000 < cost < 25_000
