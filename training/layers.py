"""Building blocks that several families share: depthwise blocks and exact integer layers.

The integer layers keep the bit-exact rule of the codec: weights and activations are integers
held in float32 whose partial sums stay below 2**24, so every order of summation, on every
backend, gives the same number. Training sees the same integers through straight-through
estimates, so that what is exported is what was trained.

References:
    Ballé et al. 2019, "Integer networks for data compression with latent-variable models".
    Jia et al. 2025, "Towards practical real-time neural video compression" (arXiv 2502.20762),
    for the low-cost depthwise block.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "Block",
    "GainTable",
    "IntConv2d",
    "MeasuredBuffers",
    "PreciseConv2d",
    "Residual",
    "in_float32",
    "round_ste",
]

MAX_EXACT_INT = 2**24  # float32 holds every integer up to here


def round_ste(x: Tensor) -> Tensor:
    """Round half up in the forward pass, identity in the backward pass."""
    return x + (torch.floor(x + 0.5) - x).detach()


class MeasuredBuffers(nn.Module):
    """Base of layers with buffers that training measures and plain weights come without.

    Such a buffer is None until it is measured. What is loaded decides whether it is there.
    """

    measured_buffers = ("spread", "activation_range")

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_metadata: dict[str, object],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for name in self.measured_buffers:
            if name in self._buffers:
                found = state_dict.get(f"{prefix}{name}")
                setattr(self, name, None if found is None else torch.empty_like(found))
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )


class Residual(MeasuredBuffers):
    """What residual blocks have in common: layers that see, and change, all channels alike.

    Channels differ in size, in a transform codec a hundredfold. A hidden unit of plain weights
    sees the largest of them, the mean colour, and little else; once that has pushed it below zero
    for every picture it never learns again. `scale_by` divides what the layers see by the
    channels' spread and multiplies what they add, for training alone: `plain` moves it back.

    Reference:
        Sokar et al. 2023, "The dormant neuron phenomenon in deep reinforcement learning"
        (arXiv 2302.12902): units that never act, and how to start them again.
    """

    pairs: tuple[tuple[str, str], ...] = (("widen", "narrow"),)  # layers in front and behind

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("spread", None)
        self.spread: Tensor | None

    def input_weight(self, name: str) -> Tensor:
        """The weight of a layer that reads the block's channels."""
        weight = getattr(self, name).weight
        return weight if self.spread is None else weight / self.spread[:, None, None]

    def output_weight(self, name: str) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of a layer that writes the block's channels."""
        weight, bias = getattr(self, name).weight, getattr(self, name).bias
        if self.spread is None:
            return weight, bias
        weight = weight * self.spread[:, None, None, None]
        return weight, None if bias is None else bias * self.spread

    def hidden(self, x: Tensor) -> dict[str, Tensor]:
        """What the hidden layers see of ``x`` before their ReLU, by the layer's name."""
        raise NotImplementedError

    @torch.no_grad()
    def scale_by(self, spread: Tensor) -> None:
        """Takes ``spread`` (``c``) into use; what the block computes stays as it is."""
        for front, behind in self.pairs:
            front, behind = getattr(self, front), getattr(self, behind)
            front.weight.mul_(spread[:, None, None])
            behind.weight.div_(spread[:, None, None, None])
            if behind.bias is not None:
                behind.bias.div_(spread)
        self.spread = spread.clone()

    def plain(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The block's parameters, by their names in it, as they are without the spread."""
        if (spread := self.spread) is None:
            return values
        values = dict(values)
        for front, behind in self.pairs:
            values[f"{front}.weight"] = values[f"{front}.weight"] / spread[:, None, None]
            name = f"{behind}.weight"
            values[name] = values[name] * spread[:, None, None, None]
            if f"{behind}.bias" in values:
                values[f"{behind}.bias"] = values[f"{behind}.bias"] * spread
        return values

    @torch.no_grad()
    def reinitialize(self, front: str, behind: str, dead: Tensor) -> None:
        """Gives hidden units ``dead`` new weights in, and zero out: they added nothing."""
        layer, after = getattr(self, front), getattr(self, behind)
        initial = nn.Conv2d(layer.in_channels, layer.out_channels, 1)
        layer.weight[dead] = initial.weight.to(layer.weight)[dead]
        if layer.bias is not None:
            layer.bias[dead] = 0
        after.weight[:, dead] = 0


class Block(Residual):
    """Depthwise block and pointwise feed-forward, both residual; shape ``b c h w`` is kept.

    x -> 1x1 -> ReLU -> depthwise 3x3 -> 1x1 -> (+ x) -> 1x1 -> ReLU -> 1x1 -> (+)
    """

    pairs = (("pre", "post"), ("widen", "narrow"))

    def __init__(self, channels: int, expand: int = 2, start: float = 0.3) -> None:
        super().__init__()
        self.pre = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.post = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, expand * channels, 1)
        self.narrow = nn.Conv2d(expand * channels, channels, 1)
        with torch.no_grad():  # start near the identity, or (0) at it: depth then does no harm
            for layer in (self.post, self.narrow):
                layer.weight.mul_(start)
                assert layer.bias is not None
                layer.bias.mul_(start)

    def forward(self, x: Tensor) -> Tensor:
        inside = F.relu(F.conv2d(x, self.input_weight("pre"), self.pre.bias))
        x = x + F.conv2d(self.depthwise(inside), *self.output_weight("post"))
        inside = F.relu(F.conv2d(x, self.input_weight("widen"), self.widen.bias))
        return x + F.conv2d(inside, *self.output_weight("narrow"))

    def hidden(self, x: Tensor) -> dict[str, Tensor]:
        first = F.conv2d(x, self.input_weight("pre"), self.pre.bias)
        x = x + F.conv2d(self.depthwise(F.relu(first)), *self.output_weight("post"))
        return {"pre": first, "widen": F.conv2d(x, self.input_weight("widen"), self.widen.bias)}

    @torch.no_grad()
    def reinitialize(self, front: str, behind: str, dead: Tensor) -> None:
        if front == "pre" and self.post.bias is not None and self.depthwise.bias is not None:
            # What a dead channel still adds is its depthwise layer's bias.
            constant = self.depthwise.bias * dead
            self.post.bias += self.post.weight[:, :, 0, 0] @ constant
        super().reinitialize(front, behind, dead)


