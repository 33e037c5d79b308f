"""The optimizer: what it gains over Adam, where it does the same, and how it goes on."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import Tensor
from torch.nn import Parameter

from gencodec.training.soap import Soap

COUNT = 24


def _distance_after(optimizer_of: Callable, turn: Tensor, steps: int = 600) -> float:
    """From the bottom of a quadratic over ``o i 1 1`` whose axes over the inputs are turned."""
    random = torch.Generator().manual_seed(0)
    start = 0.3 * torch.randn(COUNT, COUNT, generator=random) @ turn.T
    weight = Parameter(start[:, :, None, None])
    root = turn @ torch.diag(torch.logspace(0, -2, COUNT))
    optimizer = optimizer_of([weight])
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / steps)
        optimizer.zero_grad()
        # As of batches: the gradients' noise has the covariance of the curvature.
        noise = torch.randn(COUNT, COUNT, generator=random) @ root.T
        w = weight[:, :, 0, 0]
        ((w @ root).square().sum() + 0.01 * (noise * w).sum()).backward()
        optimizer.step()
    return float(weight.detach().square().mean().sqrt())


def test_it_descends_farther_than_adam_where_axes_are_turned() -> None:
    random = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(COUNT, COUNT, generator=random))[0]
    adam = _distance_after(lambda p: torch.optim.Adam(p, betas=(0.9, 0.98)), turn)
    soap = _distance_after(Soap, turn)
    assert soap < 0.5 * adam, (soap, adam)


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4)])
def test_what_is_no_convolution_gets_adam_a_step_late(shape: tuple[int, ...]) -> None:
    """Nothing moves in the first step; then Adam's moments are those of one step more."""
    random = torch.Generator().manual_seed(2)
    gradients = [torch.randn(shape, generator=random) for _ in range(6)]
    ours, theirs = (Parameter(torch.zeros(shape)) for _ in range(2))
    soap = Soap([ours], 1e-3)
    adam = torch.optim.Adam([theirs], 1e-3, betas=(0.9, 0.98))
    for at, gradient in enumerate(gradients):
        ours.grad = gradient.clone()
        soap.step()
        if at:
            theirs.grad = gradient.clone()
            adam.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5, 3, 3), (8, 1, 5, 5), (4, 500, 1, 1), (3, 4, 2, 2)])
def test_it_goes_on_from_its_state(shape: tuple[int, ...]) -> None:
    """Every form of convolution, over several turns of the bases."""
    random = torch.Generator().manual_seed(3)
    gradients = [torch.randn(shape, generator=random) for _ in range(50)]

    def steps(weight: Parameter, optimizer: Soap, part: list[Tensor]) -> None:
        for gradient in part:
            weight.grad = gradient.clone()
            optimizer.step()

    whole = Parameter(torch.zeros(shape))
    steps(whole, Soap([whole], 1e-3), gradients)
    first = Parameter(torch.zeros(shape))
    before = Soap([first], 1e-3)
    steps(first, before, gradients[:30])
    second = Parameter(first.detach().clone())
    after = Soap([second], 1e-3)
    after.load_state_dict(before.state_dict())
    steps(second, after, gradients[30:])
    assert torch.equal(second, whole)
    # Steps are about as large as Adam's, whatever the basis.
    assert 0.1e-3 < float(whole.detach().abs().mean()) < 50e-3


def test_gradients_of_no_or_one_direction_have_a_basis() -> None:
    """The first covariances are of low rank, tiny or zero: the bases stand all the same."""
    column = torch.linspace(1e-20, 1e-12, COUNT)
    for gradient in (torch.zeros(COUNT, COUNT), column[:, None].expand(-1, COUNT)):
        weight = Parameter(torch.ones(COUNT, COUNT, 1, 1))
        optimizer = Soap([weight], 1e-3)
        for _ in range(3):
            weight.grad = gradient.clone()[:, :, None, None]
            optimizer.step()
        basis = optimizer.state[weight]["basis_outputs"]
        assert torch.allclose(basis @ basis.T, torch.eye(COUNT), atol=1e-5)
        assert torch.isfinite(weight).all()
