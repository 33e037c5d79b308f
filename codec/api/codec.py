"""`Codec`: settings that are given once, for programs that compress picture after picture.

An object holds its settings and nothing else. Models and their networks are opened by the process
that first needs them and are kept there (`library`), so an object costs nothing to make, to pickle
and to send to another process, and any number of threads may use one.

Example:
    >>> import numpy as np
    >>> codec = Codec(codec="graphics")
    >>> pictures = [np.full((48, 64, 3), level, np.uint8) for level in (0, 99, 200)]
    >>> files = codec.encode_batch(pictures)
    >>> files[0] == codec.encode(pictures[0])
    True
    >>> [image.size for image in codec.decode_batch(files)]
    [(64, 48), (64, 48), (64, 48)]
"""

import warnings
from collections.abc import Iterable
from dataclasses import KW_ONLY, asdict, dataclass, replace

from PIL import Image

from ..errors import GencodecWarning
from ..image.open import Data, ImageSource, PathLike
from ..library import check_tune
from ..rate_control import Target
from ..schemes.segments import parallel_map
from ..session import Runtime
from .compression import DEFAULT_QUALITY, checked_settings, compress_detailed, decompress
from .encoding import CompressResult

__all__ = ["Codec"]


@dataclass(frozen=True)
class Codec:
    """The settings of `compress` and `decompress`, checked when the object is made.

    Two objects of equal settings are equal. One may be used by several threads at once, after a
    fork, and, being pickled without models, in processes that are spawned. A CUDA device does not
    outlive a fork: spawn processes that are to use one.

    Arguments:
        codec, quality, lossless, device, threads, tune, strip, model, denoise, target_size,
            target_bpp, target_psnr: as for `compress`; ``device``, ``threads`` and ``model`` are
            for decoding as well, the others do not matter there.

    Raises:
        InputError, ModelError, DeviceError: a wrong setting, or settings that exclude each other.

    Example:
        >>> from PIL import Image
        >>> codec = Codec(quality=60, threads=1)
        >>> codec.decode(codec.encode(Image.new("RGB", (64, 48), "teal"))).size
        (64, 48)
    """

    codec: str | None = None
    quality: float = DEFAULT_QUALITY
    _: KW_ONLY
    lossless: bool = False
    device: str = "auto"
    threads: int | None = None
    tune: str | None = None
    strip: bool = False
    model: PathLike | None = None
    denoise: bool = False
    target_size: int | None = None
    target_bpp: float | None = None
    target_psnr: float | None = None

    def __post_init__(self) -> None:
        named, _, _, _ = checked_settings(
            codec=self.codec,
            quality=self.quality,
            lossless=self.lossless,
            device=self.device,
            threads=self.threads,
            tune=self.tune,
            model=self.model,
            denoise=self.denoise,
            target=Target(self.target_size, self.target_bpp, self.target_psnr),
        )
        if named is not None:
            check_tune(named, self.tune)

    def encode(self, image: ImageSource) -> bytes:
        """Compresses a picture to the bytes of a ``.gnc`` file; see `compress`.

        Arguments:
            image: a PIL image, a path, a binary file object, or a uint8 array ``(H, W)``,
                ``(H, W, 3)`` or ``(H, W, 4)``.

        Raises:
            InputError: the picture cannot be read, or not be kept as the settings ask.
            ModelError, DeviceError: the model or the device is unavailable.

        Warns:
            GencodecWarning: something of the picture was converted or left out.
        """
        return _told(compress_detailed(image, **asdict(self)))

    def decode(self, data: Data, region: tuple[int, int, int, int] | None = None) -> Image.Image:
        """The picture of a ``.gnc`` file as a PIL image, fully loaded; see `decompress`.

        ``numpy.asarray`` makes a uint8 array of it, ``(H, W)``, or ``(H, W, C)`` with 2 channels
        for LA, 3 for RGB and 4 for RGBA. The file says by what codec and at what quality it was
        written, so any object reads any file.

        Arguments:
            data: bytes, a path or a binary file object.
            region: x, y, width and height in pixels of the part wanted.

        Raises:
            FormatError: not a file of gencodec, or damaged.
            InputError: the region is not inside the picture.
            ModelError: the decoder that the file names is not here.
        """
        return decompress(data, region, self.device, self.threads, model=self.model)

    def encode_batch(self, images: Iterable[ImageSource]) -> list[bytes]:
        """The files of some pictures, in their order; each is what `encode` makes of it.

        As many pictures as ``threads`` are worked on at the same time, each on one thread, which
        takes less time than one after the other, and the memory of as many. The networks that are
        shipped take one picture each, so a batch makes no larger inputs for them.

        Raises:
            InputError, ModelError, DeviceError: as `encode`, for the first picture that fails; the
                files of the others are lost.
        """
        found = parallel_map(
            lambda image, runtime: compress_detailed(image, **asdict(self._on(runtime))),
            list(images),
            Runtime(self.device, self.threads),
        )
        files = list[bytes]()
        for result in found:
            files.append(_told(result))
        return files

    def decode_batch(self, files: Iterable[Data]) -> list[Image.Image]:
        """The pictures of some files, in their order; see `decode` and `encode_batch`.

        Raises:
            FormatError, InputError, ModelError: as `decode`, for the first file that fails.
        """
        found = parallel_map(
            lambda data, runtime: self._on(runtime).decode(data),
            list(files),
            Runtime(self.device, self.threads),
        )
        return list(found)

    def _on(self, runtime: Runtime) -> "Codec":
        return replace(self, threads=runtime.threads)


def _told(result: CompressResult) -> bytes:
    for note in result.notes:
        warnings.warn(note, GencodecWarning, stacklevel=3)  # of the caller of a public method
    return result.data
