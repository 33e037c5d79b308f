"""The default codec's network: variable-rate autoencoder with an exact two-pass entropy model.

::

        x --g_a--> y --(gain)--> r = round(y - mu) --> table index 0..63 --> bytes
                   |                        |    \\
                  h_a                       |     +--> c_i (integers) -> index of pass 2
                   |                        +--> c_m (float) -> mean of pass 2
                   z --+--> h_i (integers) -> index of pass 1
                       +--> h_s (float)    -> mean of pass 1
        y_hat = mu + r  --(1 / gain)--> g_s --> x_hat

``y`` has one position per 16x16 pixels, ``z`` one per 64x64. Half of ``y``, a checkerboard that
is shifted between the two halves of the channels, is coded in pass 1; the other half in pass 2
sees all of its neighbours. One model covers all qualities: the gains and some biases are tables
with a row for each of some levels of quality, interpolated in between.

What chooses a probability table (``h_i``, ``c_i``) works on integers alone; see ``layers``.

References:
    Minnen et al. 2018 (arXiv 1809.02736): hyper-prior with mean and scale.
    He et al. 2021 (arXiv 2103.15306): checkerboard context; Li et al. 2023 (arXiv 2302.14402):
    its spatial-channel form. Cui et al. 2021 (arXiv 2003.02012): gain units.
    Li et al. 2020 (arXiv 2003.11282): several priors with one signalled, as those of z.
"""

import math

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Block, GainTable, IntConv2d, PreciseConv2d, round_ste
from ..transforms import (
    blocks,
    cosine_basis,
    cosine_scaled,
    cosine_split,
    down,
    down_overlapping,
    set_blocks,
    set_linear,
    up,
)
from .int8_blocks import (
    Int8Conv2d,
    Int8DepthwiseBlock,
    Int16Conv2d,
    InvertedResidual,
    inverted_residuals,
)
from .network_config import AutoencoderConfig, level_weights_at
from .quantizer import LOG_STEP, ROWS, SIGMA_MIN, Quantizer

__all__ = ["Autoencoder", "AutoencoderConfig", "level_weights_at"]

Z_MAX = 63  # symbols of z are clipped to this; the integer networks' bounds rest on it
R_MAX = 15  # residuals of pass 1 are clipped to this where pass 2's index network sees them


def first_gain(c: AutoencoderConfig, scaled: float) -> Tensor:
    """Logarithms of the gains that training starts with, where the channels were divided by
    their standard deviation to the power ``scaled``."""
    ramp = (
        torch.linspace(0, 1, c.gain_levels)[:, None] * 0.5 * math.log(c.lambda_max / c.lambda_min)
    )
    return ramp + scaled * cosine_basis(16, c.y)[1].log()


class Analysis(nn.Module):
    """g_a: pixels ``b 3 h w`` in -0.5..0.5 to ``b y h/16 w/16``, gained for the quality.

    Training starts from a working transform codec, not from noise: at first the layers that
    change resolution make up a cosine transform of 4x4, 8x8, then of 16x16 blocks, and the
    residual blocks in between add nothing.
    """

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        a, b, d = c.ea
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), PreciseConv2d(48, a, 3, padding=1))
        first, second = down_overlapping(a, b), down_overlapping(b, d)
        # At 1/4 bytes would save no time, and their rounding costs 0.5 % of the rate.
        fine, coarse = (
            blocks(width, count, Int8DepthwiseBlock)
            for width, count in zip(c.ea[1:], c.na[1:], strict=True)
        )
        self.body = nn.Sequential(blocks(a, c.na[0]), first, fine, second)
        self.film = GainTable(c.gain_levels, d)
        self.tail = nn.Sequential(coarse, PreciseConv2d(d, c.y, 1))
        self.log_gain = GainTable(c.gain_levels, c.y, first_gain(c, 0.5))
        with torch.no_grad():
            set_linear(self.stem[1], cosine_scaled(4, 48)[0])
            set_blocks(first, cosine_split(4, min(a, 48), min(b, 192))[0])
            set_blocks(second, cosine_split(8, min(b, 192), min(d, 768))[0])
            set_linear(self.tail[1], torch.eye(c.y, d))

    def forward(self, x: Tensor, level_weights: Tensor) -> Tensor:
        level_weights = level_weights * (1 / 256)
        y = self.tail(self.body(self.stem(x)) + self.film(level_weights))
        return y.float() * torch.exp(self.log_gain(level_weights))


