"""Pictures that an export looks at."""

import numpy as np
import torch
from torch import Tensor

from .data import Crops

__all__ = ["picture"]

SIZE = 256  # pixels a side


def picture(crops: Crops) -> Tensor:
    """The next crop, ``(1, 3, 256, 256)`` in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(crops.batch(1, SIZE))).float() / 255
