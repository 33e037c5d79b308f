"""Metrics against the libraries that the papers use, and against published numbers."""

import math

import numpy as np
import pytest

from gencodec.codec import metrics
from gencodec.codec.errors import InputError
from gencodec.codec.metrics import rate_distortion

# Mean curves over Kodak, (bits per pixel, PSNR), from the results in InterDigitalInc/CompressAI.
KODAK = {
    "jpeg": (
        [
            0.22115,
            0.32661,
            0.42313,
            0.50839,
            0.58787,
            0.66013,
            0.72895,
            0.78603,
            0.84972,
            0.906,
            0.96438,
            1.03721,
            1.1274,
            1.23985,
            1.36883,
            1.57181,
            1.85882,
            2.3502,
            3.40134,
        ],
        [
            23.7799,
            26.5772,
            28.0422,
            29.0418,
            29.7847,
            30.3783,
            30.9032,
            31.3078,
            31.7048,
            32.0587,
            32.3993,
            32.7899,
            33.2347,
            33.7926,
            34.3943,
            35.239,
            36.3289,
            37.9121,
            40.5567,
        ],
    ),
    "HM": (
        [0.05144, 0.12087, 0.26666, 0.52953, 0.95037, 1.5596, 2.47606, 3.84556],
        [25.4111, 27.7464, 30.4466, 33.5049, 36.7825, 39.9949, 43.088, 46.1432],
    ),
    "VTM": (
        [0.04824, 0.1125, 0.24582, 0.49055, 0.87481, 1.43085, 2.32461, 3.63261],
        [26.1448, 28.493, 31.1999, 34.2615, 37.4198, 40.4244, 43.5058, 46.5918],
    ),
    "BPG 4:4:4": (
        [0.06777, 0.16102, 0.35155, 0.6847, 1.19967, 1.92971, 3.05788, 4.70314],
        [26.1951, 28.6815, 31.5947, 34.8575, 38.2599, 41.4789, 44.7031, 47.6325],
    ),
    "mbt2018-mean": (
        [0.12392, 0.19798, 0.30724, 0.46061, 0.66167, 0.9144, 1.23421, 1.61909],
        [27.6995, 29.3588, 31.1289, 32.9507, 34.9683, 36.9111, 38.8375, 40.6333],
    ),
}


