"""Residual blocks whose insides can be computed in integers of 8 bits.

What a block adds is small beside what it adds to, so that its insides need few digits: the sums
between blocks stay floats. Processors multiply bytes three to four times as fast as floats.

Reference:
    Jacob et al. 2018, "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference" (arXiv 1712.05877): training that sees the rounding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Residual, in_float32, round_ste

__all__ = ["SIGNED", "UNSIGNED", "WEIGHTS", "ByteConv2d", "InvertedResidual", "calibrate"]

SIGNED, UNSIGNED = 127, 255  # steps from zero to the largest value of what layers see
# Of weights, half as many: where a processor lacks instructions for bytes, pairs of products are
# added in 16 bits, and two of 255 * 127 would not fit.
WEIGHTS = {"widen": 63, "depthwise": 127, "narrow": 63}
POINTWISE = 63  # those of a `ByteConv2d`
REACH = 0.9999  # of a channel's values are not clipped


class InvertedResidual(Residual):
    """A wide depthwise layer between two pointwise ones, residual; shape ``b c h w`` is kept.

    x -> 1x1 -> depthwise 3x3 -> ReLU -> 1x1 -> (+ x)

    The ReLU is behind the depthwise layer, so that a hidden unit is a pattern across positions.
    Once `calibrate` has set ``reach``, the largest values of what the three layers see, by
    channel, the block computes what integers of 8 bits give.

    Reference:
        Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks"
        (arXiv 1801.04381).
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, hidden, 1)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.narrow = nn.Conv2d(hidden, channels, 1, bias=False)
        self.register_buffer("reach", None)
        self.reach: Tensor | None
        with torch.no_grad():  # starts next to the identity: depth then does no harm
            self.narrow.weight.mul_(1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.conv2d(self.inside(x), self._narrow())

    def inside(self, x: Tensor) -> Tensor:
        """What the last layer sees."""
        if self.reach is None:
            wide = F.conv2d(x, self.seen("widen"), self.widen.bias)
            return F.relu(self.depthwise(wide))
        first, second, third = self.reaches()
        weight = rounded_rows(self.seen("widen") * first, WEIGHTS["widen"])
        x = rounded(x / first, SIGNED, -1.0) * (1 / SIGNED)
        wide = F.conv2d(x, weight, self.widen.bias)
        wide = rounded(wide / second, SIGNED, -1.0) * (second / SIGNED)
        weight = rounded_rows(self.depthwise.weight, WEIGHTS["depthwise"])
        hidden = self.depthwise.in_channels
        wide = F.conv2d(wide, weight, self.depthwise.bias, padding=1, groups=hidden)
        return rounded(wide / third, UNSIGNED, 0.0) * (third / UNSIGNED)

    def reaches(self) -> tuple[Tensor, Tensor, Tensor]:
        """``reach`` of the three layers, each ``1 c 1 1``."""
        assert self.reach is not None
        wide = self.depthwise.in_channels
        counts = [self.widen.in_channels, wide, wide]
        first, second, third = self.reach[None, :, None, None].split(counts, 1)
        return first, second, third

    @torch.no_grad()
    def measured(self, x: Tensor) -> Tensor:
        """The reach that suits ``x``."""
        wide = F.conv2d(x, self.seen("widen"), self.widen.bias)
        seen = x, wide, F.relu(self.depthwise(wide))
        reach = torch.cat([reach_of(values) for values in seen])
        return reach.clamp(min=1e-3 * float(reach.median()) + 1e-12)

    def _narrow(self) -> Tensor:
        weight, _ = self.added("narrow")
        if self.reach is None:
            return weight
        third = self.reaches()[2]
        return rounded_rows(weight * third, WEIGHTS["narrow"]) / third

    def hidden(self, x: Tensor) -> dict[str, Tensor]:
        return {"widen": self.depthwise(F.conv2d(x, self.seen("widen"), self.widen.bias))}

    @torch.no_grad()
    def restart(self, front: str, behind: str, dead: Tensor) -> None:
        super().restart(front, behind, dead)
        hidden = self.depthwise.in_channels
        fresh = nn.Conv2d(hidden, hidden, 3, groups=hidden)
        self.depthwise.weight[dead] = fresh.weight.to(self.depthwise.weight)[dead]
        if self.depthwise.bias is not None:
            self.depthwise.bias[dead] = 0


class ByteConv2d(nn.Conv2d):
    """A 1x1 convolution that computes in 8 bits once `calibrate` has set ``reach``.

    For where an error of half a percent does no harm: in the nets of means, which residuals make
    up for. Until then, where ``precise``, it stays in float32 as a `PreciseConv2d` does.
    """

    def __init__(self, channels: int, out: int, kernel: int = 1, precise: bool = False) -> None:
        super().__init__(channels, out, kernel)
        self.precise = precise
        self.register_buffer("reach", None)
        self.reach: Tensor | None

    def _load_from_state_dict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, state: dict[str, Any], prefix: str, *rest: Any
    ) -> None:
        found = state.get(f"{prefix}reach")
        self.reach = None if found is None else torch.empty_like(found)
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, input: Tensor) -> Tensor:
        if self.reach is None:
            precise = self.precise and self.training
            return in_float32(super().forward, input) if precise else super().forward(input)
        reach = self.reach[None, :, None, None]
        x = rounded(input / reach, SIGNED, -1.0) * (1 / SIGNED)
        return F.conv2d(x, rounded_rows(self.weight * reach, POINTWISE), self.bias)

    @torch.no_grad()
    def measured(self, x: Tensor) -> Tensor:
        """The reach that suits ``x``."""
        reach = reach_of(x)
        return reach.clamp(min=1e-3 * float(reach.median()) + 1e-12)


