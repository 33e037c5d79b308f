"""Pictures drawn from vqvae's priors: new ones, and the rest of a picture of which a part is kept.

The priors that make files small say how likely each code is after those before it; drawing instead
of coding gives pictures that the network finds likely. They are of textures and shapes, of no
meaning, and no photograph is behind them.

What is drawn depends on the seed, the size and the model, and (each picture having numbers of its
own) not on how many are drawn together, nor on threads. At temperature 1 a sample's codes come from
integers alone and are the same on every machine; pixels may differ by one level between devices, as
decoded ones may.
"""

import warnings
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import GencodecWarning, InputError
from ...image.open import ImageSource, PathLike
from ...image.pixels import load
from ...session import Runtime
from ..segments import STRIDE, positions
from . import blas
from .codec import Codes, Vqvae, waves
from .prior import TOTAL, PriorState

__all__ = ["complete", "sample"]

LARGEST = 2**22  # pixels of one picture
TOGETHER = 4  # pictures drawn at a time
KEPT, DRAWN = 0, 1  # kinds of randomness, so that a completion is not a sample's twin

Progress = Callable[[float], None]


def sample(
    count: int = 1,
    size: tuple[int, int] = (256, 256),
    seed: int = 0,
    temperature: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
    progress: Progress | None = None,
) -> list[Image.Image]:
    """Draws pictures that the vqvae codec's priors find likely.

    Arguments:
        count: how many.
        size: width and height in pixels.
        seed: the same seed gives the same pictures.
        temperature: below 1 for likelier codes (smoother pictures), above 1 for rarer ones.
        device, threads, model: as for `compress`.
        progress: called with the share that is done, from 0 to 1.

    Raises:
        InputError: a wrong argument.
        ModelError: there is no model.

    Example:
        >>> [picture.size for picture in sample(2, (48, 32), seed=7)]
        [(48, 32), (48, 32)]
    """
    if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
        raise InputError(f"The number of pictures to draw must be at least 1, not {count!r}.")
    width, height = _checked(size, seed, temperature)
    codec = Vqvae.open(model)
    runtime = Runtime(device, threads)
    shape = positions(width, height)
    pictures = []
    for start in range(0, int(count), TOGETHER):
        numbers = range(start, min(int(count), start + TOGETHER))
        draws = [_numbers([DRAWN, seed, number], codec, shape) for number in numbers]
        part = _part(progress, start / count, len(numbers) / count)
        with blas.at_most(runtime.cores):
            drawn = _draw(codec, draws, temperature, part)
        for codes in drawn:
            rgb = codec.pixels(codes, (width, height), runtime)
            pictures.append(Image.fromarray(rgb))
    return pictures


def complete(
    image: ImageSource,
    keep: tuple[int, int],
    seed: int = 0,
    temperature: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
    progress: Progress | None = None,
) -> Image.Image:
    """Keeps the top left part of a picture, as its codes show it, and draws the rest.

    Arguments:
        image: as for `compress`; transparency is left out.
        keep: width and height in pixels of what is kept; whole blocks of 16 pixels of it are.
        seed, temperature, device, threads, model, progress: as for `sample`.

    Returns: a picture of the size of ``image``.

    Raises:
        InputError: the picture cannot be read, nothing of it would be kept, or a wrong argument.
        ModelError: there is no model.

    Example:
        >>> complete(np.zeros((48, 64, 3), np.uint8), keep=(32, 48)).size
        (64, 48)
    """
    picture = load(image, keep_metadata=False)
    for note in picture.notes:
        warnings.warn(note, GencodecWarning, stacklevel=2)
    height, width = picture.rgb.shape[:2]
    _checked((width, height), seed, temperature)
    columns, rows = _whole_blocks(keep[0], width), _whole_blocks(keep[1], height)
    if rows < 1 or columns < 1:
        raise InputError(
            f"Of {keep[0]}x{keep[1]} pixels no whole block of {STRIDE} is kept; keep more."
        )
    codec = Vqvae.open(model)
    runtime = Runtime(device, threads)
    # Cut first: the network would else see what it is to guess.
    seen = picture.rgb[: rows * STRIDE, : columns * STRIDE]
    z = codec.latent(np.ascontiguousarray(seen), runtime)
    levels = codec.levels
    state = PriorState(codec.priors, [(rows, columns)])
    with blas.at_most(runtime.cores):
        for _ in codec.search(state, [z], levels):
            pass
    shape = positions(width, height)
    kept = np.full((levels, *shape), -1, np.int32)
    kept[:, :rows, :columns] = state.segment(0, levels)
    numbers = _numbers([KEPT, seed], codec, shape)
    with blas.at_most(runtime.cores):
        (codes,) = _draw(codec, [numbers], temperature, _part(progress, 0, 1), kept)
    return Image.fromarray(codec.pixels(codes, (width, height), runtime))