class PreciseConv2d(nn.Conv2d):
    """A convolution that stays in float32 where training computes in bfloat16.

    For what is between the residual blocks: there an error of bfloat16 (0.3 %) is an error of the
    whole signal, above 40 dB as large as the codec's own.
    """

    def forward(self, input: Tensor) -> Tensor:
        return in_float32(super().forward, input) if self.training else super().forward(input)


def in_float32(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What ``layer`` makes of ``x`` without autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())


class GainTable(nn.Module):
    """One vector of ``channels`` numbers a gain level, interpolated linearly in between.

    The weights of the levels, shape ``b r``, come with the input; the result is ``b c 1 1``.
    """

    def __init__(self, gain_levels: int, channels: int, initial: float | Tensor = 0.0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(gain_levels, channels) + initial)

    def forward(self, level_weights: Tensor) -> Tensor:
        return (level_weights @ self.table)[:, :, None, None]


class IntConv2d(nn.Module):
    """Convolution on integers: ``clip(floor((w * x + b(quality)) * 2**-shift + 1/2), lo, hi)``.

    ``x`` holds integers of at most ``input_max`` in absolute value. The bias is a table of
    integers with a row per gain level, summed with integer weights that sum to ``2**mix_bits``.

    Arguments:
        shift: the result is divided by ``2**shift``; the weights are stored times ``2**shift``.
        clip: the range that the result is clipped to.
        input_max: the largest absolute value of an input, which the bound rests on.
    """

    mix_bits = 8
    bias_unit = 32.0  # a step of the optimizer moves a bias as far as it moves 32 weights

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int,
        *,
        gain_levels: int,
        input_max: int,
        clip: tuple[int, int] = (0, 127),
        shift: int = 8,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        fan_in = cin * kernel * kernel
        self.weight = nn.Parameter(torch.randn(cout, cin, kernel, kernel) * gain * fan_in**-0.5)
        self.bias = nn.Parameter(torch.zeros(gain_levels, cout))
        self.kernel, self.input_max, self.clip, self.shift = kernel, input_max, clip, shift

    def integers(self) -> tuple[Tensor, Tensor]:
        """Integer weights (int8 range) and bias rows, both through straight-through rounding."""
        scale = 2.0**self.shift
        weight = round_ste(torch.clamp(self.weight * scale, -127, 127))
        return weight, round_ste(self.bias * (scale * self.bias_unit))

    def forward(self, x: Tensor, level_weights: Tensor) -> Tensor:
        """``x``: ``b cin h w``; ``level_weights``: ``b gain_levels``, integers that sum to 256."""
        weight, bias = self.integers()
        offset = round_ste(level_weights @ bias * 2.0**-self.mix_bits)[:, :, None, None]
        total = F.conv2d(x, weight, padding=self.kernel // 2) + offset
        return torch.clamp(round_ste(total * 2.0**-self.shift), *self.clip)

    @torch.no_grad()
    def bound(self) -> int:
        """The largest absolute value that any partial sum can take, which must be < 2**24."""
        weight, bias = self.integers()
        sums = weight.abs().sum((1, 2, 3)) * self.input_max + bias.abs().amax(0)
        mixing = int(bias.abs().max().item()) * 2**self.mix_bits + 2 ** (self.mix_bits - 1)
        return max(int(sums.max().item()) + 2 ** (self.shift - 1), mixing)