def reach_of(x: Tensor) -> Tensor:
    """By channel, what all absolute values but a few are below."""
    flat = x.abs().float().transpose(0, 1).flatten(1)
    return flat.kthvalue(max(1, round(REACH * flat.shape[1])), dim=1).values


def rounded(x: Tensor, steps: int, low: float) -> Tensor:
    """``x``, clipped to ``low..1``, in whole steps of which there are ``steps`` from 0 to 1."""
    return round_ste(torch.clamp(x.float(), low, 1.0) * steps)


def rounded_rows(weight: Tensor, steps: int) -> Tensor:
    """A weight as integers of at most ``steps``, times a scale of each row's own."""
    scale = weight.detach().abs().amax((1, 2, 3), keepdim=True) / steps + 1e-12
    return round_ste(weight / scale) * scale


@torch.no_grad()
def calibrate(network: nn.Module, inputs: list[tuple[Tensor, ...]]) -> None:
    """Lets parts of ``network`` compute in 8 bits, by what they see for ``inputs``.

    Those that do already are left as they are. Blocks in a row see nearly the same and share the
    reach of it.
    """
    seen: dict[InvertedResidual | ByteConv2d, Tensor] = {}
    handles = []
    for block in network.modules():
        if isinstance(block, InvertedResidual | ByteConv2d) and block.reach is None:

            def note(block: InvertedResidual | ByteConv2d, arguments: tuple[Tensor, ...]) -> None:
                reach = block.measured(arguments[0])
                seen[block] = torch.maximum(seen.get(block, reach), reach)

            handles.append(block.register_forward_pre_hook(note))
    for arguments in inputs:
        network(*arguments)
    for handle in handles:
        handle.remove()
    for block, reach in seen.items():
        block.reach = reach
    for row in network.modules():
        if isinstance(row, nn.Sequential):
            blocks = [block for block in row if isinstance(block, InvertedResidual)]
            if len(blocks) == len(row):
                share(blocks)


def share(blocks: list[InvertedResidual]) -> None:
    """The largest reach of what the blocks see becomes that of each."""
    reaches = [block.reach for block in blocks if block.reach is not None]
    for reach in reaches:
        count = blocks[0].widen.in_channels
        reach[:count] = torch.stack([one[:count] for one in reaches]).amax(0)
