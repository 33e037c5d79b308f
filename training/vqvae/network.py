"""The network for tiny files: residual vector quantisation of one latent, 16x16 pixels a position.

::

        x --g_a--> z --(codebook 1)--> code 1 --(codebook 2 of what is left)--> code 2 --> ...
                                            z_hat = sum of the codevectors sent --g_s--> x_hat

Every level codes what the levels before it left over, on the same grid, so a file may stop after
any level: the quality is the number of levels sent. One decoder serves all numbers; it is told by
an offset to its features. The latent starts as the coefficients of a cosine transform at their own
scale, so that a distance there is about a distance in pixels, and codebooks of k-means fit.

Codebooks are moving averages of the vectors they stand for. A code is chosen by distance and by
the bits that it costs at its frequency; codes that nobody uses are moved to where vectors are.

References:
    van den Oord et al. 2017 (arXiv 1711.00937): VQ-VAE; its appendix: moving averages.
    Razavi et al. 2019 (arXiv 1906.00446): VQ-VAE-2. Zeghidour et al. 2021 (arXiv 2107.03312):
    residual levels with a random number of them sent in training, codes revived.
    Chou, Lookabaugh, Gray 1989: entropy-constrained vector quantisation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..transforms import blocks, cosine_basis, cosine_scaled, cosine_split, down, set_linear, up

__all__ = ["Codebooks", "Vqvae", "VqvaeConfig", "rdo_lambdas"]


@dataclass(frozen=True)
class VqvaeConfig:
    """Widths and depths; the defaults are the shipped model's."""

    levels: int = 5  # codebooks, one after another
    codes: int = 512  # of each codebook
    dims: int = 48  # of the latent
    ea: tuple[int, int, int] = (48, 128, 256)  # encoder widths at 1/4, 1/8, 1/16
    na: tuple[int, int, int] = (2, 2, 2)  # encoder blocks there
    es: tuple[int, int, int] = (48, 128, 256)  # decoder widths at 1/4, 1/8, 1/16
    ns: tuple[int, int, int] = (2, 2, 4)
    rdo_lambda: float = 0.12  # squared distance that one bit of the first level's code is worth
    rdo_lambda_decay: float = 0.75  # and of each level after, against the one before
    embed: int = 32  # numbers that the priors know a code by
    width: int = 80  # of the priors
    depth: int = 5  # gated layers of each prior, after its first


def rdo_lambdas(c: VqvaeConfig) -> list[float]:
    """What one bit is worth at each level: about the slope of the rate-distortion curve there."""
    return [c.rdo_lambda * c.rdo_lambda_decay**level for level in range(c.levels)]


class Analysis(nn.Module):
    """g_a: pixels ``b 3 h w`` in -0.5..0.5 to the latent ``b dims h/16 w/16``."""

    def __init__(self, c: VqvaeConfig) -> None:
        super().__init__()
        a, b, d = c.ea
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, a, 3, padding=1))
        first, second = down(a, b), down(b, d)
        self.body = nn.Sequential(
            blocks(a, c.na[0]), first, blocks(b, c.na[1]), second, blocks(d, c.na[2])
        )
        self.out = nn.Conv2d(d, c.dims, 1)
        with torch.no_grad():  # a working transform codec, see `autoencoder.Analysis`
            set_linear(self.stem[1], cosine_scaled(4, 48)[0])
            set_linear(first[1], cosine_split(4, min(a, 48), min(b, 192))[0])
            set_linear(second[1], cosine_split(8, min(b, 192), min(d, 768))[0])
            scale = cosine_basis(16, c.dims)[1].sqrt()
            set_linear(self.out, torch.eye(c.dims, d) * scale[:, None])

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(self.stem(x)).float()
        with torch.autocast(x.device.type, enabled=False):  # codes are chosen by small distances
            return self.out(features)


class Synthesis(nn.Module):
    """g_s: summed codevectors ``b dims h w`` to pixels ``b 3 16h 16w``, about -0.5..0.5.

    ``sent``: ``b levels``, one-hot, the last level sent.
    """

    def __init__(self, c: VqvaeConfig) -> None:
        super().__init__()
        a, b, d = c.es
        self.stem = nn.Conv2d(c.dims, d, 3, padding=1)
        self.sent = nn.Parameter(torch.zeros(c.levels, d))
        first, second = up(d, b), up(b, a)
        self.body = nn.Sequential(
            blocks(d, c.ns[2]), first, blocks(b, c.ns[1]), second, blocks(a, c.ns[0])
        )
        self.tail = nn.Sequential(nn.Conv2d(a, 48, 3, padding=1), nn.PixelShuffle(4))
        with torch.no_grad():
            nn.init.zeros_(self.stem.weight)
            scale = cosine_basis(16, c.dims)[1].sqrt()
            set_linear(self.stem, torch.eye(d, c.dims) / scale[None, :])
            set_linear(first[0], cosine_split(8, min(b, 192), min(d, 768))[1])
            set_linear(second[0], cosine_split(4, min(a, 48), min(b, 192))[1])
            set_linear(self.tail[0], cosine_scaled(4, 48)[1])

    def forward(self, z: Tensor, sent: Tensor) -> Tensor:
        return self.tail(self.body(self.stem(z) + (sent @ self.sent)[:, :, None, None]))


