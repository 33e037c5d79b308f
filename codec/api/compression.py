"""Compress and decompress: bytes and pictures in and out, with no file system and no printing.

These are the functions that other programs embed; the command line is written on top of them.
"""

import functools
import inspect
import warnings
from collections.abc import Callable
from numbers import Real
from typing import ParamSpec

from PIL import Image

from .. import container, denoiser, library
from ..container import ChunkType
from ..errors import FormatError, GencodecWarning, InputError
from ..image import pixels
from ..image.limits import check_pixels, checked_region
from ..image.open import Data, ImageSource, PathLike, read_bytes
from ..image.resolution import unpack
from ..inspection import CODECS
from ..rate_control import Target
from ..schemes.base import AUTO, by_name, by_wire_id, level_of
from ..session import Runtime
from .encoding import CompressResult, Encoding, metadata_chunks

__all__ = [
    "DEFAULT_QUALITY",
    "checked_settings",
    "compress",
    "compress_detailed",
    "decompress",
    "verify",
]

DEFAULT_QUALITY = 50.0
P = ParamSpec("P")


def compress_detailed(
    image: ImageSource,
    codec: str | None = None,
    quality: float = DEFAULT_QUALITY,
    lossless: bool = False,
    device: str = "auto",
    threads: int | None = None,
    tune: str | None = None,
    *,
    strip: bool = False,
    model: PathLike | None = None,
    denoise: bool = False,
    target_size: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
) -> CompressResult:
    """Like `compress`, with its arguments, and tells what was done.

    Example:
        >>> import numpy as np
        >>> result = compress_detailed(np.zeros((48, 64, 3), np.uint8))
        >>> result.codec, result.width, result.height, len(result.data) < 100
        ('graphics', 64, 48, True)
    """
    named, quality, target, runtime = checked_settings(
        codec=codec,
        quality=quality,
        lossless=lossless,
        device=device,
        threads=threads,
        tune=tune,
        model=model,
        denoise=denoise,
        target=Target(target_size, target_bpp, target_psnr),
    )
    scheme = by_name(named) if named else None
    # What an exact codec gives back is saved again unchanged, hidden colours included.
    hide = scheme is not None and not scheme.supports_lossless
    picture = pixels.load(image, keep_metadata=not strip, replace_hidden=hide)
    if lossless and picture.lossy_conversion:
        raise InputError(f"The picture cannot be kept losslessly: {picture.lossy_conversion}")
    height, width = picture.rgb.shape[:2]
    container.check_size(width, height)
    if denoise:
        network = library.default_single("denoiser")
        picture.rgb, _ = denoiser.clean(picture.rgb, network, runtime, estimated=False)
    encoding = Encoding(picture, metadata_chunks(picture), quality, lossless, target, runtime)
    return encoding.write(named, model, tune) if named else encoding.choose()


def checked_settings(
    *,
    codec: str | None,
    quality: float,
    lossless: bool,
    device: str,
    threads: int | None,
    tune: str | None,
    model: PathLike | None,
    denoise: bool,
    target: Target,
) -> tuple[str | None, float, Target, Runtime]:
    """What `compress` is asked for, checked before any picture is looked at.

    Returns: the codec, None where the picture decides; the quality, the target and the runtime.

    Raises:
        InputError, ModelError, DeviceError: as `compress`.
    """
    if isinstance(quality, bool) or not isinstance(quality, Real) or not 0 <= quality <= 100:
        raise InputError(f"quality must be a number from 0 to 100, not {quality!r}.")
    quality = float(quality)  # numpy's numbers too
    named = _named(codec, lossless, model, denoise or tune is not None)
    scheme = by_name(named) if named else None
    if lossless and scheme and not scheme.supports_lossless:
        raise InputError(
            f"The codec {scheme.name} cannot compress losslessly; flow and graphics can."
        )
    if denoise and (lossless or (scheme and not scheme.supports_lossy)):
        raise InputError(
            "A picture that is denoised is not kept losslessly; leave out one of them."
        )
    if lossless and target.given:
        raise InputError("A lossless file has the size that it takes; leave out the target.")
    if target.given and quality != DEFAULT_QUALITY:
        raise InputError("Give a quality or a target, not both.")
    return named, quality, target, Runtime(device, threads)


def _named(codec: str | None, lossless: bool, model: PathLike | None, learned: bool) -> str | None:
    """The codec that is asked for; None where it is to be chosen.

    Arguments:
        learned: what is asked for beside it can be done by a learned codec alone.
    """
    if codec not in (None, AUTO):
        return codec
    if model is not None:
        scheme = library.load(model).file.scheme
        return scheme if scheme in CODECS else "autoencoder"  # which refuses the model by name
    if learned:
        return "flow" if lossless else "autoencoder"
    return None


def _result_of(
    source: Callable[P, CompressResult],
) -> Callable[[Callable[[CompressResult], bytes]], Callable[P, bytes]]:
    """Makes a function of a result one of what the result is made from.

    It has the parameters of ``source``, which are so written once.
    """

    def decorate(function: Callable[[CompressResult], bytes]) -> Callable[P, bytes]:
        @functools.wraps(function)
        def composed(*arguments: P.args, **options: P.kwargs) -> bytes:
            return function(source(*arguments, **options))

        signature = inspect.signature(source).replace(return_annotation=bytes)
        composed.__dict__["__signature__"] = signature
        composed.__annotations__ = {**source.__annotations__, "return": bytes}
        return composed

    return decorate