class HyperAnalysis(nn.Module):
    """h_a: gained ``y`` to ``z`` (not yet rounded), a quarter of the size each way."""

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        m = c.mean
        self.log_scale = GainTable(c.gain_levels, c.y, -first_gain(c, 1.0))
        self.body = nn.Sequential(
            nn.Conv2d(2 * c.y, m, 1), Block(m), down(m, m), Block(m), down(m, m)
        )
        self.film = GainTable(c.gain_levels, m)
        self.out = nn.Conv2d(m, c.z, 1)
        # Starts with symbols of a few units: a z that rounds to zero would teach nobody.
        self.log_gain = GainTable(c.gain_levels, c.z, math.log(15.0))

    def forward(self, y: Tensor, level_weights: Tensor) -> Tensor:
        level_weights = level_weights * (1 / 256)
        y = y * torch.exp(self.log_scale(level_weights))
        x = self.body(torch.cat([y, y.abs()], 1))  # magnitudes, since z mostly tells widths
        return self.out(x + self.film(level_weights)).float() * torch.exp(
            self.log_gain(level_weights)
        )


class HyperMean(nn.Module):
    """h_s: decoded ``z`` to pass 1's mean and to features for pass 2, both float."""

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        m = c.mean
        self.film = GainTable(c.gain_levels, m)
        self.stem = nn.Conv2d(c.z, m, 1)
        small, large = InvertedResidual(m, m), InvertedResidual(m, m)
        self.body = nn.Sequential(up(m, m), small, up(m, m, Int8Conv2d), large)
        self.out = Int8Conv2d(m, c.y, precise=True)
        self.log_scale = GainTable(c.gain_levels, c.z, -math.log(2.0))

    def forward(self, z: Tensor, level_weights: Tensor) -> tuple[Tensor, Tensor]:
        level_weights = level_weights * (1 / 256)
        features = self.body(
            self.stem(z * torch.exp(self.log_scale(level_weights))) + self.film(level_weights)
        )
        return self.out(features), features


class ContextMean(nn.Module):
    """c_m: pass 1's decoded half (zeros elsewhere) and h_s's features to pass 2's mean."""

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        k = c.context
        self.y_in = Int8Conv2d(c.y, k, 1)
        self.f_in = Int8Conv2d(c.mean, k, 1)
        self.body = InvertedResidual(k, c.context_hidden)
        self.out = Int8Conv2d(k, c.y, precise=True)

    def forward(self, y1: Tensor, features: Tensor) -> Tensor:
        return self.out(self.body(self.y_in(y1) + self.f_in(features)))


class HyperIndex(nn.Module):
    """h_i, integers: ``z`` to pass 1's table index and to features for pass 2."""

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        (wide, narrow, _), r = c.index, c.gain_levels
        self.a = IntConv2d(c.z, wide, 3, gain_levels=r, input_max=Z_MAX, shift=6, gain=10.0)
        self.b = IntConv2d(wide, 4 * wide, 1, gain_levels=r, input_max=127, gain=1.4)
        self.c = IntConv2d(wide, narrow, 3, gain_levels=r, input_max=127, gain=1.4)
        self.d = IntConv2d(narrow, 4 * wide, 1, gain_levels=r, input_max=127, gain=1.4)
        self.e = IntConv2d(wide, narrow, 3, gain_levels=r, input_max=127, gain=1.4)
        self.out = IntConv2d(
            narrow, c.y, 1, gain_levels=r, input_max=127, clip=(0, ROWS - 1), gain=0.15
        )

    def forward(self, z: Tensor, level_weights: Tensor) -> tuple[Tensor, Tensor]:
        x = F.pixel_shuffle(self.b(self.a(z, level_weights), level_weights), 2)
        x = F.pixel_shuffle(self.d(self.c(x, level_weights), level_weights), 2)
        x = self.e(x, level_weights)
        return self.out(x, level_weights), x


