"""The network of ``flow``: integer lifting whose differences are predicted from what is decoded.

::

    picture --halve rows--> mean --halve columns--> mean ... six levels ... --> a few pixels
                 |                     |
              d (R, G, B)           d (R, G, B)

    d of one halving --> y, cg, co --> k = Q((value - prediction) / step) --> bytes
                           table index and prediction: `Luma`, `Chroma` (integers), from the
                           decoded mean image and the colours of this pair decoded before;
                           in the last three of four passes, each over a quarter of the
                           positions, corrected by `LaterPass`, which knows how far off the
                           first networks were at those around that are decoded

The transform is a fixed bijection on integers (``codec/schemes/flow/lifting.py`` tells why saving
again changes nothing); all that is learned is what is expected, and it obeys the bit-exact
rule. The predictions turn the Haar steps into long non-linear filters. Step 1 is lossless.

References:
    Dinh et al. 2015, NICE (arXiv 1410.8516): additive couplings. Helminger et al. 2020 (arXiv
    2008.10486): one flow from low rate to near-lossless. Said and Pearlman 1996: S+P.
    Cao et al. 2020, SReC (arXiv 2004.02872): lossless coding by predicting from means.
    He et al. 2021 (arXiv 2103.15306): a checkerboard of two passes for context; here each of its
    halves is coded in two passes again.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...codec.schemes.flow.contract import COLOURS, MEAN_UNITS, PASSES
from ..layers import round_ste
from .lifting import colours, detail_interval, half, mean_interval, merge, rgb, split
from .predictors import DETAIL_MAX, FINE, FlowConfig, LiftingNets

__all__ = ["Flow", "FlowConfig"]

ROWS, SCALE_MIN, LOG_STEP = 64, 0.04, 0.12  # logistic scales of the rows, in steps
# Tables a row, one for each size of what rounding the mean to whole levels drops; for rows of
# narrow distributions alone: to the others it makes no difference.
FRACTIONS, SPLIT_ROWS = 4, 40
OCTAVE = 32  # places on the scale of steps an octave
PLACES = 257  # steps 1 .. 256
LEVELS = 6
COMMON_LEVELS, SELDOM = 3, 4  # levels that every step trains; the others every fourth
# One over the norm of the synthesis: where quantisation errors weigh the same, in places.
COLOUR_PLACE = (-25, 7, 16)
LAGRANGE = 6 / math.log(2)  # bits that a squared step is worth (times 2, at high rate)


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


def joined_phases(parts: list[Tensor], shape: torch.Size) -> Tensor:
    """One map ``b h w`` from the values of all of `PASSES`, ``b h/2 w/2`` each."""
    h, w = shape[-2:]
    rows, columns = (h + 1) // 2, (w + 1) // 2
    if (2 * rows, 2 * columns) != (h, w):
        parts = [F.pad(x, (0, columns - x.shape[2], 0, rows - x.shape[1])) for x in parts]
    ordered = [parts[PASSES.index((row, column))] for row in (0, 1) for column in (0, 1)]
    return F.pixel_shuffle(torch.stack(ordered, 1), 2)[:, 0, :h, :w]


class Flow(nn.Module):
    """The whole codec as trained."""

    theta: Tensor

    def __init__(self, config: FlowConfig | None = None) -> None:
        super().__init__()
        self.config = config or FlowConfig()
        self.float32 = True  # training computes in float32
        self.steps = 0
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
        self.steps += self.training
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
            # Coarse levels have few pixels and as many layers: they learn in every fourth step,
            # four times as much.
            seldom = self.training and number >= 2 * COMMON_LEVELS
            learns = torch.is_grad_enabled() and not (seldom and self.steps % SELDOM)
            with torch.set_grad_enabled(learns):
                d, cost, wrong, symbols = self._halving(nets, mean, details[number], place, number)
            if seldom and learns:
                cost, wrong = (x + (SELDOM - 1) * (x - x.detach()) for x in (cost, wrong))
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
        # The networks see integers, most of them below 256, which are exact in bfloat16, too.
        kind = torch.float32 if self.float32 or not self.training else torch.bfloat16
        planes = planes.to(kind, memory_format=torch.channels_last)
        features = planes
        for colour, name in enumerate(COLOURS):
            if colour == 0:
                mu, row, features = nets.y(planes, level_weights)
                low, high = mean_interval(g, middle)
            else:
                known = torch.stack(found, 1).clamp(-DETAIL_MAX, DETAIL_MAX).to(kind)
                mu, row = getattr(nets, name)(planes, known, features, level_weights)
                if colour == 1:
                    low, high = detail_interval(found[0], g, middle)
                else:
                    low, high = detail_interval(found[0] - half(found[1]), r, b)
            mu, row = mu[:, 0].float(), row[:, 0].float()
            at = torch.clamp(place + split_place(number, colour), 0, PLACES - 1)
            value = torch.minimum(torch.maximum(wanted[:, colour], low), high)
            means, rows = [], []
            errors = torch.zeros_like(mu)
            first = torch.floor(mu.detach() / MEAN_UNITS + 0.5)
            for turn, (i, j) in enumerate(PASSES):
                part = (..., slice(i, None, 2), slice(j, None, 2))
                means.append(mu[part])
                rows.append(row[part])
                if turn and means[-1].numel():
                    later = getattr(nets, f"{name}{turn}")
                    more = later(errors[:, None].to(kind, copy=True), features, level_weights)
                    means[-1] = means[-1] + more[0][:, 0].float()
                    rows[-1] = rows[-1] + more[1][:, 0].float()
                if turn + 1 < len(PASSES):
                    with torch.no_grad():
                        made = self._quantized(value[part], means[-1], rows[-1], at)[1]
                        kept = torch.minimum(torch.maximum(made, low[part]), high[part])
                        errors[part] = (kept - first[part]).clamp(-DETAIL_MAX, DETAIL_MAX)
            mu, row = joined_phases(means, mu.shape), joined_phases(rows, row.shape)
            k, made, part, rows, fraction = self._code(value, mu, row, at)
            cost = cost + part.sum((1, 2))
            gap = (made - wanted[:, colour]) / (step_of(at) / 256)[:, None, None]
            wrong = wrong + gap.square().sum((1, 2)) * LAGRANGE
            found.append(torch.minimum(torch.maximum(made.detach(), low), high))
            symbols.append((k, rows.detach(), fraction, at))
        return torch.stack(found, 1), cost, wrong, symbols

    def _quantized(
        self, value: Tensor, mu: Tensor, row: Tensor, place: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Symbols, what they decode to, the predictions in whole levels, and the rows."""
        step = (step_of(place) / 256)[:, None, None]
        offset = torch.round(place * (FINE * math.log(2) / OCTAVE / LOG_STEP))[:, None, None]
        rows = round_ste(row / FINE - offset / FINE)
        # The gradient passes the clamp: a row at its end has to find its way back.
        rows = rows + (torch.clamp(rows, 0, ROWS - 1) - rows).detach()
        prediction = round_ste(mu / MEAN_UNITS)
        residual = (value - prediction).detach()
        theta = torch.where(step > 1, self.theta[rows.detach().long()], 0.5)
        k = torch.floor(residual.abs() / step + (1 - theta)) * torch.sign(residual)
        made = prediction + torch.sign(k) * torch.floor(k.abs() * step + 0.5)
        return k, made, prediction, rows

    def _code(
        self, value: Tensor, mu: Tensor, row: Tensor, place: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Symbols, what they decode to, their bits, their rows, and what their predictions lack
        (in `MEAN_UNITS`)."""
        k, made, prediction, rows = self._quantized(value, mu, row, place)
        step = (step_of(place) / 256)[:, None, None]
        # The distribution's centre is the mean itself; the prediction is its whole levels.
        fraction = (mu / MEAN_UNITS - prediction).detach()
        exact = (value - mu / MEAN_UNITS) / step
        # In value the symbol's bits; its gradient is the residual's.
        seen = exact + (k - fraction / step - exact).detach()
        part = self.bits(seen, SCALE_MIN * torch.exp(rows * LOG_STEP))
        return k, made, part, rows, fraction * MEAN_UNITS


def rows_at(places: np.ndarray) -> np.ndarray:
    """What a step takes from the row that the networks tell (quarters), per place."""
    return np.round(places * (FINE * math.log(2) / OCTAVE / LOG_STEP)).astype(np.int32)
