"""A file of at most so many bytes, or of at least so many dB: the search for its quality."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from .errors import InputError

__all__ = ["Target", "largest_quality", "limit_of", "raised_quality", "smallest_quality"]

HIGHEST = 10_000  # hundredths
LARGEST = 2**31  # bytes; no file is larger
WHOLE = 100  # hundredths
# Of `raised_quality`: what SSIMULACRA2 gains in a hundredth, to begin with; how much more of it
# than was asked for is good enough; how often it is measured.
GAIN, ENOUGH, TRIES = 0.005, 1.5, 5


@dataclass(frozen=True)
class Target:
    """What a file is to reach instead of a quality: at most one of the three.

    Attributes:
        size: bytes of the whole file, at most.
        bpp: bits per pixel, at most.
        psnr: dB, at least.

    Raises:
        InputError: more than one is given, or one that is not a number over 0.
    """

    size: float | None = None
    bpp: float | None = None
    psnr: float | None = None

    def __post_init__(self) -> None:
        limit_of(self.size, self.bpp, 1)
        if self.psnr is None:
            return
        if self.size is not None or self.bpp is not None:
            raise InputError("Give one of target_size, target_bpp and target_psnr.")
        number = isinstance(self.psnr, Real) and not isinstance(self.psnr, bool)
        if not (number and 0 < self.psnr < math.inf):
            raise InputError(f"target_psnr must be a number of dB over 0, not {self.psnr!r}.")

    @property
    def given(self) -> bool:
        """Whether there is one."""
        return any(value is not None for value in (self.size, self.bpp, self.psnr))

    def find(
        self,
        write: Callable[[int], bytes],
        psnr: Callable[[int], float],
        pixels: int,
        codec: str,
        least: Callable[[], int],
    ) -> tuple[int, bytes]:
        """The quality, in hundredths, and the file.

        Arguments:
            write: makes the file of a quality.
            psnr: of the picture that such a file holds.
            pixels: how many the picture has.
            codec: its name, for the error.
            least: the bytes of the smallest file of the codec vqvae.

        Raises:
            InputError: no quality reaches the target; the codec that does is named.
        """
        limit = limit_of(self.size, self.bpp, pixels)
        if limit is not None:
            try:
                return largest_quality(write, limit)
            except InputError as error:
                if codec != "vqvae" and (needed := least()) <= limit:
                    hint = f"; the codec vqvae can: {needed:,} bytes at quality 0."
                    raise InputError(str(error).rstrip(".") + hint) from None
                raise
        assert self.psnr is not None
        quality = smallest_quality(psnr, float(self.psnr))
        if quality is None:
            hint = "" if codec == "flow" else ", or take the codec flow, which goes up to lossless"
            raise InputError(
                f"The codec {codec} does not reach {self.psnr:g} dB for this picture at quality "
                f"100; ask for less{hint}."
            )
        return quality, write(quality)


def limit_of(size: float | None, bpp: float | None, pixels: int) -> int | None:
    """The bytes that a file may have, from bytes or bits per pixel; None where neither is given.

    Raises:
        InputError: both are given, or one that is not a number over 0.
    """
    for name, value in (("target_size", size), ("target_bpp", bpp)):
        number = isinstance(value, Real) and not isinstance(value, bool)
        if value is not None and not (number and 0 < value < LARGEST):
            raise InputError(f"{name} must be a number over 0, not {value!r}.")
    if size is not None and bpp is not None:
        raise InputError("Give target_size or target_bpp, not both.")
    if bpp is not None:
        return int(float(bpp) * pixels / 8)
    return None if size is None else int(size)


def largest_quality(write: Callable[[int], bytes], limit: int) -> tuple[int, bytes]:
    """The quality, in hundredths, of the largest file of at most ``limit`` bytes, and that file.

    ``write`` makes the file of a quality. What comes out fits while the next hundredth does not;
    sizes grow exponentially with quality, by and large, so a straight line through the logarithms
    of the two nearest sizes is tried, and the middle between them where that gains little.

    Raises:
        InputError: not even quality 0 fits.

    Example:
        >>> largest_quality(lambda quality: bytes(100 + quality), 1234)[0]
        1134
    """
    low, high = 0, HIGHEST
    fitting = write(low)
    if len(fitting) > limit:
        raise InputError(
            f"The picture needs {len(fitting):,} bytes at quality 0, the lowest, which is more "
            f"than the {limit:,} asked for; scale it down, or allow more bytes."
        )
    data = write(high)
    if len(data) <= limit:
        return high, data
    small, large = len(fitting), len(data)
    halve = False
    while high - low > 1:
        middle = (low + high) // 2
        if not halve and small < large:
            share = math.log(max(limit, 1) / small) / math.log(large / small)
            middle = low + round(share * (high - low))
        middle = min(max(middle, low + 1), high - 1)
        width = high - low
        data = write(middle)
        if len(data) <= limit:
            low, small, fitting = middle, len(data), data
        else:
            high, large = middle, len(data)
        halve = high - low > width // 2
    return low, fitting


def smallest_quality(psnr: Callable[[int], float], target: float) -> int | None:
    """The least quality, in hundredths, at which ``psnr`` reaches ``target``; None where none does.

    PSNR is nearly a straight line in quality: its crossing is tried, and the middle where that
    gains little.

    Example:
        >>> smallest_quality(lambda quality: 30 + quality / 1000, 34.5)
        4500
    """
    low, high = 0, HIGHEST
    worst = psnr(low)
    if worst >= target:
        return low
    best = psnr(high)
    if best < target:
        return None
    halve = False
    while high - low > 1:
        middle = (low + high) // 2
        if not halve and math.isfinite(best) and best > worst:
            middle = low + round((target - worst) / (best - worst) * (high - low))
        middle = min(max(middle, low + 1), high - 1)
        width = high - low
        found = psnr(middle)
        if found >= target:
            high, best = middle, found
        else:
            low, worst = middle, found
        halve = high - low > width // 2
    return high


def raised_quality(
    score: Callable[[int], float], least: float, quality: int, reached: float
) -> int | None:
    """A quality, in hundredths, whose score is at least ``least`` and little more, in few tries.

    None where none was found, most often because not even quality 100 reaches it. A score costs
    far more than a file does, so this one neither starts at both ends nor looks for the last bit.

    Arguments:
        score: SSIMULACRA2 of a quality, which is nearly a straight line.
        quality, reached: one that is not enough, and its score.

    Example:
        >>> raised_quality(lambda quality: 20 + quality / 200, 60, 5000, 45)
        8200
    """
    at, worst = quality, reached
    above: tuple[int, float] | None = None
    for _ in range(TRIES):
        gain = GAIN if above is None else (above[1] - worst) / (above[0] - at)
        aim = at + WHOLE * math.ceil((least + ENOUGH / 2 - worst) / gain / WHOLE)
        aim = min(aim, HIGHEST)
        if above is not None and aim >= above[0]:
            break
        found = score(aim)
        if found >= least:
            above = aim, found
            if found <= least + ENOUGH:
                break
        elif aim == HIGHEST:
            break
        else:
            at, worst = aim, found
    return None if above is None else above[0]