def _draw(
    codec: Vqvae,
    draws: list[NDArray[np.int64]],
    temperature: float,
    progress: Progress,
    kept: Codes | None = None,
) -> list[Codes]:
    """Codes ``(levels, rows, columns)`` of each picture, all levels.

    Arguments:
        draws: a number in ``0 .. TOTAL - 1`` for each code of each picture.
        kept: of a single picture the codes that stand, -1 where one is to be drawn.
    """
    levels = len(draws[0])
    state = PriorState(codec.priors, [(numbers.shape[1], numbers.shape[2]) for numbers in draws])
    flat = np.zeros((levels, state.codes.shape[1]), np.int64)
    fixed = np.full(flat.shape, -1, np.int32)
    for inside, numbers in zip(state.segment_positions, draws, strict=True):
        flat[:, inside] = numbers.reshape(levels, -1)
        if kept is not None:
            fixed[:, inside] = kept.reshape(levels, -1)
    done, total = 0, levels * len(state.everywhere)
    for level in range(levels):
        for where, frequencies, _ in waves(state, level):
            tempered = frequencies if temperature == 1 else _temper(frequencies, temperature)
            found = _pick(tempered, flat[level, where])
            stands = fixed[level, where]
            state.codes[level, where] = np.where(stands < 0, found, stands)
            done += len(where)
            progress(done / total)
    return [state.segment(number, levels) for number in range(len(draws))]


def _pick(frequencies: NDArray[np.int64], numbers: NDArray[np.int64]) -> Codes:
    """The code in each row on whose stretch of ``0 .. TOTAL - 1`` the row's number falls."""
    ends = np.cumsum(frequencies, 1)
    points = numbers * ends[:, -1] // TOTAL
    return (ends <= points[:, None]).sum(1).astype(np.int32)


def _temper(frequencies: NDArray[np.int64], temperature: float) -> NDArray[np.int64]:
    most = frequencies.max(1, keepdims=True)
    return np.floor(TOTAL * (frequencies / most) ** (1 / temperature)).astype(np.int64)


def _numbers(seed: list[int], codec: Vqvae, shape: tuple[int, int]) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, TOTAL, (codec.levels, *shape))


def _checked(size: tuple[int, int], seed: int, temperature: float) -> tuple[int, int]:
    width, height = size
    if width < 1 or height < 1 or width * height > LARGEST:
        raise InputError(
            f"{width}x{height} is no size that can be drawn; a picture has 1 to {LARGEST:,} pixels."
        )
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise InputError(f"The seed must be a whole number from 0, not {seed!r}.")
    if not isinstance(temperature, Real) or not 0.05 <= temperature <= 20:
        raise InputError(f"The temperature must be from 0.05 to 20, not {temperature!r}.")
    return width, height


def _whole_blocks(kept: int, side: int) -> int:
    """Blocks of a side of which all that is in the picture is kept."""
    return -(-side // STRIDE) if kept >= side else kept // STRIDE


def _part(progress: Progress | None, start: float, share: float) -> Progress:
    """Reports a part of the work as a share of the whole."""
    if progress is None:
        return lambda _: None
    return lambda done: progress(start + share * done)