class Codebooks(nn.Module):
    """The levels' codebooks, as buffers: they follow moving averages, not gradients.

    Arguments:
        decay: of the averages, a batch.
        least: a code used less than this (in vectors a batch) is moved to a vector of the batch.
    """

    codevectors: Tensor
    count: Tensor
    total: Tensor

    def __init__(self, c: VqvaeConfig, decay: float = 0.99, least: float = 0.01) -> None:
        super().__init__()
        self.decay, self.least, self.rdo_lambdas = decay, least, rdo_lambdas(c)
        self.register_buffer("codevectors", torch.zeros(c.levels, c.codes, c.dims))
        self.register_buffer("count", torch.zeros(c.levels, c.codes))  # 0: not yet begun
        self.register_buffer("total", torch.zeros(c.levels, c.codes, c.dims))

    def bits(self, level: int) -> Tensor:
        """What each code of a level costs at its frequency, ``codes``."""
        count = self.count[level] + 0.02
        return torch.log2(count.sum()) - torch.log2(count)

    def choose(self, rest: Tensor, level: int, rdo_lambda: float) -> Tensor:
        """Codes ``n`` of least distance plus ``rdo_lambda`` times bits, for vectors ``n dims``."""
        vectors = self.codevectors[level]
        cost = vectors.square().sum(1) - 2 * rest @ vectors.T + rdo_lambda * self.bits(level)
        return cost.argmin(1)

    @torch.no_grad()
    def forward(self, z: Tensor, share: float = 1.0, learn: bool = False) -> tuple[Tensor, Tensor]:
        """Codes ``b levels h w`` and, after each level, the summed codevectors ``l b dims h w``.

        Arguments:
            share: of the `rdo_lambdas` of bits that counts.
            learn: whether the averages follow.
        """
        b, dims, h, w = z.shape
        rest = z.float().permute(0, 2, 3, 1).reshape(-1, dims)
        so_far, codes, sums = torch.zeros_like(rest), [], []
        for level in range(self.codevectors.shape[0]):
            chosen = self.choose(rest, level, share * self.rdo_lambdas[level])
            found = self.codevectors[level][chosen]
            if learn:
                self._follow(level, rest, chosen)
            so_far, rest = so_far + found, rest - found
            codes.append(chosen.reshape(b, h, w))
            sums.append(so_far.reshape(b, h, w, dims).permute(0, 3, 1, 2))
        return torch.stack(codes, 1), torch.stack(sums)

    def _follow(self, level: int, vectors: Tensor, chosen: Tensor) -> None:
        """One step of the moving averages, and a new place for the codes that are not used."""
        count = torch.zeros_like(self.count[level])
        count.index_add_(0, chosen, torch.ones_like(vectors[:, 0]))
        total = torch.zeros_like(self.total[level]).index_add_(0, chosen, vectors)
        spare = vectors[torch.randint(len(vectors), (count.numel(),), device=vectors.device)]
        if torch.distributed.is_initialized():
            both = torch.cat([total, count[:, None]], 1)
            torch.distributed.all_reduce(both)
            torch.distributed.broadcast(spare, 0)
            total, count = both[:, :-1], both[:, -1]
        self.count[level].lerp_(count, 1 - self.decay)
        self.total[level].lerp_(total, 1 - self.decay)
        dead = self.count[level] < self.least
        mean = self.count[level].mean()
        self.total[level] = torch.where(dead[:, None], spare * mean, self.total[level])
        self.count[level] = torch.where(dead, mean, self.count[level])
        self.codevectors[level] = self.total[level] / self.count[level][:, None]

    @torch.no_grad()
    def begin(self, vectors: Tensor, batch: int, rounds: int = 8) -> None:
        """k-means of ``vectors`` (n, dims), level by level, to start from.

        Arguments:
            batch: how many vectors a batch has; the averages start as if they had seen such.
        """
        if torch.distributed.is_initialized():
            torch.distributed.broadcast(vectors, 0)
        rest = vectors
        for level in range(self.codevectors.shape[0]):
            picked = torch.randperm(len(rest), device=rest.device)
            picked = picked[torch.arange(self.count.shape[1], device=rest.device) % len(rest)]
            if torch.distributed.is_initialized():
                torch.distributed.broadcast(picked, 0)
            self.codevectors[level] = rest[picked]
            count = self.count[level]
            for _ in range(rounds):
                chosen = self.choose(rest, level, 0.0)
                count = torch.bincount(chosen, minlength=self.count.shape[1]).float()
                total = torch.zeros_like(self.total[level]).index_add_(0, chosen, rest)
                used = count > 0
                mean = total / count.clamp(min=1)[:, None]
                self.codevectors[level] = torch.where(used[:, None], mean, self.codevectors[level])
            self.count[level] = (count + 0.1) * (batch / len(rest))
            self.total[level] = self.codevectors[level] * self.count[level][:, None]
            rest = rest - self.codevectors[level][self.choose(rest, level, 0.0)]

    @property
    def begun(self) -> bool:
        return bool(self.count.sum() > 0)


class Vqvae(nn.Module):
    """Encoder, codebooks and decoder."""

    def __init__(self, config: VqvaeConfig | None = None) -> None:
        super().__init__()
        c = self.config = config or VqvaeConfig()
        self.g_a, self.g_s = Analysis(c), Synthesis(c)
        self.codebooks = Codebooks(c)

    def sent(self, levels: Tensor) -> Tensor:
        """One-hot rows ``b levels`` of numbers of levels (``b``, from 1)."""
        return F.one_hot(levels - 1, self.config.levels).float()

    def latent(self, x: Tensor) -> Tensor:
        """``z`` of pixels ``b 3 h w`` in 0..1 whose sides 16 divides."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training):
            return self.g_a(x - 0.5)

    def pixels(self, z: Tensor, levels: Tensor) -> Tensor:
        """Pixels, about 0..1, of summed codevectors."""
        with torch.autocast(z.device.type, torch.bfloat16, enabled=self.training):
            return self.g_s(z, self.sent(levels)).float() + 0.5
