"""zarr's format 3: arrays of uint8 pictures whose chunks are ``.gnc`` files.

The package announces the codec by an entry point, so that arrays that name ``gencodec`` can be
opened where both are installed; an import of this module registers it as well. It takes the place
of zarr's serializer, since it needs the shape of a chunk. For format 2 see `numcodecs`.

Example:
    >>> import zarr
    >>> pictures = np.full((2, 48, 64, 3), 99, np.uint8)
    >>> array = zarr.create_array(
    ...     {}, shape=pictures.shape, chunks=(1, 48, 64, 3), dtype="uint8",
    ...     serializer=Gencodec(codec="graphics"), compressors=None,
    ... )
    >>> array[:] = pictures
    >>> bool((array[1] == 99).all())
    True
"""

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from ..api import Codec
from ..errors import FormatError
from . import numcodecs

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer
    from zarr.core.chunk_grids import ChunkGrid
    from zarr.core.common import JSON
    from zarr.core.dtype.wrapper import TBaseDType, TBaseScalar, ZDType

__all__ = ["Gencodec"]

NAME = numcodecs.Gencodec.codec_id


@dataclass(frozen=True)
class Gencodec(ArrayBytesCodec):
    """A chunk of pictures ``(..., H, W)``, ``(..., H, W, 3)`` or ``(..., H, W, 4)`` as one file.

    Several pictures in a chunk are put below one another, so a chunk is best one picture, or a
    part of one. Unless ``lossless`` is set (or the codec is ``graphics``) pixels do not come back
    exactly.

    Arguments:
        codec, quality, lossless, tune: as for `gencodec.compress`; they are kept with the array.
        device, threads: of the process at hand; they are not kept.

    Raises:
        InputError, DeviceError: a wrong setting, settings that exclude each other, or, when an
            array is made with it, one that holds no uint8 or has fewer than two axes.
        FormatError: a chunk that is read is damaged.
    """

    is_fixed_size = False  # of a chunk's bytes

    codec: str | None = None
    quality: float = Codec.quality
    lossless: bool = False
    tune: str | None = None
    device: str = field(default="auto", compare=False)
    threads: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        self._chunks.get_config()  # wrong settings are told now

    @cached_property
    def _chunks(self) -> numcodecs.Gencodec:
        return numcodecs.Gencodec(
            self.codec, self.quality, self.lossless, self.tune, self.device, self.threads
        )

    @classmethod
    def from_dict(cls, data: "dict[str, JSON]") -> Self:
        """What `to_dict` tells of."""
        return cls(**cast(numcodecs.Settings, data.get("configuration") or {}))

    def to_dict(self) -> "dict[str, JSON]":
        """The name, and of the settings that are kept those that are not the default."""
        settings = dict[str, "JSON"](self._chunks.get_config())
        del settings["id"]
        return {"name": NAME, "configuration": settings}

    def validate(
        self,
        *,
        shape: tuple[int, ...],
        dtype: "ZDType[TBaseDType, TBaseScalar]",
        chunk_grid: "ChunkGrid",
    ) -> None:
        """Refuses arrays that hold no pictures, when they are made."""
        numcodecs.require_pictures("An array", shape, dtype.to_native_dtype())

    async def _encode_single(self, chunk_data: "NDBuffer", chunk_spec: "ArraySpec") -> "Buffer":
        data = await asyncio.to_thread(self._chunks.encode, chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: "Buffer", chunk_spec: "ArraySpec") -> "NDBuffer":
        pixels = await asyncio.to_thread(self._chunks.decode, chunk_data.to_bytes())
        if pixels.size != np.prod(chunk_spec.shape):
            raise FormatError(
                f"A chunk holds {pixels.size} samples instead of {chunk_spec.shape}; it is not of "
                "this array."
            )
        return chunk_spec.prototype.nd_buffer.from_numpy_array(pixels.reshape(chunk_spec.shape))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: "ArraySpec") -> int:
        """Not known before a chunk is encoded: zarr expects a NotImplementedError."""
        raise NotImplementedError


register_codec(NAME, Gencodec)