class ContextIndex(nn.Module):
    """c_i, integers: pass 1's clipped absolute residuals and h_i's features to pass 2's index."""

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        (_, features, n), r = c.index, c.gain_levels
        self.a = IntConv2d(c.y, n, 1, gain_levels=r, input_max=R_MAX, shift=6, gain=10.0)
        self.b = IntConv2d(n, n, 3, gain_levels=r, input_max=127, gain=1.4)
        self.out = IntConv2d(
            n + features, c.y, 1, gain_levels=r, input_max=127, clip=(0, ROWS - 1), gain=0.15
        )

    def forward(self, magnitude: Tensor, features: Tensor, level_weights: Tensor) -> Tensor:
        x = self.b(self.a(magnitude, level_weights), level_weights)
        return self.out(torch.cat([x, features], 1), level_weights)


class Synthesis(nn.Module):
    """g_s: decoded ``y`` (gained) to pixels ``b 3 h w``, about -0.5..0.5, not clipped.

    Starts as the inverse of what `Analysis` starts as.
    """

    def __init__(self, c: AutoencoderConfig) -> None:
        super().__init__()
        a, b = c.es
        self.log_gain = GainTable(c.gain_levels, c.y, -first_gain(c, 0.5))
        self.film = GainTable(c.gain_levels, c.y)
        first, second = up(c.y, b, Int16Conv2d), up(b, a, Int16Conv2d)
        coarse, middle, fine = map(inverted_residuals, (c.y, b, a), (c.h16, c.h8, c.h4))
        self.body = nn.Sequential(coarse, first, middle, second, fine)
        self.tail = nn.Sequential(PreciseConv2d(a, 48, 1), nn.PixelShuffle(4))
        with torch.no_grad():
            set_linear(first[0], cosine_split(8, min(b, 192), min(c.y, 768))[1])
            set_linear(second[0], cosine_split(4, min(a, 48), min(b, 192))[1])
            set_linear(self.tail[0], cosine_scaled(4, 48)[1])

    def forward(self, y: Tensor, level_weights: Tensor) -> Tensor:
        level_weights = level_weights * (1 / 256)
        y = y * torch.exp(self.log_gain(level_weights))
        return self.tail(self.body(y + self.film(level_weights)))


