"""Residual blocks whose insides can be computed in integers of 8 bits.

What a block adds is small beside what it adds to, so that its insides need few digits: the sums
between blocks stay floats. Processors multiply bytes three to four times as fast as floats.

What lies between the rows of blocks is an error of the whole signal, and has weights of 16 bits.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Block, MeasuredBuffers, PreciseConv2d, Residual, in_float32
from .fake_quantization import (
    POINTWISE_STEPS,
    WEIGHT_STEPS,
    activation_range_of,
    fake_quantize_weight,
    fake_quantize_weight16,
    signed_bytes,
    unsigned_bytes,
)

__all__ = [
    "Int8Conv2d",
    "Int8DepthwiseBlock",
    "Int8Layer",
    "Int16Conv2d",
    "InvertedResidual",
    "calibrate",
    "inverted_residuals",
]


class InvertedResidual(Residual):
    """A wide depthwise layer between two pointwise ones, residual; shape ``b c h w`` is kept.

    x -> 1x1 -> depthwise 3x3 -> ReLU -> 1x1 -> (+ x)

    The ReLU is behind the depthwise layer, so that a hidden unit is a pattern across positions.
    Once `calibrate` has set ``activation_range``, the largest values of what the three layers see,
    by channel, the block computes what integers of 8 bits give.

    Reference:
        Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks"
        (arXiv 1801.04381).
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, hidden, 1)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.narrow = nn.Conv2d(hidden, channels, 1, bias=False)
        self.register_buffer("activation_range", None)
        self.activation_range: Tensor | None
        with torch.no_grad():  # starts next to the identity: depth then does no harm
            self.narrow.weight.mul_(1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.conv2d(self.inside(x), self._narrow())

    def inside(self, x: Tensor) -> Tensor:
        """What the last layer sees."""
        if self.activation_range is None:
            wide = F.conv2d(x, self.input_weight("widen"), self.widen.bias)
            return F.relu(self.depthwise(wide))
        first, second, third = self.activation_ranges()
        wide = signed_bytes(pointwise(self, "widen", signed_bytes(x / first), first, second))
        return unsigned_bytes(depthwise(self.depthwise, wide, second, third)) * third

    def activation_ranges(self) -> tuple[Tensor, Tensor, Tensor]:
        """``activation_range`` of the three layers, each ``1 c 1 1``."""
        assert self.activation_range is not None
        wide = self.depthwise.in_channels
        counts = [self.widen.in_channels, wide, wide]
        first, second, third = self.activation_range[None, :, None, None].split(counts, 1)
        return first, second, third

    def trunk_ranges(self) -> list[Tensor]:
        """The parts of ``activation_range``, not copied, that are of the row of blocks."""
        found, count = self.activation_range, self.widen.in_channels
        return [] if found is None else [found[:count]]

    @torch.no_grad()
    def measured(self, x: Tensor) -> Tensor:
        """The activation_range that suits ``x``."""
        wide = F.conv2d(x, self.input_weight("widen"), self.widen.bias)
        seen = x, wide, F.relu(self.depthwise(wide))
        activation_range = torch.cat([activation_range_of(values) for values in seen])
        return activation_range.clamp(min=1e-3 * float(activation_range.median()) + 1e-12)

    def _narrow(self) -> Tensor:
        weight, _ = self.output_weight("narrow")
        if self.activation_range is None:
            return weight
        first, _, third = self.activation_ranges()
        unit = third / rows(first)
        return fake_quantize_weight(weight * unit, WEIGHT_STEPS["narrow"]) / unit

    def hidden(self, x: Tensor) -> dict[str, Tensor]:
        return {"widen": self.depthwise(F.conv2d(x, self.input_weight("widen"), self.widen.bias))}

    @torch.no_grad()
    def reinitialize(self, front: str, behind: str, dead: Tensor) -> None:
        super().reinitialize(front, behind, dead)
        hidden = self.depthwise.in_channels
        initial = nn.Conv2d(hidden, hidden, 3, groups=hidden)
        self.depthwise.weight[dead] = initial.weight.to(self.depthwise.weight)[dead]
        if self.depthwise.bias is not None:
            self.depthwise.bias[dead] = 0


class Int8DepthwiseBlock(Block):
    """A `Block` whose insides compute in 8 bits once `calibrate` has set ``activation_range``.

    That holds the largest values, by channel, of what its five layers see.
    """

    def __init__(self, channels: int, start: float = 0.3) -> None:
        super().__init__(channels, start=start)
        self.register_buffer("activation_range", None)
        self.activation_range: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        if self.activation_range is None:
            return super().forward(x)
        first, second, third, fourth, fifth = self.activation_ranges()
        inside = unsigned_bytes(pointwise(self, "pre", signed_bytes(x / first), first, second))
        inside = signed_bytes(depthwise(self.depthwise, inside, second, third))
        x = x + self._added(inside, "post", third, first)
        inside = unsigned_bytes(pointwise(self, "widen", signed_bytes(x / fourth), fourth, fifth))
        return x + self._added(inside, "narrow", fifth, fourth)

    def _added(self, inside: Tensor, name: str, seen: Tensor, trunk: Tensor) -> Tensor:
        weight, bias = self.output_weight(name)
        weight = fake_quantize_weight(weight * seen / rows(trunk), WEIGHT_STEPS[name])
        return F.conv2d(inside, weight * rows(trunk), bias)

    def activation_ranges(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """``activation_range`` of the five layers, each ``1 c 1 1``."""
        assert self.activation_range is not None
        narrow, wide = self.pre.in_channels, self.widen.out_channels
        first, second, third, fourth, fifth = self.activation_range[None, :, None, None].split(
            [narrow, narrow, narrow, narrow, wide], 1
        )
        return first, second, third, fourth, fifth

    def trunk_ranges(self) -> list[Tensor]:
        """The parts of ``activation_range``, not copied, that are of the row of blocks."""
        found, count = self.activation_range, self.pre.in_channels
        return [] if found is None else [found[:count], found[3 * count : 4 * count]]

    @torch.no_grad()
    def measured(self, x: Tensor) -> Tensor:
        """The activation_range that suits ``x``."""
        inside = F.relu(F.conv2d(x, self.input_weight("pre"), self.pre.bias))
        spread = self.depthwise(inside)
        middle = x + F.conv2d(spread, *self.output_weight("post"))
        wide = F.relu(F.conv2d(middle, self.input_weight("widen"), self.widen.bias))
        seen = x, inside, spread, middle, wide
        activation_range = torch.cat([activation_range_of(values) for values in seen])
        return activation_range.clamp(min=1e-3 * float(activation_range.median()) + 1e-12)


class Int8Conv2d(MeasuredBuffers, nn.Conv2d):
    """A 1x1 convolution that computes in 8 bits once `calibrate` has set ``activation_range``.

    For where an error of half a percent does no harm: in the nets of means, which residuals make
    up for. Until then, where ``precise``, it stays in float32 as a `PreciseConv2d` does.
    """

    def __init__(self, channels: int, out: int, kernel: int = 1, precise: bool = False) -> None:
        super().__init__(channels, out, kernel)
        self.precise = precise
        self.register_buffer("activation_range", None)
        self.activation_range: Tensor | None

    def forward(self, input: Tensor) -> Tensor:
        if self.activation_range is None:
            precise = self.precise and self.training
            return in_float32(super().forward, input) if precise else super().forward(input)
        activation_range = self.activation_range[None, :, None, None]
        weight = fake_quantize_weight(self.weight * activation_range, POINTWISE_STEPS)
        return F.conv2d(signed_bytes(input / activation_range), weight, self.bias)

    @torch.no_grad()
    def measured(self, x: Tensor) -> Tensor:
        """The activation_range that suits ``x``."""
        activation_range = activation_range_of(x)
        return activation_range.clamp(min=1e-3 * float(activation_range.median()) + 1e-12)


class Int16Conv2d(MeasuredBuffers, PreciseConv2d):
    """A 1x1 convolution between rows of blocks, its weight in two bytes once its ranges are known.

    `scale_folding.set_int16_ranges` sets them: of a row's channels, those that its blocks have.
    What the layer sees is exported in two bytes as well, which is too fine to matter to training.
    """

    measured_buffers = ("activation_range", "output_range")

    def __init__(self, channels: int, out: int, kernel: int = 1) -> None:
        super().__init__(channels, out, kernel)
        self.register_buffer("activation_range", None)
        self.register_buffer("output_range", None)
        self.activation_range: Tensor | None
        self.output_range: Tensor | None

    def forward(self, input: Tensor) -> Tensor:
        if self.activation_range is None or self.output_range is None:
            return super().forward(input)
        unit = self.activation_range[:, None, None] / self.output_range[:, None, None, None]
        weight = fake_quantize_weight16(self.weight * unit) / unit
        return in_float32(lambda x: F.conv2d(x, weight, self.bias), input)


def pointwise(block: Residual, name: str, x: Tensor, seen: Tensor, given: Tensor) -> Tensor:
    """What a layer that reads the block's channels makes of ``x``, its weight in bytes.

    Arguments:
        seen, given: units of what the layer sees and gives, ``1 c 1 1``.
    """
    layer = block.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    weight = fake_quantize_weight(block.input_weight(name) * seen / rows(given), WEIGHT_STEPS[name])
    return F.conv2d(x, weight) + bias_in(given, layer)


def depthwise(layer: nn.Conv2d, x: Tensor, seen: Tensor, given: Tensor) -> Tensor:
    """The same of a layer of 3x3 with a weight for each channel."""
    weight = fake_quantize_weight(layer.weight * rows(seen / given), WEIGHT_STEPS["depthwise"])
    return F.conv2d(x, weight, padding=1, groups=len(weight)) + bias_in(given, layer)


def rows(values: Tensor) -> Tensor:
    """Of channels, ``1 c 1 1``, as rows of a weight: ``c 1 1 1``."""
    return values.transpose(0, 1)


def bias_in(unit: Tensor, layer: nn.Conv2d) -> Tensor:
    """The bias of a layer whose channels are in units of ``unit``, ``1 c 1 1``."""
    assert layer.bias is not None
    return layer.bias[:, None, None] / unit


Int8Layer = InvertedResidual | Int8DepthwiseBlock | Int8Conv2d


@torch.no_grad()
def calibrate(network: nn.Module, inputs: list[tuple[Tensor, ...]]) -> None:
    """Lets parts of ``network`` compute in 8 bits, by what they see for ``inputs``.

    Those that do already are left as they are. Blocks in a row see nearly the same and share the
    activation_range of it.
    """
    seen: dict[Int8Layer, Tensor] = {}
    handles = []
    for block in network.modules():
        if isinstance(block, Int8Layer) and block.activation_range is None:

            def note(block: Int8Layer, arguments: tuple[Tensor, ...]) -> None:
                activation_range = block.measured(arguments[0])
                seen[block] = torch.maximum(seen.get(block, activation_range), activation_range)

            handles.append(block.register_forward_pre_hook(note))
    for arguments in inputs:
        network(*arguments)
    for handle in handles:
        handle.remove()
    for block, activation_range in seen.items():
        block.activation_range = activation_range
    for row in network.modules():
        if isinstance(row, nn.Sequential):
            blocks = [b for b in row if isinstance(b, InvertedResidual | Int8DepthwiseBlock)]
            if len(blocks) == len(row):
                share(blocks)


def share(blocks: Sequence[InvertedResidual | Int8DepthwiseBlock]) -> None:
    """The largest activation_range of what the blocks see of their row becomes that of each."""
    trunk = [values for block in blocks for values in block.trunk_ranges()]
    if trunk:
        largest = torch.stack(trunk).amax(0)
        for values in trunk:
            values.copy_(largest)


def inverted_residuals(channels: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """A row of `InvertedResidual`, one for each width in `hidden`."""
    return nn.Sequential(*(InvertedResidual(channels, width) for width in hidden))
