"""Real files of one picture by one codec, and the search for the one that reaches a quality.

Nothing here is interpolated: `Trials.reach` gives a file that was written, opened again and
measured, and that is at least as good as what was asked for, or it gives none.

Example:
    >>> from .reference_codecs import available_codecs
    >>> (jpeg,), _ = available_codecs(["jpeg"])
    >>> picture = np.repeat(np.arange(64, dtype=np.uint8), 64 * 3).reshape(64, 64, 3)
    >>> found = Trials(jpeg, picture).reach("psnr", 30.0)
    >>> found.psnr >= 30, Trials(jpeg, picture).reach("bytes", 10**6)
    (True, None)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from .quality import QUALITY
from .results import Point

__all__ = ["MEASURES", "Coder", "Measure", "Sample", "Trials"]

Pixels = NDArray[np.uint8]
Measure = Literal["psnr", "ms_ssim", "ssimulacra2", "bytes"]
MEASURES: tuple[Measure, ...] = ("psnr", "ms_ssim", "ssimulacra2", "bytes")


class Coder(Protocol):
    """What writes and reads files: a reference codec, or a codec of ours."""

    @property
    def label(self) -> str: ...
    @property
    def settings(self) -> Sequence[float]: ...
    @property
    def browsers(self) -> str | None: ...
    def encode(self, pixels: Pixels, setting: float) -> bytes: ...
    def decode(self, data: bytes, grey: bool = False) -> Pixels: ...


@dataclass(frozen=True)
class Sample:
    """A file: its codec's setting, its content, and its PSNR in dB (infinite where exact)."""

    setting: float
    data: bytes
    psnr: float


class Trials:
    """All files of one picture by one codec that were tried so far.

    Arguments:
        coder: the codec; the quality of its files grows, by and large, along its settings.
        pixels: uint8 ``(H, W)`` or ``(H, W, 3)``.
        measured: of that picture's files, by their content; what several codecs may share, one of
            which chooses among the others. No file is measured twice.
    """

    def __init__(
        self,
        coder: Coder,
        pixels: Pixels,
        measured: dict[tuple[str, bytes], float] | None = None,
    ) -> None:
        self.coder = coder
        self.pixels = pixels
        self._files: dict[float, bytes] = {}
        self._measured = {} if measured is None else measured

    def sample(self, setting: float) -> Sample:
        """The file of that setting, measured.

        Raises:
            GencodecError: the codec cannot hold this picture.
        """
        psnr = self.measure(setting, ("psnr",))["psnr"]
        return Sample(setting, self._files[setting], psnr)

    def measure(self, setting: float, names: Sequence[str]) -> dict[str, float]:
        """Some of `QUALITY` of the file of that setting, without those that the picture is too
        small for.

        Raises:
            GencodecError: as `sample`.
        """
        names = [name for name in names if QUALITY[name].fits(self.pixels.shape)]
        if setting not in self._files:
            self._files[setting] = self.coder.encode(self.pixels, setting)
        data = self._files[setting]
        missing = [name for name in names if (name, data) not in self._measured]
        if missing:
            decoded = self.coder.decode(data, self.pixels.ndim == 2)
            for name in missing:
                self._measured[name, data] = QUALITY[name].measure(self.pixels, decoded)
        return {name: self._measured[name, data] for name in names}

    def point(self, setting: float, names: Sequence[str]) -> Point:
        """Size, PSNR and some of `QUALITY` of the file of that setting.

        Raises:
            GencodecError: as `sample`.
        """
        height, width = self.pixels.shape[:2]
        found = self.measure(setting, ("psnr", *names))
        size = len(self._files[setting])
        return Point(setting, size, metrics.bpp(size, width, height), **found)

    def reach(self, measure: Measure, target: float) -> Sample | None:
        """The smallest file found whose `measure` is at least `target`, or None.

        A search over the settings in order: it ends between a setting that does not reach the
        target and the next one, which does.  Where the codec wobbles, another file that was tried
        may be smaller and good enough, and is taken.
        """
        settings = self.coder.settings
        below, above = -1, len(settings)  # the target is reached between these two
        for index, setting in enumerate(settings):
            if not self._is_known(measure, setting):
                continue
            if self._value(measure, setting) >= target:
                above = index
                break
            below = index
        if above == len(settings):
            above -= 1
            if self._value(measure, settings[above]) < target:
                return None
        straight = True
        while above - below > 1:
            # Guessing from a straight line saves half of the steps; halving in turn bounds them.
            middle = (below + above) // 2
            if straight and below >= 0:
                low, high = (self._scaled(measure, settings[at]) for at in (below, above))
                if math.isfinite(high) and high > low:
                    share = (_scale(measure, target) - low) / (high - low)
                    middle = below + math.ceil(share * (above - below))
                    middle = min(max(middle, below + 1), above - 1)
            straight = not straight
            if self._value(measure, settings[middle]) >= target:
                above = middle
            else:
                below = middle
        good = [
            self.sample(each)
            for each in self._files
            if self._is_known(measure, each) and self._value(measure, each) >= target
        ]
        return min(good, key=lambda sample: (len(sample.data), sample.setting))

    def _is_known(self, measure: Measure, setting: float) -> bool:
        name = "psnr" if measure == "bytes" else measure
        return setting in self._files and (name, self._files[setting]) in self._measured

    def _value(self, measure: Measure, setting: float) -> float:
        if measure == "bytes":
            return len(self.sample(setting).data)
        return self.measure(setting, (measure,)).get(measure, -math.inf)

    def _scaled(self, measure: Measure, setting: float) -> float:
        return _scale(measure, self._value(measure, setting))


def _scale(measure: Measure, value: float) -> float:
    """On which a codec's quality is nearly a straight line over its settings."""
    return math.log(value) if measure == "bytes" else QUALITY[measure].scale(value)
