"""Our codecs as a comparison sees them: settings, and whole files in and out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import api
from ..image.open import PathLike

__all__ = ["Ours"]


@dataclass(frozen=True)
class Ours:
    """A codec of ours, of `api.CODECS`, or "auto"; the other arguments are as for `compress`.

    Example:
        >>> codec = Ours("autoencoder", (0, 50, 100))
        >>> codec.label, codec.decode(codec.encode(np.zeros((8, 16, 3), np.uint8), 50)).shape
        ('gencodec autoencoder', (8, 16, 3))
    """

    name: str
    settings: tuple[float, ...]
    device: str = "auto"
    threads: int | None = None
    model: PathLike | None = None
    tune: str | None = None
    browsers: str | None = None

    @property
    def label(self) -> str:
        return f"gencodec {self.name}" + (f", {self.tune}" if self.tune else "")

    def encode(self, pixels: NDArray[np.uint8], setting: float) -> bytes:
        return self.encode_detailed(pixels, setting).data

    def encode_detailed(self, pixels: NDArray[np.uint8], setting: float) -> api.CompressResult:
        """The file, and what is known about it."""
        return api.compress_detailed(
            pixels,
            self.name,
            setting,
            device=self.device,
            threads=self.threads,
            strip=True,
            model=self.model,
            tune=self.tune,
        )

    def decode(self, data: bytes, grey: bool = False) -> NDArray[np.uint8]:
        image = api.decompress(data, device=self.device, threads=self.threads, model=self.model)
        return np.asarray(image.convert("L" if grey else "RGB"))
