"""Takes the noise out of pictures; how much there is is found by itself.

The network works on float planes, in tiles that overlap by its receptive field, so the result does
not depend on the tiling. The noise level is estimated once per picture; whether the network is told
or finds its own way (blind) is a setting of the model file.

Where noise was clipped, at black or white, the mean that it moved is put right
(`image/clipped_noise`).

Where the level is to be found, a picture that was drawn (`image/drawn`) has none and is left alone.

What goes in comes out: an array of the same type, shape and range, or a PIL image. Transparency
and metadata stay as they are.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import BinaryIO, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import library
from .container import check_size
from .errors import GencodecWarning, InputError, ModelError
from .image import pixels
from .image.clipped_noise import unclip_means
from .image.drawn import is_drawn
from .image.open import ImageSource, PathLike
from .library import Model
from .session import Runtime

__all__ = ["SIGMA_MAX", "DenoiseResult", "clean", "denoise", "denoise_detailed", "estimate"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SIGMA_MAX = 75.0  # the strongest noise that can be asked for, in levels of 0..255
BLIND = -1.0  # tells the network that the level is not known
EDGE = 2  # places of the estimate, next to the border, that are not used: they see beyond it
TILE = 768  # pixels a side of a tile without its halo
WHOLE = 2**20  # pixels up to which a picture is one tile
PATCH = 128  # pixels a side of the patches that the level of a picture is estimated on
PATCHES = (400**2, 3), (WHOLE, 6)  # from so many pixels on, so many of them each way

WANTED = "a uint8 array, or a float32 one in 0..1, of shape (H, W), (H, W, 3) or (H, W, 4)"

Progress = Callable[[float], None]
Sample = TypeVar("Sample", bound=np.uint8 | np.float32)
Planes = NDArray[np.uint8 | np.float32]


@dataclass(frozen=True)
class DenoiseResult:
    """A picture without its noise.

    Attributes:
        image: of the kind that was given: array or PIL image.
        sigma: the noise level in levels of 0..255: the one given, or the one estimated.
        width, height: of the picture.
        notes: sentences on what was converted.
    """

    image: Image.Image | Planes
    sigma: float
    width: int
    height: int
    notes: tuple[str, ...] = ()


@overload
def denoise(
    image: NDArray[Sample],
    sigma: float | None = None,
    strength: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
) -> NDArray[Sample]: ...
@overload
def denoise(
    image: Image.Image | PathLike | BinaryIO,
    sigma: float | None = None,
    strength: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
) -> Image.Image: ...
def denoise(
    image: ImageSource | Planes,
    sigma: float | None = None,
    strength: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
) -> Image.Image | Planes:
    """Takes the noise out of a picture.

    Arguments:
        image: a PIL image, a path, a binary file object, or an array ``(H, W)``, ``(H, W, 3)`` or
            ``(H, W, 4)``: uint8, or float32 in 0..1 whose values may lie outside.
        sigma: standard deviation of the noise in levels of 0..255, 0 to 75; None finds it out, and
            leaves alone what was drawn: graphics, text, dithers, pixel art.
        strength: 1 takes all noise out, 0 none; between, some of the grain stays.
        device: "auto", "cpu" or "cuda".
        threads: of the CPU; None for all cores.
        model: a model file to use instead of the shipped one.

    Returns: for an array a new array of the same type, shape and range (float values are not
        clipped), else a PIL image with the metadata of the input.

    Raises:
        InputError: the picture cannot be read or has the wrong shape or type, or a wrong argument.
        ModelError, DeviceError: the model or the device is unavailable.

    Example:
        >>> noisy = np.random.default_rng(1).normal(0.5, 0.1, (48, 64)).astype(np.float32)
        >>> denoised = denoise(noisy)
        >>> denoised.shape, denoised.dtype, bool(denoised.std() < noisy.std() / 2)
        ((48, 64), dtype('float32'), True)
    """
    # The level is not returned, so it is estimated only for a network that wants to be told.
    result = _denoise(image, sigma, strength, device, threads, model, estimated=False)
    for note in result.notes:
        warnings.warn(note, GencodecWarning, stacklevel=2)
    return result.image


def denoise_detailed(
    image: ImageSource | Planes,
    sigma: float | None = None,
    strength: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
    progress: Progress | None = None,
) -> DenoiseResult:
    """Like `denoise`, and tells what was done.

    Arguments:
        progress: called after each tile with the part of the picture that is done, up to 1.
    """
    return _denoise(image, sigma, strength, device, threads, model, True, progress)


def _denoise(
    image: ImageSource | Planes,
    sigma: float | None,
    strength: float,
    device: str,
    threads: int | None,
    model: PathLike | None,
    estimated: bool,
    progress: Progress | None = None,
) -> DenoiseResult:
    sigma = _number("sigma", sigma, SIGMA_MAX)
    strength = _number("strength", strength, 1.0) or 0.0
    runtime = Runtime(device, threads)
    network = _opened(model)
    if isinstance(image, np.ndarray):
        image = np.asarray(image)  # of a subclass the plain array
        _check_array(image)
        colour, alpha = (image, None) if image.ndim == 2 else (image[..., :3], image[..., 3:])
        done, level = clean(colour, network, runtime, sigma, strength, estimated, progress)
        if alpha is not None and alpha.size:
            # Colour that nobody sees is none of our business.
            done = np.where(alpha == 0, colour, done)
            done = np.concatenate([done, alpha], axis=2)
        return DenoiseResult(done, level, image.shape[1], image.shape[0])
    picture = pixels.load(image)
    height, width = picture.rgb.shape[:2]
    source = picture.rgb[..., 0] if picture.grey else picture.rgb
    done, level = clean(source, network, runtime, sigma, strength, estimated, progress)
    result = pixels.to_image(
        done,
        grey=picture.grey,
        alpha=picture.alpha,
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
        dpi=picture.dpi,
    )
    return DenoiseResult(result, level, width, height, picture.notes)


def clean(
    planes: NDArray[Sample],
    model: Model,
    runtime: Runtime,
    sigma: float | None = None,
    strength: float = 1.0,
    estimated: bool = True,
    progress: Progress | None = None,
) -> tuple[NDArray[Sample], float]:
    """Planes without noise, and the noise level: the one given, or the one estimated.

    Where none is given and the picture was drawn, it is left alone, and the level is 0.

    Arguments:
        planes: ``(H, W)`` or ``(H, W, 3)``, uint8 or float32 in 0..1.
        estimated: False where nobody wants to know the level; it is NaN then, if the network
            works without.
    """
    eight_bits = planes.dtype == np.uint8
    if eight_bits:
        x = np.multiply(planes, np.float32(1 / 255), dtype=np.float32)
    else:
        x = planes.astype(np.float32, copy=False)
    if grey := planes.ndim == 2:
        x = np.repeat(x[..., None], 3, axis=2)
    else:  # a grey picture in three channels must stay grey
        grey = all(np.array_equal(planes[..., 0], planes[..., i]) for i in (1, 2))
    if sigma is None and is_drawn(planes):
        return planes.copy(), 0.0
    blind = sigma is None and model.file.settings["auto"] == "blind"
    level = math.nan if blind and not estimated else sigma
    if level is None:
        level = estimate(x, model, runtime)
    if strength == 0 or sigma == 0:
        return planes.copy(), level
    told = BLIND if blind else level
    y = _network(x, told, model, runtime, progress)
    if grey:
        y = y.mean(axis=2, keepdims=True)
    unclip_means(x[..., : y.shape[2]], y, math.inf if blind else level / 255)
    if grey:
        y = np.repeat(y, 3, axis=2)
    if eight_bits:
        np.clip(y, 0, 1, out=y)
    if strength < 1:
        y = x + np.float32(strength) * (y - x)
    if planes.ndim == 2:
        y = y[..., 0]
    if eight_bits:
        y *= np.float32(255)
        y += np.float32(0.5)
    return y.astype(planes.dtype, copy=False), level


def estimate(x: Floats, model: Model, runtime: Runtime) -> float:
    """The noise level of ``(H, W, 3)`` in 0..1: its standard deviation in levels of 0..255.

    The network gives the level of every place and how far to trust it; this is the mean so
    weighted, of logarithms. Patches spread over the picture tell enough.
    """
    height, width = x.shape[:2]
    count = max((n for least, n in PATCHES if height * width >= least), default=0)
    if count:
        rows = np.linspace(0, max(0, height - PATCH), count).astype(int)
        columns = np.linspace(0, max(0, width - PATCH), count).astype(int)
        patches = [x[r : r + PATCH, c : c + PATCH] for r in rows for c in columns]
    else:
        patches = [x]
    found = []
    for patch in patches:
        (result,) = model.run("estimate", runtime, x=_padded(patch, model)[None])
        if min(result.shape[2:]) > 2 * EDGE:
            result = result[:, :, EDGE:-EDGE, EDGE:-EDGE]
        found.append(result.reshape(2, -1).astype(np.float64))
    value, trust = np.concatenate(found, axis=1)
    weight = np.exp(trust - trust.max())
    return float(max(0.0, np.expm1((value * weight).sum() / weight.sum())))


def _network(
    x: Floats, level: float, model: Model, runtime: Runtime, progress: Progress | None
) -> Floats:
    """The network over a whole picture, tile by tile."""
    height, width = x.shape[:2]
    told = np.array([min(level, SIGMA_MAX)], np.float32)
    y, done = None, 0
    for (r0, r1, r2, r3), (c0, c1, c2, c3) in _tiles(height, width, model.file.settings["halo"]):
        outer = x[r0:r3, c0:c3]
        (result,) = model.run("denoise", runtime, x=_padded(outer, model)[None], level=told)
        inner = result[0, r1 - r0 : r2 - r0, c1 - c0 : c2 - c0]
        if inner.shape == x.shape:  # one tile: mostly no copy
            y = np.ascontiguousarray(inner)
        else:
            y = np.empty_like(x) if y is None else y
            y[r1:r2, c1:c2] = inner
        done += (r2 - r1) * (c2 - c1)
        if progress is not None:
            progress(done / (height * width))
    assert y is not None  # a picture has pixels
    return y


def _tiles(height: int, width: int, halo: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Rows and columns of tiles: where the network starts, the tile, its end, the network's end."""
    if height * width <= WHOLE:
        yield (0, 0, height, height), (0, 0, width, width)
        return
    for r in range(0, height, TILE):
        rows = (max(0, r - halo), r, min(height, r + TILE), min(height, r + TILE + halo))
        for c in range(0, width, TILE):
            yield rows, (max(0, c - halo), c, min(width, c + TILE), min(width, c + TILE + halo))


