"""The network of ``flow``: integer lifting whose differences are predicted from what is decoded.

::

    picture --halve rows--> mean --halve columns--> mean ... six levels ... --> a few pixels
                 |                     |
              d (R, G, B)           d (R, G, B)

    d of one halving --> y, cg, co --> k = Q((value - prediction) / step) --> bytes
                           table index and prediction: `Luma`, `Chroma` (integers), from the
                           decoded mean image and the colours of this pair decoded before;
                           for every second difference, a checkerboard, corrected by `Second`,
                           which knows how wrong the others around it were

The transform is a fixed bijection on integers (``codec/schemes/flow/lifting.py`` tells why saving
again changes nothing); all that is learned is what is expected, and it obeys the bit-exact
rule. The predictions turn the Haar steps into long non-linear filters. Step 1 is lossless.

References:
    Dinh et al. 2015, NICE (arXiv 1410.8516): additive couplings. Helminger et al. 2020 (arXiv
    2008.10486): one flow from low rate to near-lossless. Said and Pearlman 1996: S+P.
    Cao et al. 2020, SReC (arXiv 2004.02872): lossless coding by predicting from means.
    He et al. 2021 (arXiv 2103.15306): a checkerboard of two passes for context.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import IntConv2d, round_ste
from .lifting import checkerboard, colours, detail_interval, half, mean_interval, merge, rgb, split

__all__ = ["Flow", "FlowConfig"]

ROWS, SCALE_MIN, LOG_STEP = 64, 0.04, 0.12  # logistic scales of the rows, in steps
FINE = 4  # the networks tell a row in quarters (a bias holds 2**16 / 256), a mean in 16ths
MEAN_FINE = 16
OCTAVE = 32  # places on the scale of steps an octave
PLACES = 257  # steps 1 .. 256
LEVELS = 6
PLANES = 7
PLANE_MAX, ACTIVATION_MAX, DETAIL_MAX = 510, 255, 255
# One over the norm of the synthesis: where quantisation errors weigh the same, in places.
COLOUR_PLACE = (-25, 7, 16)
LAGRANGE = 6 / math.log(2)  # bits that a squared step is worth (times 2, at high rate)


@dataclass(frozen=True)
class FlowConfig:
    """Widths; the defaults are the shipped model's."""

    width: int = 48
    kernel: int = 5  # of the first layer
    chroma: int = 32
    gain_levels: int = 6  # rows of the scale of steps
    kinds: int = 6  # networks: columns and rows at levels 0, 1, and 2 and up


def step_of(place: Tensor) -> Tensor:
    """Step of a place on the scale, in 256ths."""
    return torch.round(256 * 2 ** (place / OCTAVE))


def split_place(number: int, colour: int) -> int:
    """What a halving's step lies below (or above) that of the picture; 0 is the last halving."""
    return COLOUR_PLACE[colour] - (number - 1) * OCTAVE // 2


def planes_of(x: Tensor) -> Tensor:
    """What the networks see of decoded R, G, B ``b 3 h w`` (0..255): ``b 7 h w``, integers.

    Differences to the next row and column of luma and both chromas, and luma's coarse level:
    features of about one size, so that training finds its way.
    """
    r, g, b = x[:, 0], x[:, 1], x[:, 2]
    c = torch.stack([torch.floor((r + 2 * g + b) * 0.25), g - torch.floor((r + b) * 0.5), r - b], 1)
    rows = F.pad(c[:, :, :-1] - c[:, :, 1:], (0, 0, 0, 1))
    columns = F.pad(c[..., :-1] - c[..., 1:], (0, 1))
    level = torch.floor(c[:, :1] * 0.125) - 16
    return torch.cat([rows, columns, level], 1)


def _linear(cin: int, kernel: int, gain_levels: int) -> IntConv2d:
    return IntConv2d(
        cin,
        1,
        kernel,
        gain_levels=gain_levels,
        input_max=PLANE_MAX,
        shift=4,
        clip=(-16384, 16384),
        gain=0.0,
    )


