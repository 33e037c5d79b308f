"""What the default codec's encoder makes of residuals, in training and in the codec."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'gencodec[train]'")

from typing import Any

from gencodec.codec.schemes.autoencoder.contract import (
    RDO_LAMBDA,
    RDOQ_MAX,
    rdoq_thresholds,
)
from gencodec.codec.schemes.autoencoder.segment import quantize
from gencodec.training.autoencoder.int8_blocks import Int8Conv2d, calibrate
from gencodec.training.autoencoder.quantizer import ROWS, SKIPPED_ROWS, Quantizer, width


def some(count: int = 20_000) -> tuple[Any, Any]:
    """Quantizer of the widths of their rows, and those rows."""
    random = torch.Generator().manual_seed(3)
    rows = torch.randint(0, ROWS, (count,), generator=random).float()
    return torch.randn(count, generator=random) * width(rows), rows


def test_the_choice_is_the_cheaper_of_the_two_nearest_sizes() -> None:
    random = np.random.default_rng(1)
    bits = np.cumsum(random.uniform(0, 4, (5, RDOQ_MAX + 1)), 1).astype(np.float32)
    at = rdoq_thresholds(bits)
    rows = random.integers(0, 5, 5000)
    distance = random.uniform(0, RDOQ_MAX + 0.4, rows.size).astype(np.float32)
    nearest = np.floor(distance + 0.5).astype(int)
    below = np.maximum(nearest - 1, 0)
    cost = (distance - nearest) ** 2 + RDO_LAMBDA * bits[rows, nearest]
    cost_below = (distance - below) ** 2 + RDO_LAMBDA * bits[rows, below]
    clear = np.abs(cost - cost_below) > 1e-4
    chosen = nearest - (distance < at[rows, nearest])
    assert np.array_equal(chosen[clear], np.where(cost_below < cost, below, nearest)[clear])
    assert (chosen < nearest).any()


def test_training_rounds_as_the_codec_does() -> None:
    residuals = Quantizer()
    residual, rows = some()
    thresholds = residuals.thresholds.numpy()
    wanted = quantize(residual.numpy(), rows.numpy().astype(np.uint8), thresholds)
    wanted[rows.numpy() <= SKIPPED_ROWS] = 0
    with torch.no_grad():
        values, bits = residuals(residual, rows, False)
    assert np.array_equal(values.numpy(), wanted)
    assert (bits[rows <= SKIPPED_ROWS] == 0).all()
    assert (values.abs() < torch.floor(residual.abs() + 0.5)).any()


def test_probabilities_sum_to_one() -> None:
    residuals = Quantizer()
    rows = torch.arange(0, 45).float()
    size = torch.arange(0, 60).float()
    mass = 2 ** -residuals.bits(size[None].expand(45, -1), rows[:, None].expand(-1, 60))
    torch.testing.assert_close(mass[:, 0] + 2 * mass[:, 1:].sum(1), torch.ones(45))


def test_bits_are_about_those_of_noise_in_wide_rows() -> None:
    residuals = Quantizer()
    residual, rows = some()
    wide = rows > 40
    with torch.enable_grad():
        hard = residuals(residual, rows, False)[1][wide].mean()
        noisy = residuals(residual, rows, True)[1][wide].mean()
    assert abs(float(hard - noisy)) < 0.02


def test_what_learns_from_what() -> None:
    """An encoder from noise; once it stands still, means from noise and rows from symbols."""
    residuals = Quantizer()
    residual, rows = some()
    rows = rows.clamp(min=SKIPPED_ROWS + 1)
    for encoder_trains in (True, False):
        seen = residual.clone().requires_grad_(), rows.clone().requires_grad_()
        values, bits = residuals(*seen, encoder_trains)
        bits.sum().backward()
        assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in seen)
        torch.testing.assert_close(values, values.round())
    values = residuals(seen[0], torch.full_like(rows, SKIPPED_ROWS), False)[0]
    assert not values.any() and not torch.autograd.grad(values.sum(), seen[0])[0].any()


def test_a_layer_in_bytes_is_near_to_the_layer() -> None:
    torch.manual_seed(2)
    layer = Int8Conv2d(24, 40)
    x = torch.randn(2, 24, 16, 16) * torch.linspace(0.1, 9, 24)[None, :, None, None]
    with torch.no_grad():
        wanted = layer(x)
        calibrate(layer, [(x,)])
        gap = layer(x) - wanted
    assert layer.activation_range is not None and layer.activation_range.shape == (24,)
    assert 0 < gap.square().mean() < 1e-3 * wanted.square().mean()
    y = layer(x.requires_grad_())
    y.square().sum().backward()
    assert layer.weight.grad is not None and (layer.weight.grad != 0).all()
    copy = Int8Conv2d(24, 40)
    copy.load_state_dict(layer.state_dict())
    assert torch.equal(copy(x), y)