def _padded(x: Floats, model: Model) -> Floats:
    """Mirrored at its lower and right ends to the coarsest grid: edges repeated are no noise."""
    step = model.file.settings["step"]  # pixels
    bottom, right = (-side % step for side in x.shape[:2])
    if not (bottom or right):  # np.pad would copy it all the same
        return np.ascontiguousarray(x)
    return np.pad(x, ((0, bottom), (0, right), (0, 0)), mode="symmetric")


def _opened(path: PathLike | None) -> Model:
    model = library.default_single("denoiser", path)
    for name in ("auto", "halo", "step"):
        if name not in model.file.settings:
            raise ModelError(
                f"{model.file.name} has no setting '{name}': it was exported for another version "
                "of gencodec; export it again from its weights."
            )
    return model


def _number(name: str, value: float | None, largest: float) -> float | None:
    if value is None and name == "sigma":
        return None
    if isinstance(value, Real) and not isinstance(value, bool) and 0 <= value <= largest:
        return float(value)
    raise InputError(f"{name} must be a number from 0 to {largest:g}, not {value!r}.")


def _check_array(array: Planes) -> None:
    kinds, channels = (np.uint8, np.float32), array.shape[2:]
    if array.dtype not in kinds or array.ndim not in (2, 3) or channels not in ((), (3,), (4,)):
        shape = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
        raise InputError(
            f"An array of shape ({shape}) and type {array.dtype} is not a picture; give {WANTED}."
        )
    check_size(array.shape[1], array.shape[0])
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise InputError("The array holds values that are no numbers (nan or inf).")