class Head(nn.Module):
    """Not a layer of its own: two pointwise outputs, mean (16ths of a level) and row (quarters)."""

    def __init__(self, cin: int, gain_levels: int, row: float) -> None:
        super().__init__()
        big = {"gain_levels": gain_levels, "input_max": ACTIVATION_MAX}
        self.mean = IntConv2d(cin, 1, 1, clip=(-8192, 8192), gain=0.0, **big)
        self.row = IntConv2d(cin, 1, 1, clip=(0, 1023), gain=0.2, **big)
        with torch.no_grad():
            self.row.bias.fill_(row * FINE / self.row.bias_unit)


class Luma(nn.Module):
    """The mean image's planes to features, and to mean and row of the luma difference."""

    def __init__(self, c: FlowConfig) -> None:
        super().__init__()
        n, r = c.width, c.gain_levels
        inner = {"gain_levels": r, "clip": (0, ACTIVATION_MAX)}
        self.a = IntConv2d(PLANES, n, c.kernel, input_max=PLANE_MAX, shift=5, gain=8.0, **inner)
        self.b = IntConv2d(n, n, 3, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.c = IntConv2d(n, n, 3, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.linear = _linear(PLANES, 5, r)
        head = Head(n, r, 30.0)
        self.mean, self.row = head.mean, head.row
        with torch.no_grad():  # the slope through the neighbouring means
            self.linear.weight[0, 0, 1:3, 2] = MEAN_FINE / 4

    def forward(self, planes: Tensor, level_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.c(self.b(self.a(planes, level_weights), level_weights), level_weights)
        return (
            self.linear(planes, level_weights) + self.mean(x, level_weights),
            self.row(x, level_weights),
            x,
        )


class Chroma(nn.Module):
    """The same for a chroma difference, which sees the ``known`` ones of its pair as well."""

    def __init__(self, c: FlowConfig, known: int) -> None:
        super().__init__()
        n, r = c.width, c.gain_levels
        inner = {"gain_levels": r, "clip": (0, ACTIVATION_MAX)}
        self.a = IntConv2d(known, 16, 3, input_max=DETAIL_MAX, shift=5, gain=4.0, **inner)
        self.b = IntConv2d(n + 16, c.chroma, 1, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.linear = _linear(PLANES + known, 5, r)
        head = Head(c.chroma, r, 24.0)
        self.mean, self.row = head.mean, head.row
        with torch.no_grad():
            self.linear.weight[0, known, 1:3, 2] = MEAN_FINE / 4

    def forward(
        self, planes: Tensor, known: Tensor, features: Tensor, level_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        x = self.b(torch.cat([self.a(known, level_weights), features], 1), level_weights)
        linear = self.linear(torch.cat([planes, known], 1), level_weights)
        return linear + self.mean(x, level_weights), self.row(x, level_weights)


class Second(nn.Module):
    """What a colour's first half of the differences changes in the mean and row of its second.

    It sees ``errors``: by how much the first networks were wrong there, zero at the second half.
    """

    def __init__(self, c: FlowConfig, kernel: int) -> None:
        super().__init__()
        n, r = c.width, c.gain_levels
        inner = {"gain_levels": r, "clip": (0, ACTIVATION_MAX)}
        big = {"gain_levels": r, "input_max": ACTIVATION_MAX, "gain": 0.0}
        self.a = IntConv2d(1, 24, 5, input_max=DETAIL_MAX, shift=5, gain=4.0, **inner)
        self.b = IntConv2d(n + 24, c.chroma, kernel, input_max=ACTIVATION_MAX, gain=1.4, **inner)
        self.linear = IntConv2d(
            1, 1, 5, gain_levels=r, input_max=DETAIL_MAX, shift=4, clip=(-16384, 16384), gain=0.0
        )
        self.mean = IntConv2d(c.chroma, 1, 1, clip=(-8192, 8192), **big)
        self.row = IntConv2d(c.chroma, 1, 1, clip=(-512, 511), **big)

    def forward(
        self, errors: Tensor, features: Tensor, level_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        x = self.b(torch.cat([self.a(errors, level_weights), features], 1), level_weights)
        return self.linear(errors, level_weights) + self.mean(x, level_weights), self.row(
            x, level_weights
        )


class LiftingNets(nn.Module):
    """The networks of one kind of halving, in coding order."""

    def __init__(self, c: FlowConfig) -> None:
        super().__init__()
        self.y, self.cg, self.co = Luma(c), Chroma(c, 1), Chroma(c, 2)
        self.y2, self.cg2, self.co2 = Second(c, 3), Second(c, 1), Second(c, 1)


class Flow(nn.Module):
    """The whole codec as trained."""

    theta: Tensor

    def __init__(self, config: FlowConfig | None = None) -> None:
        super().__init__()
        self.config = config or FlowConfig()
        self.lifting = nn.ModuleList(LiftingNets(self.config) for _ in range(self.config.kinds))
        scale = SCALE_MIN * torch.exp(torch.arange(ROWS) * LOG_STEP)
        cost = [self.bits(torch.full_like(scale, k), scale) for k in (0.0, 1.0)]
        # Where a value becomes 1 rather than 0: later, the more bits that costs.
        theta = torch.clamp(0.5 + (cost[1] - cost[0]) / (2 * LAGRANGE), 0.5, 0.95)
        self.register_buffer("theta", theta, persistent=False)

    @staticmethod
    def bits(k: Tensor, scale: Tensor) -> Tensor:
        """-log2 of a logistic's mass in ``k - 1/2 .. k + 1/2``, in the log domain."""
        size = k.abs()
        low, high = (size - 0.5) / scale, (size + 0.5) / scale
        # sigmoid(-low) - sigmoid(-high) = sigmoid(-low) sigmoid(high) (1 - exp(low - high))
        log_p = F.logsigmoid(-low) + F.logsigmoid(high) + torch.log(-torch.expm1(-1 / scale))
        return log_p * (-1 / math.log(2))

    def level_weights(self, place: Tensor) -> Tensor:
        """Weights of the levels ``b gain_levels``, integers that sum to 256, of places ``b``."""
        gain_levels = self.config.gain_levels
        position = torch.floor(place.clamp(0, 224) * ((gain_levels - 1) * 256) / 224)
        grid = torch.arange(gain_levels, device=place.device) * 256.0
        return torch.clamp(256 - (position[:, None] - grid).abs(), min=0)

    def forward(self, x: Tensor, place: Tensor, keep: bool = False) -> dict:
        """``x``: integers 0..255, ``b 3 h w`` with sides that 64 divides; ``place``: ``b``, that
        of the picture's step, or -1000 for lossless.

        Returns ``bits`` and ``error`` (the squared error weighed like bits) per sample,
        ``x_hat``, and with ``keep`` the symbols of each halving.
        """
        means, details = [x], []
        for number in range(2 * LEVELS):
            mean, d = split(means[-1] if number % 2 else means[-1].transpose(2, 3))
            details.append(colours(d))
            means.append(mean if number % 2 else mean.transpose(2, 3))
        decoded = means[-1]
        bits = x.new_zeros(x.shape[0])
        error = x.new_zeros(x.shape[0])
        kept = []
        for number in reversed(range(2 * LEVELS)):
            nets = self.lifting[min(number, self.config.kinds - 2 + number % 2)]
            mean = decoded if number % 2 else decoded.transpose(2, 3)
            d, cost, wrong, symbols = self._halving(nets, mean, details[number], place, number)
            bits, error = bits + cost, error + wrong
            decoded = merge(mean, rgb(d))
            decoded = decoded if number % 2 else decoded.transpose(2, 3)
            if keep:
                kept.append((number, symbols))
        return {"bits": bits, "error": error, "x_hat": decoded, "symbols": kept}

    def _halving(
        self, nets: Any, mean: Tensor, wanted: Tensor, place: Tensor, number: int
    ) -> tuple[Tensor, Tensor, Tensor, list]:
        mean = mean.contiguous()
        planes = planes_of(mean)
        box = (torch.zeros_like(mean[:, 0]), torch.full_like(mean[:, 0], 255.0))
        r, g, b = (detail_interval(mean[:, i], box, box) for i in range(3))
        middle = mean_interval(r, b)
        level_weights = self.level_weights(place + split_place(number, 0))
        found: list[Tensor] = []
        cost = wrong = mean.new_zeros(mean.shape[0])
        symbols = []
        features = planes
        first = checkerboard(mean)
        for colour in range(3):
            if colour == 0:
                mu, row, features = nets.y(planes, level_weights)
                low, high = mean_interval(g, middle)
            else:
                net = nets.cg if colour == 1 else nets.co
                known = torch.stack(found, 1).clamp(-DETAIL_MAX, DETAIL_MAX)
                mu, row = net(planes, known, features, level_weights)
                if colour == 1:
                    low, high = detail_interval(found[0], g, middle)
                else:
                    low, high = detail_interval(found[0] - half(found[1]), r, b)
            at = torch.clamp(place + split_place(number, colour), 0, PLACES - 1)
            value = torch.minimum(torch.maximum(wanted[:, colour], low), high)
            k, made, part, rows = self._code(value, mu[:, 0], row[:, 0], at)
            # The second half knows by how much the first was missed.
            kept = torch.minimum(torch.maximum(made.detach(), low), high)
            errors = (kept - torch.floor(mu[:, 0].detach() / MEAN_FINE + 0.5)) * first
            errors = errors.clamp(-DETAIL_MAX, DETAIL_MAX)[:, None]
            more = (nets.y2, nets.cg2, nets.co2)[colour](errors, features, level_weights)
            second = self._code(value, (mu + more[0])[:, 0], (row + more[1])[:, 0], at)
            k, made, part, rows = (
                torch.where(first > 0, *both)
                for both in zip((k, made, part, rows), second, strict=True)
            )
            cost = cost + part.sum((1, 2))
            gap = (made - wanted[:, colour]) / (step_of(at) / 256)[:, None, None]
            wrong = wrong + gap.square().sum((1, 2)) * LAGRANGE
            made = torch.minimum(torch.maximum(made.detach(), low), high)
            found.append(made)
            symbols.append((k.detach(), rows.detach(), gap.detach()))
        return torch.stack(found, 1), cost, wrong, symbols

    def _code(
        self, value: Tensor, mu: Tensor, row: Tensor, place: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Symbols, what they decode to, their bits, and their rows."""
        step = (step_of(place) / 256)[:, None, None]
        offset = torch.round(place * (FINE * math.log(2) / OCTAVE / LOG_STEP))[:, None, None]
        rows = round_ste(row / FINE - offset / FINE)
        # The gradient passes the clamp: a row at its end has to find its way back.
        rows = rows + (torch.clamp(rows, 0, ROWS - 1) - rows).detach()
        prediction = round_ste(mu / MEAN_FINE)
        residual = value - prediction
        size = residual.detach().abs() / step
        theta = torch.where(step > 1, self.theta[rows.detach().long()], 0.5)
        k = torch.floor(size + (1 - theta)) * torch.sign(residual.detach())
        # In value the symbol's bits; its gradient is the residual's.
        exact = residual / step
        part = self.bits(exact + (k - exact).detach(), SCALE_MIN * torch.exp(rows * LOG_STEP))
        made = prediction + torch.sign(k) * torch.floor(k.abs() * step + 0.5)
        return k, made, part, rows


def rows_at(places: np.ndarray) -> np.ndarray:
    """What a step takes from the row that the networks tell (quarters), per place."""
    return np.round(places * (FINE * math.log(2) / OCTAVE / LOG_STEP)).astype(np.int32)
