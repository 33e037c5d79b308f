"""The default codec's network: gradients, costs, exact integers, transforms and halos."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.training import data, families
from gencodec.training import frequency_tables as tables
from gencodec.training.autoencoder.network import (
    Autoencoder,
    level_weights_at,
)
from gencodec.training.layers import MAX_EXACT_INT, IntConv2d, Residual
from gencodec.training.transforms import cosine_basis, cosine_scaled, cosine_split
from helpers.tiny_autoencoder import TINY, write_pictures


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


def test_every_parameter_gets_a_gradient(folder: Path) -> None:
    task = families.AutoencoderTask(
        {name[4:]: text for name, text in TINY.items()}, torch.device("cpu")
    )
    crops = data.Crops(data.load_pictures(folder, 64), seed=1)
    task.model.train()
    waiting = {name: p for name, p in task.model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.Adam(waiting.values(), lr=1e-3)
    for _ in range(4):  # blocks start as the identity: their inner layers wait for the outer
        batch = torch.from_numpy(np.ascontiguousarray(crops.batch(4, 64))).float() / 255
        optimizer.zero_grad()
        task.loss(batch, 0.5).backward()
        optimizer.step()
        waiting = {
            name: p for name, p in waiting.items() if p.grad is None or not p.grad.abs().sum() > 0
        }
    assert not waiting, sorted(waiting)


def test_costs_stay_within_the_budget() -> None:
    """Multiplications a pixel of the default network: 25,000 to decode, 80,000 to encode."""
    model = Autoencoder().eval()
    cost: dict[str, float] = {}

    def count(part: str, layer, weights: int) -> None:
        def hook(_module, _inputs, output) -> None:
            cost[part] = cost.get(part, 0) + output[0, 0].numel() * weights / 256**2

        layer.register_forward_hook(hook)

    def visit(part: str, layer) -> None:
        kinds = torch.nn.Conv2d | IntConv2d
        if isinstance(layer, kinds | Residual):  # blocks use their layers' weights by themselves
            inside = [each for each in layer.modules() if isinstance(each, kinds)]
            count(part, layer, sum(each.weight.numel() for each in inside))
            return
        for inner in layer.children():
            visit(part, inner)

    for part in ("g_a", "h_a", "h_s", "c_m", "h_i", "c_i", "g_s"):
        visit(part, getattr(model, part))
    with torch.no_grad():
        model(torch.zeros(1, 3, 256, 256), torch.tensor([0.5]))
    decode = sum(cost[part] for part in ("h_s", "c_m", "h_i", "c_i", "g_s"))
    assert 1000 < decode <= 25_000
    assert decode - cost["g_s"] + cost["g_a"] + cost["h_a"] <= 80_000


def test_integer_layers_give_integers_below_their_bound() -> None:
    torch.manual_seed(0)
    layer = IntConv2d(6, 5, 3, gain_levels=4, input_max=31)
    with torch.no_grad():
        layer.bias.normal_()
    x = torch.randint(-31, 32, (2, 6, 7, 7)).float()
    y = layer(x, level_weights_at(torch.tensor([0.2, 0.9]), 4))
    assert torch.equal(y, y.round())
    assert y.min() >= 0 and y.max() <= 127
    assert 0 < layer.bound() < MAX_EXACT_INT


def test_mixing_weights_match_the_runtime() -> None:
    from gencodec.codec.schemes.quality import level_weights

    for position in (0, 1, 255, 256, 700, 1791, 1792):
        weights = level_weights_at(torch.tensor([position / 1792]), 8)[0]
        assert weights.sum() == 256
        assert weights.int().tolist() == level_weights(position, 8).tolist()


def test_the_cosine_basis_is_orthonormal() -> None:
    basis, spread = cosine_basis(16, 320)
    assert torch.allclose(basis @ basis.T, torch.eye(320), atol=1e-5)
    assert spread.min() > 0
    assert spread.argmax() == 0  # the mean of luma


@pytest.mark.parametrize(("side", "few", "many"), [(4, 48, 192), (8, 192, 768)])
def test_small_blocks_make_up_large_ones(side: int, few: int, many: int) -> None:
    join, split = cosine_split(side, few, many)
    assert torch.allclose(join @ split, torch.eye(many), atol=1e-3)
    picture = torch.randn(1, 3, 2 * side, 2 * side)
    blocks = torch.nn.functional.pixel_unshuffle(picture, side).flatten(2)[0]
    small = cosine_scaled(side, few)[0] @ blocks
    block = torch.nn.functional.pixel_unshuffle(picture, 2 * side).flatten(1)[0]
    large = cosine_scaled(2 * side, many)[0] @ block
    assert torch.allclose(join @ small.flatten(), large, atol=1e-3)


def test_frequencies_sum_and_stay_positive() -> None:
    random = np.random.default_rng(0)
    for size in (1, 2, 50, 3000):
        row = tables.to_frequencies(random.gamma(0.1, size=size))
        assert row.sum() == 2**16
        assert row.min() >= 1
    low, row = tables.gaussian_row(0.7, np.zeros(201, np.int64), 100)
    assert row.size == -2 * low + 2
    assert np.abs(row[:-1] - row[:-1][::-1]).max() <= 1


def test_shuffles_become_strides() -> None:
    """The same sums, without a transposition, and weights that come back as they were."""
    from gencodec.training.onnx_reader import unfold_unshuffle
    from gencodec.training.onnx_writer import fold_unshuffle

    nn = torch.nn
    network = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 5, 3, padding=1))
    network = nn.Sequential(network, nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(20, 7, 1)))
    other = fold_unshuffle(network)
    assert not any(isinstance(part, nn.PixelUnshuffle) for part in other.modules())
    x = torch.randn(2, 3, 32, 48)
    assert torch.allclose(network(x), other(x), atol=1e-6)
    for (name, old), (same, new) in zip(
        network.named_parameters(), other.named_parameters(), strict=True
    ):
        assert name == same
        assert torch.equal(unfold_unshuffle(new, old.shape), old)


def test_halos_cover_what_the_networks_see() -> None:
    """Blocks that were never trained add nothing; with random weights every one counts."""
    from gencodec.training.autoencoder.export import receptive_halos
    from gencodec.training.autoencoder.network import Autoencoder, AutoencoderConfig

    small = {"y": 16, "z": 8, "z_priors": 1, "ea": (48, 16, 16), "es": (48, 16)}
    found = []
    for deep in ((0, 0, 0), (2, 3, 2), (1, 1, 5)):
        hidden = {name: (16,) * n for name, n in zip(("h4", "h8", "h16"), deep, strict=True)}
        config = AutoencoderConfig(**small, **hidden, mean=8, context=8, index=(8, 4, 6), na=deep)  # type: ignore
        model = Autoencoder(config)
        for parameter in (*model.g_a.parameters(), *model.g_s.parameters()):
            torch.nn.init.normal_(parameter, std=0.1)
        found.append(receptive_halos(model))
    assert found == [(1, 0), (5, 4), (7, 6)]
