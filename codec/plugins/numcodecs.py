"""numcodecs, and so zarr: arrays of uint8 pictures whose chunks are ``.gnc`` files.

The package announces the codec by an entry point, so that ``numcodecs.get_codec`` knows the id
``gencodec`` where both are installed; an import of this module registers it as well. In zarr it is
a compressor of format 2.

Example:
    >>> import numcodecs
    >>> codec = Gencodec(codec="flow", lossless=True)
    >>> codec.get_config()
    {'id': 'gencodec', 'codec': 'flow', 'lossless': True}
    >>> numcodecs.get_codec(codec.get_config()) == codec
    True
    >>> chunk = np.full((1, 48, 64, 3), 99, np.uint8)
    >>> bool((codec.decode(codec.encode(chunk)) == chunk.reshape(48, 64, 3)).all())
    True
"""

from typing import Self, TypedDict

import numpy as np
from numcodecs.abc import Codec as NumcodecsCodec
from numcodecs.compat import ensure_bytes, ndarray_copy
from numcodecs.registry import register_codec
from numpy.typing import ArrayLike, NDArray

from ..api import Codec
from ..errors import InputError

__all__ = ["Gencodec", "Settings", "require_pictures"]

COLOUR_CHANNELS = (3, 4)
DEFAULTS = Codec()


class Settings(TypedDict, total=False):
    """Settings that are kept with an array; see `gencodec.compress`."""

    codec: str | None
    quality: float
    lossless: bool
    tune: str | None


def require_pictures(what: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """InputError unless an array of this shape and type holds pictures.

    Arguments:
        what: the array, as the error's sentence begins.
    """
    if dtype != np.uint8 or len(shape) < 2:
        raise InputError(
            f"{what} of shape {shape} and type {dtype} holds no pictures; gencodec takes uint8 of"
            " shape (..., H, W), (..., H, W, 3) or (..., H, W, 4)."
        )


@NumcodecsCodec.register  # no base class: by its annotations, `encode` would have to return None
class Gencodec:
    """A chunk of pictures ``(..., H, W)``, ``(..., H, W, 3)`` or ``(..., H, W, 4)`` as one file.

    Several pictures in a chunk are put below one another, so a chunk is best one picture, or a
    part of one. Unless ``lossless`` is set (or the codec is ``graphics``) pixels do not come back
    exactly.

    Arguments:
        codec, quality, lossless, tune: as for `gencodec.compress`; they are kept with the array.
        device, threads: of the process at hand; they are not kept.

    Raises:
        InputError, DeviceError: a wrong setting, or settings that exclude each other.
    """

    codec_id: str = "gencodec"

    def __init__(
        self,
        codec: str | None = None,
        quality: float = DEFAULTS.quality,
        lossless: bool = False,
        tune: str | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self._codec = Codec(
            codec, quality, lossless=lossless, tune=tune, device=device, threads=threads
        )

    def encode(self, buf: ArrayLike) -> bytes:
        """The file of a chunk.

        Raises:
            InputError: it is not uint8, or has fewer than two axes.
        """
        chunk = np.asarray(buf)
        require_pictures("A chunk", chunk.shape, chunk.dtype)
        colour = chunk.ndim > 2 and chunk.shape[-1] in COLOUR_CHANNELS
        row = chunk.shape[-2:] if colour else chunk.shape[-1:]
        return self._codec.encode(chunk.reshape(-1, *row))

    def decode(
        self, buf: bytes | bytearray | memoryview, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The pictures of a chunk ``(rows, W)``, ``(rows, W, 3)`` or ``(rows, W, 4)``, or ``out``.

        Arguments:
            out: where to put the samples, of as many bytes.

        Raises:
            FormatError: not a file of gencodec, or damaged.
            ModelError: the decoder that the file names is not here.
        """
        pixels = np.asarray(self._codec.decode(ensure_bytes(buf)))
        if out is None:
            return pixels
        ndarray_copy(pixels, out)
        return out

    def get_config(self) -> dict[str, str | float | bool | None]:
        """The id, and of the settings that are kept those that are not the default."""
        kept = ("codec", "quality", "lossless", "tune")
        settings = {name: getattr(self._codec, name) for name in kept}
        changed = {k: value for k, value in settings.items() if value != getattr(DEFAULTS, k)}
        return {"id": self.codec_id, **changed}

    @classmethod
    def from_config(cls, config: Settings) -> Self:
        """What `get_config` tells of, without the id."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gencodec) and self.get_config() == other.get_config()

    def __repr__(self) -> str:
        settings = (f"{k}={value!r}" for k, value in self.get_config().items() if k != "id")
        return f"{type(self).__name__}({', '.join(settings)})"


register_codec(Gencodec)
