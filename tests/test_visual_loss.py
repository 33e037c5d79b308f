"""The loss for eyes: SSIMULACRA2 as the runtime measures it, and what the metric does not see."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import Tensor

from gencodec.codec.metrics.perceptual import weighted_sum
from gencodec.training.autoencoder.visual_loss import VisualLoss
from gencodec.training.graphics import graphics_tiles


@pytest.fixture(scope="module")
def pictures(cat) -> NDArray[np.uint8]:
    """``(2, 256, 288, 3)``: a photo, and a drawing."""
    with Image.open(cat) as image:
        photo = np.asarray(image.convert("RGB"))[:256, :288]
    return np.stack([photo, graphics_tiles([], 1, seed=4)[0][:256, :288]])


MIDDLE = torch.tensor([0.5, 0.5])  # quality of two pictures


def as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def test_equals_the_runtimes_ssimulacra2(pictures: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 9, pictures.shape)
    noisy = np.clip(pictures + noise, 0, 255).astype(np.uint8)
    found = VisualLoss(torch.device("cpu"))(as_tensor(noisy), as_tensor(pictures), MIDDLE)
    wanted = [weighted_sum(*pair) for pair in zip(pictures, noisy, strict=True)]
    assert found["ssimulacra2"].tolist() == pytest.approx(wanted, rel=0.01)


def test_gradients_are_finite_where_nothing_differs(pictures: NDArray[np.uint8]) -> None:
    x = as_tensor(pictures)
    shown = x.clone().requires_grad_()
    loss = VisualLoss(torch.device("cpu"))(shown, x, MIDDLE)["error"].sum()
    loss.backward()
    assert float(loss.detach()) < 0.1  # not 0: roots have no slope there, so none is taken of 0
    assert torch.isfinite(shown.grad).all()


def test_a_tint_of_flat_ground_costs_more_than_one_of_texture() -> None:
    random = np.random.default_rng(1)
    flat = np.full((1, 256, 256, 3), 200, np.uint8)
    rough = random.integers(60, 200, (1, 256, 256, 3), np.uint8)
    loss = VisualLoss(torch.device("cpu"))
    costs = []
    for picture in (flat, rough):
        tinted = picture + np.array([6, 0, 0], np.uint8)
        costs.append(float(loss(as_tensor(tinted), as_tensor(picture), MIDDLE[:1])["colour"]))
    assert costs[0] > 4 * costs[1] > 0


def test_few_large_errors_of_flat_ground_cost_more_than_many_small_ones() -> None:
    """A square of 32 pixels eight levels off, and four such squares two levels off."""
    x = torch.full((2, 3, 256, 256), 0.5)
    shown = x.clone()
    shown[0, :, 96:128, 96:128] += 8 / 255
    shown[1, :, 96:160, 96:160] += 2 / 255
    large, small = VisualLoss(torch.device("cpu"))(shown, x, MIDDLE)["colour"].tolist()
    assert large > 1.3 * small


def test_the_squared_error_weighs_more_at_low_qualities(pictures: NDArray[np.uint8]) -> None:
    x = as_tensor(pictures[:1]).repeat(4, 1, 1, 1)
    loss = VisualLoss(torch.device("cpu"))
    found = loss((x + 0.02).clamp(0, 1), x, torch.tensor([0.0, 0.25, 0.5, 1.0]))["error"].tolist()
    assert found[0] > found[1] > found[2] == found[3]


def test_drawings_are_made_from_a_seed() -> None:
    first, again, other = (graphics_tiles([], 3, seed) for seed in (1, 1, 2))
    assert all(tile.shape == (320, 320, 3) and tile.dtype == np.uint8 for tile in first)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
