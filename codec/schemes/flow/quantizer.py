"""The quantizer of ``flow``: monotone, and a value that it made is quantized to the same symbol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quantizer"]

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Quantizer:
    """``g`` and ``Q`` of one step (in 256ths) and the rows' thresholds.

    Example:
        >>> quantizer = Quantizer(512, np.array([[128, 128]]))
        >>> quantizer.quantize(np.array([-5, 0, 3]), np.zeros(3, int)).tolist()
        [-3, 0, 2]
        >>> quantizer.dequantize(np.array([-3, 0, 2])).tolist()
        [-6, 0, 4]
    """

    step: int
    thresholds: Ints  # (rows, 2), 256ths: from 0 to 1, and from there up

    def dequantize(self, k: Ints) -> Ints:
        """``g``: the difference from the prediction that a symbol stands for."""
        return np.sign(k) * ((np.abs(k) * self.step + 128) >> 8)

    def quantize(self, residual: Ints, rows: Ints) -> Ints:
        """``Q``: monotone, and exact where the residual is one that `dequantize` gives."""
        size = np.abs(residual)
        k = (size * 256 + self.step // 2) // self.step + 1
        for _ in range(2):
            below = self.dequantize(k - 1)
            part = self.thresholds[rows, np.minimum(np.maximum(k - 1, 0), 1)]
            k -= size < below + (((self.dequantize(k) - below) * part + 255) >> 8)
        return (np.sign(residual) * np.maximum(k, 0)).astype(np.int32)
