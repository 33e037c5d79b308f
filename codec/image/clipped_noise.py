"""What clipping did to the mean of noise: blacks are lifted by it, and whites lowered.

Of noise around a dark grey the samples below 0 are stored as 0. The mean of what is stored is then
higher than the grey was, and it is that mean which a denoiser finds. With mu and sigma before the
clipping, a = mu / sigma, and the normal distribution's density phi and cumulative function Phi::

    mean of the stored samples    m = sigma (phi(a) + a Phi(a))
    share of them that are 0      p = Phi(-a)

The first grows with mu, so it is inverted by a table. Sigma is the one that explains as many
clipped samples as there are, at the means that the denoiser found: a picture whose noise was not
clipped has none, and nothing is changed in it. Nor is it where the samples around a place are not
clipped, or all are: a black without noise. And where samples are nearer to their means than noise
of that sigma brings them, or it is far more than the noise of the whole picture, they are clipped
for another reason: they are dark.

Source: Foi 2009, "Clipped noisy images: heteroskedastic modeling and practical denoising", Signal
Processing 89 (12), which denoises and then maps means to what they were. Sigma is found otherwise
here, and counts for each channel and end by itself.

Example:
    >>> noise = np.random.default_rng(0).normal(8, 20, (64, 64, 1)) / 255
    >>> noisy = np.clip(noise, 0, 1).astype(np.float32)
    >>> found = np.full_like(noisy, noisy.mean())
    >>> unclip_means(noisy, found, 20 / 255)
    >>> 11 < noisy.mean() * 255 < 14, 7 < found.mean() * 255 < 9
    (True, True)
"""

from collections.abc import Iterator
from functools import cache
from math import erf, pi, sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["unclip_means"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEAST = 3 / 255  # noise of less moves means by at most 1.2 levels
MORE = 2.0  # times the level: at black, what is stored has 0.58 of the noise
WINDOW = 15  # pixels a side of the neighbourhood in which clipped samples are counted
BLACK = 0.9  # the share of clipped samples from which on no noise is seen: noise on black has half
ENOUGH = 0.5  # the part of the variance to expect that is to be seen
MEANS = 2040  # steps of the histogram of means: eight a level
STRIP = 2**18  # pixels that are looked at together
FINE, LIMIT = 512, 8  # steps of the tables for one sigma; where clipping adds nothing


def unclip_means(noisy: Floats, denoised: Floats, level: float) -> None:
    """Takes what clipping added to means out of a denoised picture, in place.

    Arguments:
        noisy: ``(H, W, channels)`` in 0..1. An end beyond which it has values is not clipped.
        denoised: of the same shape, what a denoiser made of it.
        level: the noise as it is in the whole picture, clipped or not, in 0..1; infinity where it
            is not known. Clipped samples that tell of far more noise are of something else.
    """
    for channel in range(noisy.shape[2]):
        stored, found = noisy[..., channel], denoised[..., channel]
        if stored.min() == 0:
            found -= _lift(stored, found, level)
        if stored.max() == 1:
            found += _lift(1 - stored, 1 - found, level)


def _lift(stored: Floats, means: Floats, level: float) -> Floats:
    """What clipping added, ``(H, W)``; both are distances from the end that clips."""
    added = np.zeros_like(means)
    clipped = stored == 0
    sigma = _sigma(stored, clipped, means)
    if not LEAST <= sigma <= MORE * level:
        return added
    lifts, shares, _ = _tables()
    for first, last in _strips(clipped):
        seen = _window_means(_with_border(clipped, first, last))
        at = _indices(_with_border(means, first, last), sigma)
        expected = _window_means(shares[at])
        inner = at[WINDOW // 2 : -(WINDOW // 2), WINDOW // 2 : -(WINDOW // 2)]
        trust = np.minimum(seen / np.maximum(expected, 1e-6), 1) * (seen < BLACK)
        added[first:last] = trust * lifts[inner] * sigma
    return added


def _sigma(stored: Floats, clipped: Mask, means: Floats) -> float:
    """The noise that explains how many samples are clipped, of those around which not all are.

    0 if the samples are not as far from the means as such noise would bring them: of dark pictures
    without noise, samples are clipped too.
    """
    count, histogram, squares = 0, np.zeros(MEANS + 1), np.zeros(MEANS + 1)
    for first, last in _strips(clipped):
        noisy = _window_means(_with_border(clipped, first, last)) < BLACK
        count += np.count_nonzero(clipped[first:last] & noisy)
        mean = means[first:last][noisy]
        steps = np.rint(np.clip(mean, 0, 1) * MEANS).astype(np.intp)
        histogram += np.bincount(steps, minlength=MEANS + 1)
        squares += np.bincount(steps, (stored[first:last][noisy] - mean) ** 2, MEANS + 1)
    if not count:
        return 0.0
    (_, shares, variances), at = _tables(), np.arange(MEANS + 1, dtype=np.float32) / MEANS
    low, high = 0.0, 1.0
    for _ in range(16):
        sigma = (low + high) / 2
        if histogram @ shares[_indices(at, sigma)] < count:
            low = sigma
        else:
            high = sigma
    index = _indices(at, high)
    wanted = (histogram * shares[index]) @ variances[index] * high**2
    return high if squares @ shares[index] >= ENOUGH * wanted else 0.0


@cache
def _tables() -> tuple[Floats, Floats, Floats]:
    """For means of 0 to `LIMIT` sigma: what clipping added, the share clipped, the variance.

    In units of sigma and its square.
    """
    a = np.linspace(-LIMIT, LIMIT, 2 * LIMIT * FINE + 1)
    below = np.array([(1 + erf(value / sqrt(2))) / 2 for value in a])
    density = np.exp(-a * a / 2) / sqrt(2 * pi)
    mean = density + a * below
    variance = (1 + a * a) * below + a * density - mean**2
    wanted = np.arange(LIMIT * FINE + 1) / FINE
    before = np.interp(wanted, mean, a)
    lifts = wanted - np.maximum(before, 0)  # no picture has less than black
    shares = np.interp(before, a, 1 - below)
    lifts[-1] = shares[-1] = 0
    variances = np.interp(before, a, variance)
    return lifts.astype(np.float32), shares.astype(np.float32), variances.astype(np.float32)


def _indices(means: Floats, sigma: float) -> NDArray[np.intp]:
    """Into the tables."""
    return np.rint(np.clip(means * (FINE / sigma), 0, LIMIT * FINE)).astype(np.intp)


def _strips(plane: Mask) -> Iterator[tuple[int, int]]:
    """First row and the one after the last; borders are looked at besides."""
    height, width = plane.shape
    rows = max(2 * WINDOW, STRIP // width)
    for first in range(0, height, rows):
        yield first, min(height, first + rows)


def _with_border(plane: NDArray, first: int, last: int) -> NDArray:
    """Rows of a plane with half a window around them, repeated at the picture's edges."""
    half = WINDOW // 2
    rows = np.clip(np.arange(first - half, last + half), 0, len(plane) - 1)
    return np.pad(plane[rows], ((0, 0), (half, half)), mode="edge")


def _window_means(wide: NDArray) -> NDArray[np.float64]:
    """The mean of the window around each place, of rows with a border."""
    sums = np.pad(wide, ((1, 0), (1, 0))).cumsum(0, np.float64).cumsum(1)
    across = sums[:, WINDOW:] - sums[:, :-WINDOW]
    return (across[WINDOW:] - across[:-WINDOW]) / WINDOW**2
