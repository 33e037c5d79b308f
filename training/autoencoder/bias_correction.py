"""The mean error of decoded pixels, taken out of the network before it is exported."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import Crops
from ..sampled_crops import picture
from .network import Autoencoder

__all__ = ["correct_bias"]


@torch.no_grad()
def correct_bias(model: Autoencoder, crops: Crops, count: int) -> Tensor:
    """Takes the mean error out of the pixels of the last layer; returns what it was, in levels.

    Training leaves tenths of a level there. They are nothing in one file, but the same in every
    one, and add up where a picture is saved again and again. Qualities weigh as the inverse of
    their squared errors: a tenth of a level counts where little else is lost.

    Arguments:
        crops, count: pictures to measure on, and how many at each of five qualities.
    """
    last = model.g_s.tail[0]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    total, weights = torch.zeros(len(last.bias)), 0.0
    for t in torch.linspace(0.2, 1.0, 5):
        error, squared = torch.zeros_like(total), 0.0
        for _ in range(count):
            x = picture(crops)
            gap = model(x, t[None])["x_hat"] - x
            error += F.pixel_unshuffle(gap, 4).mean((0, 2, 3)) / count
            squared += float(gap.square().mean()) / count
        total += error / squared
        weights += 1 / squared
    last.bias -= total / weights
    return total / weights * 255
