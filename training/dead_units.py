"""Hidden units that never act: found by looking at a few pictures, and started again.

A ReLU that is below zero for every picture has no gradient. Plain training of the autoencoder lost
nine tenths of its hidden units so, without a sign of it but a network that learnt little.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import Residual

__all__ = ["BlockActivity", "record_activity", "reinitialize"]

NEVER = 1e-3  # of all positions of a batch, at most


@dataclass
class BlockActivity:
    """What one block was seen to do."""

    power: Tensor  # sum over batches of the input's mean square, by channel
    batches: int
    active: dict[str, Tensor]  # largest share of positions with a hidden unit above zero


@contextmanager
def record_activity(model: nn.Module) -> Iterator[dict[str, BlockActivity]]:
    """Watches the residual blocks of ``model``, by name, through all that is computed inside.

    Example:
        >>> block = torch.nn.Sequential(Block(4))
        >>> with record_activity(block) as seen:
        ...     _ = block(torch.ones(1, 4, 8, 8))
        >>> seen["0"].power.shape
        torch.Size([4])
    """
    seen: dict[str, BlockActivity] = {}
    handles = []
    for name, block in model.named_modules():
        if isinstance(block, Residual):

            def note(block: Residual, inputs: tuple[Tensor, ...], name: str = name) -> None:
                power = inputs[0].float().square().mean((0, 2, 3))
                if name not in seen:
                    seen[name] = BlockActivity(torch.zeros_like(power), 0, {})
                seen[name].power += power
                seen[name].batches += 1
                active = seen[name].active
                for layer, hidden in block.hidden(inputs[0]).items():
                    share = (hidden > 0).float().mean((0, 2, 3))
                    active[layer] = torch.maximum(active.get(layer, share), share)

            handles.append(block.register_forward_pre_hook(note))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def reinitialize(model: nn.Module, seen: dict[str, BlockActivity]) -> int:
    """Scales the blocks by what was seen and restarts units that add nothing; returns how many.

    What the model computes on those pictures stays the same, and so do blocks that do not train.
    """
    count = 0
    for name, block in model.named_modules():
        trains = any(parameter.requires_grad for parameter in block.parameters())
        if isinstance(block, Residual) and name in seen and trains:
            spread = (seen[name].power / seen[name].batches).sqrt()
            least = max(0.1 * float(spread.median()), 0.003 * float(spread.max()))
            block.scale_by(spread.clamp(min=least + 1e-12))
            for front, behind in block.pairs:
                added = block.output_weight(behind)[0].abs().amax((0, 2, 3))
                dead = (seen[name].active[front] < NEVER) | (added == 0)
                block.reinitialize(front, behind, dead)
                count += int(dead.sum())
    return count