def noisy(shape: tuple[int, ...], strength: float = 12, seed: int = 0):
    """A smooth picture with some texture, and the same with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    plane = 128 + 60 * np.sin(x / 17) * np.cos(y / 23) + 30 * np.sin(x * y / 900)
    clean = plane.reshape(plane.shape + (1,) * (len(shape) - 2)) + rng.normal(0, 8, shape)
    noise = rng.normal(0, strength, shape)
    return tuple(np.clip(p, 0, 255).astype(np.uint8) for p in (clean, clean + noise))


# --- PSNR and bits --------------------------------------------------------------------------------


def test_psnr_of_known_errors():
    a = np.full((5, 7, 3), 100, np.uint8)
    assert metrics.psnr(a, a) == math.inf
    assert metrics.mse(a, np.full_like(a, 99)) == 1
    assert metrics.psnr(a, np.full_like(a, 101)) == pytest.approx(48.1308, abs=1e-4)
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert metrics.mse(black, white) == 255**2
    assert metrics.psnr(black, white) == 0


def test_psnr_joins_the_channels():
    a = np.zeros((2, 2, 3), np.uint8)
    b = a.copy()
    b[..., 0] = 30
    assert metrics.mse(a, b) == 300


def test_mse_equals_its_definition():
    a, b = noisy((33, 57, 3))
    expected = np.mean((a.astype(float) - b.astype(float)) ** 2)
    assert metrics.mse(a, b) == pytest.approx(expected, rel=1e-12)
    assert metrics.mse(a, b) == metrics.mse(b, a)
    assert metrics.mse(a[::2, ::-1], b[::2, ::-1]) > 0  # arrays that are not contiguous


def test_psnr_equals_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    a, b = noisy((40, 30, 3))
    assert metrics.psnr(a, b) == pytest.approx(skimage.peak_signal_noise_ratio(a, b), abs=1e-9)


@pytest.mark.parametrize("metric", [metrics.mse, metrics.psnr, metrics.ms_ssim])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((200, 200)), np.zeros((200, 200)), "float64"),
        (np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.int16), "int16"),
        (np.zeros((200, 200), np.uint8), None, "NoneType"),
        (np.zeros((200, 200), np.uint8), np.zeros((200, 201), np.uint8), r"\(200, 201\)"),
        (np.zeros((200, 200), np.uint8), np.zeros((200, 200, 1), np.uint8), r"\(200, 200, 1\)"),
        (np.zeros((0, 200), np.uint8), np.zeros((0, 200), np.uint8), "cannot be compared"),
    ],
)
def test_pictures_that_cannot_be_compared(metric, a, b, message):
    with pytest.raises(InputError, match=message):
        metric(a, b)


def test_bpp():
    assert metrics.bpp(1, 8, 1) == 1
    assert metrics.bpp(30_000, 768, 512) == pytest.approx(0.6103515625)
    for size in ((0, 5), (5, 0)):
        with pytest.raises(InputError, match="no bits per pixel"):
            metrics.bpp(1, *size)


# --- MS-SSIM --------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1, 12, 80])
@pytest.mark.parametrize("shape", [(161, 161, 3), (161, 200), (178, 163, 3), (175, 191, 1)])
def test_ms_ssim_equals_pytorch_msssim(shape, strength):
    torch = pytest.importorskip("torch")
    pytorch_msssim = pytest.importorskip("pytorch_msssim")
    a, b = noisy(shape, strength)
    planes = [p.reshape(*shape[:2], -1).transpose(2, 0, 1)[None].astype(np.float32) for p in (a, b)]
    theirs = pytorch_msssim.ms_ssim(*map(torch.from_numpy, planes), data_range=255)
    assert metrics.ms_ssim(a, b) == pytest.approx(float(theirs), abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "strength", "expected"),
    [((161, 161, 3), 12, 0.931616), ((178, 163), 40, 0.680900)],
)
def test_ms_ssim_golden(shape, strength, expected):
    """As pytorch-msssim 1.0.0 gives it; this one runs where there is no torch."""
    assert metrics.ms_ssim(*noisy(shape, strength)) == pytest.approx(expected, abs=1e-4)


def test_ms_ssim_of_equal_and_of_opposite_pictures():
    a, _ = noisy((170, 170))
    assert metrics.ms_ssim(a, a) == 1
    assert metrics.ms_ssim(a, 255 - a) == 0  # negative contrast terms count as 0


@pytest.mark.parametrize("shape", [(160, 161, 3), (161, 160), (1, 1), (200,), (200, 200, 3, 1)])
def test_ms_ssim_says_what_it_needs(shape):
    a = np.zeros(shape, np.uint8)
    with pytest.raises(InputError, match="at least 161 x 161"):
        metrics.ms_ssim(a, a)


def test_ms_ssim_db():
    assert metrics.ms_ssim_db(0.9) == pytest.approx(10)
    assert metrics.ms_ssim_db(0) == 0
    assert metrics.ms_ssim_db(1) == math.inf


# --- BD-rate --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "percent"),
    [("HM", -60.1), ("VTM", -67.6), ("BPG 4:4:4", -58.9), ("mbt2018-mean", -58.0), ("jpeg", 0)],
)
def test_bd_rate_of_published_curves(codec, percent):
    result = metrics.bd_rate(*KODAK["jpeg"], *KODAK[codec])
    assert result.percent == pytest.approx(percent, abs=0.05)
    assert result.hi == KODAK["jpeg"][1][-1]


def test_bd_rate_equals_scipy_over_any_range():
    interpolate = pytest.importorskip("scipy.interpolate")
    (rate_a, x_a), (rate_b, x_b) = KODAK["jpeg"], KODAK["VTM"]
    a, b = (
        interpolate.PchipInterpolator(x, np.log(rate)) for x, rate in ((x_a, rate_a), (x_b, rate_b))
    )
    for lo, hi in ((28, 36), (30.5, 30.6), (27.123, 40)):
        mean = (b.integrate(lo, hi) - a.integrate(lo, hi)) / (hi - lo)
        result = metrics.bd_rate(rate_a, x_a, rate_b, x_b, lo, hi)
        assert (result.lo, result.hi) == (lo, hi)
        assert result.percent == pytest.approx(100 * math.expm1(mean), abs=1e-9)


def test_slopes_equal_scipy_where_curves_turn():
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(3)
    for size in (2, 3, 4, 9):
        for _ in range(50):
            x = np.cumsum(rng.uniform(0.1, 3, size))
            rate = np.exp(rng.normal(0, 1, size))  # rises and falls
            curve = rate_distortion._Curve(rate.tolist(), x.tolist(), "test")
            theirs = interpolate.PchipInterpolator(x, np.log(rate))
            np.testing.assert_allclose(curve.slopes, theirs.derivative()(x), atol=1e-9)
            start, end = sorted(rng.uniform(x[0], x[-1], 2))
            expected = theirs.integrate(start, end)
            assert curve.integral(start, end) == pytest.approx(expected, abs=1e-9)


def test_bd_rate_of_a_constant_factor():
    rate, x = np.array(KODAK["HM"][0]), KODAK["HM"][1]
    assert metrics.bd_rate(rate, x, 0.7 * rate, x).percent == pytest.approx(-30)
    assert metrics.bd_rate(0.7 * rate, x, rate, x).percent == pytest.approx(100 * (1 / 0.7 - 1))
    assert metrics.bd_rate(rate, x, 0.7 * rate, x, lo=30, hi=31).percent == pytest.approx(-30)


def test_bd_rate_takes_points_in_any_order():
    (rate_a, x_a), (rate_b, x_b) = KODAK["jpeg"], KODAK["VTM"]
    expected = metrics.bd_rate(rate_a, x_a, rate_b, x_b)
    assert metrics.bd_rate(rate_a[::-1], x_a[::-1], rate_b[::-1], x_b[::-1]) == expected


def test_bd_rate_tells_the_range_it_used():
    rate = [0.1, 0.2, 0.4]
    whole = metrics.bd_rate(rate, [28, 30, 34], rate, [29, 31, 35])
    assert (whole.lo, whole.hi) == (29, 34)
    narrowed = metrics.bd_rate(rate, [28, 30, 34], rate, [29, 31, 35], lo=20, hi=33)
    assert (narrowed.lo, narrowed.hi) == (29, 33)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [30, 31], [1, 2], [32, 33]), "no range of quality in common"),
        (([1, 2], [30, 31], [1, 2], [31, 32]), "no range of quality in common"),
        (([1, 2], [30, 33], [1, 2], [30, 33], 34, 36), "within 34 to 36"),
        (([1, 2], [30, 33], [1, 2], [30, 33], 32, 31), "within 32 to 31"),
        (([1, 2], [30, 31], [1], [30]), "test curve .* at least two, not 1 and 1"),
        (([], [], [1, 2], [30, 31]), "anchor curve .* at least two"),
        (([1, 2], [30, 31], [1, 2, 3], [30, 31]), "not 3 and 2"),
        (([1, 2], [30, 30], [1, 2], [30, 31]), "anchor curve has two points of one quality"),
        (([0, 2], [30, 31], [1, 2], [30, 31]), "anchor curve needs positive rates"),
        (([-1, 2], [30, 31], [1, 2], [30, 31]), "anchor curve needs positive rates"),
        (([1, 2], [30, 31], [1, 2], [30, math.inf]), "test curve needs .* finite qualities"),
        (([1, math.nan], [30, 31], [1, 2], [30, 31]), "anchor curve needs positive rates"),
    ],
)
def test_curves_that_cannot_be_compared(arguments, message):
    with pytest.raises(InputError, match=message):
        metrics.bd_rate(*arguments)
