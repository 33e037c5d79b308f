"""Residual blocks that see all channels alike, and hidden units that are started again."""

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from torch import Tensor

from gencodec.training.autoencoder.int8_blocks import InvertedResidual
from gencodec.training.dead_units import NEVER, record_activity, reinitialize
from gencodec.training.layers import Block, Residual


def blocks() -> list[Residual]:
    torch.manual_seed(0)
    return [Block(12), InvertedResidual(12, 20)]


def uneven(count: int = 2) -> Tensor:
    """Channels whose sizes go over four orders of magnitude."""
    size = torch.logspace(-3, 1, 12)[:, None, None]
    return torch.randn(count, 12, 16, 16, generator=torch.Generator().manual_seed(1)) * size


def parameters(block: Residual) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in block.named_parameters()}


@torch.no_grad()
@pytest.mark.parametrize("number", [0, 1])
def test_a_spread_changes_nothing_and_goes_back_into_plain_weights(number: int) -> None:
    block, x = blocks()[number], uneven()
    wanted = block(x)
    block.scale_by(torch.logspace(-3, 1, 12))
    assert torch.allclose(block(x), wanted, rtol=1e-4, atol=1e-5)
    kept = blocks()[number]
    kept.load_state_dict(block.state_dict())  # a checkpoint, with the spread
    assert torch.equal(kept(x), block(x))
    plain = block.plain(parameters(block))
    again = blocks()[number]
    again.load_state_dict(plain)
    assert torch.allclose(again(x), wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("number", [0, 1])
def test_idle_units_start_again_and_the_output_stays(number: int) -> None:
    block, x = blocks()[number], uneven()
    for front, _ in block.pairs:  # the layer right in front of the ReLU
        last = "depthwise" if isinstance(block, InvertedResidual) else front
        getattr(block, last).bias[3:8] = -1e4
    wanted = block(x)
    model = torch.nn.Sequential(block)
    with record_activity(model) as seen:
        model(x)
    assert reinitialize(model, seen) == 5 * len(block.pairs)
    assert torch.allclose(block(x), wanted, rtol=1e-3, atol=1e-4)
    with record_activity(model) as seen:
        model(x)
    for front, _ in block.pairs:
        assert (seen["0"].active[front][3:8] > NEVER).all()