@_result_of(compress_detailed)
def compress(result: CompressResult) -> bytes:
    """Compresses a picture to the bytes of a ``.gnc`` file.

    Arguments:
        image: a PIL image, a path, a binary file object, or a uint8 array ``(H, W)``,
            ``(H, W, 3)`` or ``(H, W, 4)``.
        codec: one of `CODECS`; None or "auto" for the one that suits the picture: graphics for
            screenshots and drawings, autoencoder (or flow, where it is to be lossless) for photos.
            With ``tune`` or ``denoise`` it is autoencoder, with ``model`` that model's codec.
        quality: 0 (smallest file) to 100 (best picture); `models` lists a codec's steps.
        lossless: keep every bit, whatever the quality (as in Pillow); flow and graphics can.
        device: "auto", "cpu" or "cuda".
        threads: of the CPU; None for all cores.
        tune: "visual" (None is the same) or "psnr": what the picture is to be good in for its
            bytes, people's eyes or PSNR; of the shipped codecs autoencoder alone has the choice.
        strip: leave out ICC profile, EXIF and XMP.
        model: a model file to use instead of the shipped one.
        denoise: take the noise out first, as the function `denoise` does; it costs many bits.
        target_size, target_bpp: bytes of the whole file, or bits per pixel: the largest quality
            that fits is searched for.
        target_psnr: in dB, of the decoded colours: the least quality that reaches it. At most one
            of the targets, and no ``quality`` beside it.

    Raises:
        InputError: the picture cannot be read or has the wrong shape or type, or a wrong argument,
            or ``lossless`` and the picture has more than 8 bits a sample or no RGB colours.
        ModelError, DeviceError: the model or the device is unavailable.

    Warns:
        GencodecWarning: something of the picture was converted or left out.

    Example:
        >>> import numpy as np
        >>> data = compress(np.zeros((48, 64, 3), np.uint8), quality=30)
        >>> decompress(data).size
        (64, 48)
    """
    for note in result.notes:
        warnings.warn(note, GencodecWarning, stacklevel=3)
    return result.data


def decompress(
    data: Data,
    region: tuple[int, int, int, int] | None = None,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
) -> Image.Image:
    """The picture of a ``.gnc`` file as a `PIL.Image.Image`, fully loaded.

    ICC profile, EXIF, XMP and dpi are in ``.info``; the mode is L, LA, RGB or RGBA.

    Arguments:
        data: bytes, a path or a binary file object.
        region: x, y, width and height in pixels of the part wanted, of the picture as it is stored
            (EXIF orientation is not applied); only what it takes is decoded.
        device, threads: as for `compress`.
        model: a decoder file, where the shipped ones do not include the one that the file names.

    Raises:
        FormatError: not a file of gencodec, or damaged where it was looked at.
        InputError: the region is not inside the picture.
        ModelError: the decoder that the file names is not here.

    Example:
        >>> import numpy as np
        >>> data = compress(np.zeros((48, 64), np.uint8))
        >>> decompress(data, region=(16, 8, 32, 24)).size
        (32, 24)
    """
    raw = read_bytes(data)
    header = container.read_header(raw)
    scheme = by_wire_id(header.scheme)
    level = level_of(scheme, header.quality, header.lossless)
    size = header.width, header.height
    wanted = None
    if region is not None:
        region = checked_region(region, *size)
        wanted = set(scheme.open_decoder(header.decoder, model).segments_of(size, region))
    header, metadata, segments = container.read(raw, wanted)
    # The alpha plane is decoded as a whole.
    held = size if region is None or ChunkType.ALPHA in metadata else region[2:]
    check_pixels(held[0], held[1], FormatError)
    opened = scheme.open_decoder(header.decoder, model)
    runtime = Runtime(device, threads)
    alpha = None
    if ChunkType.ALPHA in metadata:
        alpha = pixels.decode_alpha(metadata[ChunkType.ALPHA], *size)
    rgb = opened.decode(segments, size, level, runtime, region)
    if region is not None and alpha is not None:
        x, y, w, h = region
        alpha = alpha[y : y + h, x : x + w]
    return pixels.to_image(
        rgb,
        grey=header.grey,
        alpha=alpha,
        icc=metadata.get(ChunkType.ICC),
        exif=metadata.get(ChunkType.EXIF),
        xmp=metadata.get(ChunkType.XMP),
        dpi=unpack(metadata.get(container.RESOLUTION)),
    )


def verify(data: Data, *, model: PathLike | None = None) -> None:
    """Checks a file: every checksum, and that every symbol decodes as it was written.

    Raises:
        FormatError: not a file of gencodec, or damaged.
        ModelError: the decoder that the file names is not here.

    Example:
        >>> import numpy as np
        >>> data = compress(np.zeros((48, 64), np.uint8))
        >>> verify(data)
        >>> verify(data[:-1])
        Traceback (most recent call last):
        gencodec.codec.errors.FormatError: ...
    """
    header, metadata, segments = container.read(read_bytes(data))
    check_pixels(header.width, header.height, FormatError)
    scheme = by_wire_id(header.scheme)
    level = level_of(scheme, header.quality, header.lossless)
    opened = scheme.open_decoder(header.decoder, model)
    if ChunkType.ALPHA in metadata:
        pixels.decode_alpha(metadata[ChunkType.ALPHA], header.width, header.height)
    runtime = Runtime("cpu")
    opened.verify(segments, (header.width, header.height), level, runtime)