class Autoencoder(nn.Module):
    """The whole codec as trained; the roles above are exported one by one."""

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        super().__init__()
        c = self.config = config or AutoencoderConfig()
        self.g_a, self.h_a = Analysis(c), HyperAnalysis(c)
        self.h_s, self.c_m = HyperMean(c), ContextMean(c)
        self.h_i, self.c_i = HyperIndex(c), ContextIndex(c)
        self.g_s = Synthesis(c)
        self.prior_z = EntropyBottleneck(c.z_priors * c.z, init_scale=2.0)
        self.z_prior_logits = GainTable(c.gain_levels, c.z_priors)
        self.quantizer = Quantizer()
        self.float32 = False  # train in float32
        with torch.no_grad():  # rows that fit the cosine transform, where training starts
            rows = (first_gain(c, 1.0) - math.log(SIGMA_MIN)) / LOG_STEP
            rows = torch.clamp(rows, 0, ROWS - 1)
            for head in (self.h_i.out, self.c_i.out):
                head.bias.copy_(rows / head.bias_unit)

    def lambda_of(self, t: Tensor) -> Tensor:
        """Weight of the distortion against bits per pixel at ``t`` in 0..1."""
        c = self.config
        return c.lambda_min * (c.lambda_max / c.lambda_min) ** t

    def checkerboard(self, y: Tensor) -> Tensor:
        """1 where pass 1 codes: even positions in the first half of the channels, then odd ones."""
        rows = torch.arange(y.shape[2], device=y.device)[:, None]
        cols = torch.arange(y.shape[3], device=y.device)[None, :]
        even = ((rows + cols) % 2 == 0).float()[None, None]
        half = y.shape[1] // 2
        return torch.cat([even.expand(1, half, -1, -1), (1 - even).expand(1, half, -1, -1)], 1)

    def bits_z(self, z: Tensor, level_weights: Tensor, soft: bool) -> tuple[Tensor, Tensor]:
        """Bits of ``z`` per sample, those of the prior index included, and that index ``b h w``."""
        c = self.config
        _, like = self.prior_z(z.repeat(1, c.z_priors, 1, 1), training=soft)
        b, _, h, w = z.shape
        nats = -torch.log(like.view(b, c.z_priors, c.z, h, w)).sum(2)
        choice = -F.log_softmax((level_weights * (1 / 256)) @ self.z_prior_logits.table, 1)[
            :, :, None, None
        ]
        total = nats + choice
        # The mixture trains every prior a little; what the file pays is the best one.
        best, chosen = total.min(1)
        if soft:
            best = -torch.logsumexp(-total, 1)
        return best.sum((1, 2)) / math.log(2), chosen

    def forward(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        """``x``: ``b 3 h w`` in 0..1 with sides that 64 divides; ``t``: ``b`` in 0..1.

        Returns ``x_hat`` (0..1, not clipped), ``bits_y`` and ``bits_z`` per sample. Where no
        gradients are wanted the symbols come too (``z``, ``choice``, the prior index, ``residual``,
        ``index``), for the tables of an export.
        """
        level_weights = level_weights_at(t, self.config.gain_levels)
        fast = self.training and not self.float32
        amp = torch.autocast(x.device.type, torch.bfloat16, enabled=fast)
        with amp:
            y = self.g_a(x - 0.5, level_weights)
            z = self.h_a(y, level_weights).float()
        encoder_trains = y.requires_grad  # the encoder does
        z_hat = round_ste(torch.clamp(z, -Z_MAX, Z_MAX))
        bits_z, choice = self.bits_z(
            z if self.training else z_hat, level_weights, soft=self.training
        )
        index1, features_i = self.h_i(z_hat, level_weights)
        with amp:
            mean1, features = self.h_s(z_hat, level_weights)
        gain = torch.exp(self.g_a.log_gain(level_weights * (1 / 256)))
        mean1 = mean1.float() * gain
        first = self.checkerboard(y)
        r1, bits1 = self.quantizer(y - mean1, index1, encoder_trains)
        r1 = r1 * first
        y1 = (mean1 + r1) * first
        magnitude = torch.clamp(r1.abs(), max=R_MAX)
        index2 = self.c_i(magnitude, features_i, level_weights)
        inverse = torch.exp(self.g_s.log_gain(level_weights * (1 / 256)))
        with amp:
            mean2 = self.c_m(y1 * inverse, features)
        mean2 = mean2.float() * gain
        r2, bits2 = self.quantizer(y - mean2, index2, encoder_trains)
        r2 = r2 * (1 - first)
        y_hat = y1 + (mean2 + r2) * (1 - first)
        bits_y = torch.where(first > 0, bits1, bits2).sum((1, 2, 3))
        with amp:
            x_hat = self.g_s(y_hat, level_weights).float() + 0.5
        out = {"x_hat": x_hat, "bits_y": bits_y, "bits_z": bits_z}
        if not torch.is_grad_enabled():
            index = torch.where(first > 0, index1, index2)
            out |= {"z": z_hat, "choice": choice, "residual": r1 + r2, "index": index}
        return out
