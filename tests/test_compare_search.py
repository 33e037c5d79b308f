"""The search for the least setting that reaches a quality or a size."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from gencodec.codec import metrics
from gencodec.codec.comparison import search


@dataclasses.dataclass
class Fake:
    """A codec whose file of setting n has sizes[n] bytes, and an error of errors[n] a sample."""

    sizes: Sequence[int]
    errors: Sequence[int]
    label: str = "fake"
    browsers: str | None = None
    calls: int = 0

    @property
    def settings(self) -> Sequence[float]:
        return range(len(self.sizes))

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        self.calls += 1
        return bytes([self.errors[int(setting)]]) * self.sizes[int(setting)]

    def decode(self, data: bytes, grey: bool = False) -> np.ndarray:
        return np.full((4, 4, 3), data[0], np.uint8)


BLACK = np.zeros((4, 4, 3), np.uint8)


def decibels(error: int) -> float:
    return metrics.psnr(BLACK, np.full_like(BLACK, error))


def test_the_search_finds_the_least_setting_that_is_enough() -> None:
    for wanted in range(1, 101):
        fake = Fake(range(1, 101), range(100, 0, -1))
        sample = search.Trials(fake, BLACK).reach("psnr", decibels(wanted))
        assert sample is not None and sample.setting == 100 - wanted
        assert fake.calls <= 15


def test_the_search_says_so_when_nothing_is_enough() -> None:
    fake = Fake(range(1, 101), range(100, 0, -1))
    trials = search.Trials(fake, BLACK)
    assert trials.reach("psnr", math.inf) is None
    assert trials.reach("bytes", 101) is None
    assert trials.reach("ms_ssim", 0.5) is None  # too small for it


def test_the_search_reaches_what_is_exact() -> None:
    trials = search.Trials(Fake(range(1, 51), [*range(49, 0, -1), 0]), BLACK)
    sample = trials.reach("psnr", math.inf)
    assert sample is not None and sample.setting == 49 and sample.psnr == math.inf


def test_a_codec_that_wobbles_gets_no_size_it_did_not_earn() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        errors = np.clip(np.arange(60, 0, -1) + random.integers(-8, 9, 60), 1, 90).tolist()
        sizes = np.clip(np.arange(1, 61) * 10 + random.integers(-60, 61, 60), 1, 900).tolist()
        trials = search.Trials(Fake(sizes, errors), BLACK)
        for wanted in (45, 30, 15, 4):
            sample = trials.reach("psnr", decibels(wanted))
            assert sample is None or sample.psnr >= decibels(wanted)
            if sample is None:
                assert errors[-1] > wanted
        sized = trials.reach("bytes", 300)
        assert sized is None or len(sized.data) >= 300


def test_what_was_tried_is_not_written_again() -> None:
    fake = Fake(range(1, 101), range(100, 0, -1))
    trials = search.Trials(fake, BLACK)
    trials.reach("psnr", 20)
    before = fake.calls
    trials.reach("psnr", 20)
    assert fake.calls == before
