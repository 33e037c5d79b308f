"""Whether a picture was drawn and has no noise: graphics, text, dithers, pixel art.

What a camera's noise does to a picture is that hardly a pixel equals its neighbour, and that small
differences are the commonest: of neighbours that differ by at most three levels, at most a quarter
are equal where noise has a standard deviation of one level, and fewer where it has more. What a
program drew has exact repeats, and colours far from each other. This is asked of each of a few
hundred small blocks; a picture with noise in a part of it counts as one with noise.

Where samples are clipped, noise is not seen: pairs of black, white or pure colours tell nothing.

Example:
    >>> page = np.full((90, 120, 3), 250, np.uint8)
    >>> page[20:70:4, 10:110] = 30
    >>> noisy = page + np.random.default_rng(0).normal(0, 2, page.shape)
    >>> is_drawn(page), is_drawn(noisy.astype(np.uint8))
    (True, False)
"""

import numpy as np
from numpy.typing import NDArray

from .blocks import spread_blocks

__all__ = ["is_drawn"]

Planes = NDArray[np.uint8 | np.float32]
Levels = NDArray[np.int16]

BLOCKS_A_SIDE = 24
PARTS = 8  # of a level: what is nearer counts as equal, in pictures of floats
SMALL = 3  # levels between neighbours that noise may make, and small differences are
COMB = 12  # levels between used levels, in a picture that was brightened, at most
# A block with noise: of its pairs that are equal or nearly so, fewer are equal than this.
EQUAL = 0.6
# And such pairs are common, or it has many colours for as many as are clipped of its pixels.
NEAR, COLOURS = 0.2, ((16, 0.1), (40, 0.4), (64, 0.5))
STEPS = 0.7  # pairs two or three levels apart for one a level apart, where levels are isolated
# Of the blocks that are not flat, in a picture without noise; where levels are isolated, edges
# look like noise sometimes.
NOISY_BLOCKS, NOISY_ISOLATED = 0.03, 0.25
# Colours of a picture with noise whose pixels somebody doubled: so many, and so many a pixel.
DOUBLED, DOUBLED_SHARE = 4096, 0.05
# A palette: so few colours, though a channel has so many levels, in so many pixels.
PALETTE, PALETTE_LEVELS, PALETTE_PIXELS = 256, 32, 4096


def is_drawn(planes: Planes) -> bool:
    """Looks at a picture ``(H, W)`` or ``(H, W, 3)``: uint8, or float32 in 0..1.

    Returns: True for what certainly has no noise; False for photos, and where it is not certain.
    """
    if planes.ndim == 2:
        planes = planes[..., None]
    found = spread_blocks(planes, BLOCKS_A_SIDE)
    if found.dtype == np.uint8:
        levels = found.astype(np.int16) * PARTS
    else:
        scaled = np.rint(found * np.float32(255 * PARTS))
        levels = np.clip(scaled, -(2**14), 2**14).astype(np.int16)
    if all(np.array_equal(levels[..., 0], levels[..., i]) for i in range(1, levels.shape[3])):
        levels = levels[..., :1]
    colours = _colours(levels)
    count = len(np.unique(colours))
    if count > max(DOUBLED, DOUBLED_SHARE * colours.size):
        return False
    if _has_palette(levels, colours, count):
        return True
    unit, isolated = _unit(levels)
    share = _share_of_noisy(levels, colours, unit, isolated)
    return share <= (NOISY_ISOLATED if isolated else NOISY_BLOCKS)


def _colours(levels: Levels) -> NDArray[np.int64]:
    """A number for each colour, ``(blocks, pixels)``."""
    packed = np.zeros(levels.shape[:3], np.int64)
    for channel in range(levels.shape[3]):
        packed = packed << 16 | levels[..., channel].astype(np.int64) + 2**15
    return packed.reshape(len(packed), -1)


def _has_palette(levels: Levels, colours: NDArray[np.int64], count: int) -> bool:
    """Far fewer colours than noise would make of the levels of three channels."""
    seen = ~((levels <= 0) | (levels >= 255 * PARTS)).all(axis=3)
    if levels.shape[3] == 1 or seen.sum() < PALETTE_PIXELS:
        return False
    most = max(len(np.unique(levels[..., channel])) for channel in range(levels.shape[3]))
    return most >= PALETTE_LEVELS and count <= PALETTE


def _share_of_noisy(levels: Levels, colours: NDArray[np.int64], unit: int, isolated: bool) -> float:
    """The share of blocks with noise among those that are not flat."""
    clipped = ((levels <= 0) | (levels >= 255 * PARTS)).all(axis=3)
    equal, one, small, told = (np.zeros(len(levels), int) for _ in range(4))
    for first, second in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :, 1:], np.s_[:, :, :-1]),
    ):
        gap = np.abs(levels[first] - levels[second]).max(axis=3)
        seen = ~(clipped[first] & clipped[second])
        told += seen.sum(axis=(1, 2))
        equal += ((gap == 0) & seen).sum(axis=(1, 2))
        one += ((gap > 0) & (gap < 1.5 * unit) & seen).sum(axis=(1, 2))
        small += ((gap > 0) & (gap < (SMALL + 0.5) * unit) & seen).sum(axis=(1, 2))
    ordered = np.sort(colours, axis=1)
    count = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
    noisy = (equal < EQUAL * (equal + small)) & (equal + small >= NEAR * told)
    if isolated:
        noisy &= (small - one >= STEPS * one) & (count > SMALL)
    else:
        share = clipped.mean(axis=(1, 2))
        many = np.any([(count >= least) & (share < most) for least, most in COLOURS], axis=0)
        noisy |= (equal <= EQUAL * (equal + small)) & many
    with_content = count > 1
    return float(noisy[with_content].mean()) if with_content.any() else 0.0


def _unit(levels: Levels) -> tuple[int, bool]:
    """Parts from a level that is used to the next, and whether they are far from each other.

    It is more than a level where a picture was brightened, or drawn with few levels.
    """
    used = np.unique(levels)
    step = int(np.median(np.diff(used))) if len(used) > 1 else PARTS
    return max(step, PARTS), step > COMB * PARTS
