"""SSIMULACRA2: how alike two pictures look, as people who rated compressed pictures saw it.

Both pictures are taken to XYB, a colour space of opponent colours near the eye's own, at six
scales. At each scale and channel three maps are made: SSIM, edges that the distorted picture adds
(ringing, blocks), and edges that it lost (blur). The mean and the 4-norm of each map are summed
under fixed weights, which were fitted to ratings, and the sum is mapped to a score of at most 100:
90 looks lossless, 70 high, 50 medium, 30 low quality.

References:
    Sneyers 2022, "SSIMULACRA 2" (libjxl, ``tools/ssimulacra2.cc``): definition and weights.
    Charalampidis 2016, "Recursive implementation of the Gaussian filter using truncated cosine
    functions": libjxl's blur, whose impulse response is computed here.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .blur import blur

__all__ = ["ssimulacra2"]

SCALES, MIN_SIDE = 6, 8
C2 = 0.0009
SIGMA = 1.5  # of the blur, in pixels
# Linear sRGB to the absorbances of three receptors, and what is added to them.
ABSORBANCE = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.55180986650955360],
    ]
)
BIAS = 0.0037930732552754493
# By channel (X, Y, B - Y), scale (full size first), norm (1, 4) and map (SSIM, added edges, lost
# edges); 0 where the fit found no use for one.
WEIGHTS = np.array(
    [
        [
            [[0, 0.0007376606707406586, 0], [0, 0.0007793481682867309, 0]],
            [
                [0, 0.0004371155730107379, 0],
                [1.1041726426657346, 0.00066284834129271, 0.00015231632783718752],
            ],
            [[0, 0.0016406437456599754, 0], [1.8422455520539298, 11.441172603757666, 0]],
            [
                [0.0007989109436015163, 0.000176816438078653, 0],
                [1.8787594979546387, 10.94906990605142, 0],
            ],
            [
                [0.0007289346991508072, 0.9677937080626833, 0],
                [0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053],
            ],
            [[0.0004550992113792063, 0, 0], [0.0013648766163243398, 0, 0]],
        ],
        [
            [[0, 0, 0], [7.466890328078848, 0, 17.445833984131262]],
            [
                [0.0006235601634041466, 0, 0],
                [6.683678146179332, 0.00037724407979611296, 1.027889937768264],
            ],
            [
                [225.20515300849274, 0, 0],
                [19.213238186143016, 0.0011401524586618361, 0.001237755635509985],
            ],
            [
                [176.39317598450694, 0, 0],
                [24.43300999870476, 0.28520802612117757, 0.0004485436923833408],
            ],
            [[0, 0, 0], [34.77906344483772, 44.835625328877896, 0]],
            [[0, 0, 0], [0, 0, 0]],
        ],
        [
            [[0, 0.0008680556573291698, 0], [0, 0, 0]],
            [[0, 0.0005313191874358747, 0], [0.00016533814161379112, 0, 0]],
            [[0, 0, 0], [0.0004179171803251336, 0.0017290828234722833, 0]],
            [[0.0020827005846636437, 0, 0], [8.826982764996862, 23.19243343998926, 0]],
            [
                [95.1080498811086, 0.9863978034400682, 0.9834382792465353],
                [0.0012286405048278493, 171.2667255897307, 0.9807858872435379],
            ],
            [[0, 0, 0], [0.0005130064588990679, 0, 0.00010854057858411537]],
        ],
    ]
)

Floats = NDArray[np.float32]


def ssimulacra2(reference: NDArray[np.uint8], distorted: NDArray[np.uint8]) -> float:
    """SSIMULACRA2 of a distorted picture: 100 where both are equal, below 0 where little is left.

    Arguments:
        reference, distorted: sRGB, uint8 ``(H, W, 3)`` of one shape, both sides at least 8. The
            measure is not symmetric.

    Raises:
        InputError: another type or shape, two shapes, or too small.

    Example:
        >>> ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
        >>> picture = np.stack([ramp, ramp + 50, ramp + 99], -1)
        >>> ssimulacra2(picture, picture)
        100.0
        >>> 50 < ssimulacra2(picture, picture // 8 * 8) < 95
        True
    """
    for image in (reference, distorted):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(f"SSIMULACRA2 compares uint8 arrays, not {kind}.")
    shape = reference.shape
    if distorted.shape != shape or len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < MIN_SIDE:
        raise InputError(
            f"SSIMULACRA2 compares two arrays of one shape (H, W, 3) with sides of at least "
            f"{MIN_SIDE}, not {shape} and {distorted.shape}."
        )
    return score(weighted_sum(reference, distorted))


def score(total: float) -> float:
    """The score of a weighted sum of norms: a polynomial and a power, at most 100."""
    x = 0.9562382616834844 * total
    x = 2.326765642916932 * x - 0.020884521182843837 * x**2 + 6.248496625763138e-05 * x**3
    return 100.0 - 10.0 * x**0.6276336467831387 if x > 0 else 100.0


def weighted_sum(reference: NDArray[np.uint8], distorted: NDArray[np.uint8]) -> float:
    """What `score` maps: 0 where both are equal, larger the more they differ."""
    light = [_linear_light(image) for image in (reference, distorted)]
    total = 0.0
    for scale in range(SCALES):
        if min(light[0].shape[1:]) < MIN_SIDE:
            break
        if scale:
            light = [_halved(planes) for planes in light]
        a, b = (_xyb(planes) for planes in light)
        for channel in range(3):
            norms = _norms(a[channel], b[channel])
            total += float((norms * WEIGHTS[channel, scale]).sum())
    return total


def _norms(a: Floats, b: Floats) -> NDArray[np.float64]:
    """``(2, 3)``: 1-norm and 4-norm of the maps of one channel."""
    mean_a, mean_b = _blur(a), _blur(b)
    product = 2 * (_blur(a * b) - mean_a * mean_b) + np.float32(C2)
    variances = (_blur(a * a) - mean_a**2) + (_blur(b * b) - mean_b**2) + np.float32(C2)
    # SSIM without the denominator of its luminance term: XYB is perceptually uniform already.
    ssim = np.maximum(1 - (1 - (mean_a - mean_b) ** 2) * product / variances, 0)
    edges = (1 + np.abs(b - mean_b)) / (1 + np.abs(a - mean_a)) - 1
    maps = (ssim, np.maximum(edges, 0), np.maximum(-edges, 0))
    means = [np.mean(part, dtype=np.float64) for part in maps]
    fourth = [np.mean((part * part) ** 2, dtype=np.float64) ** 0.25 for part in maps]
    return np.array([means, fourth])


def _linear_light(image: NDArray[np.uint8]) -> Floats:
    """sRGB ``(H, W, 3)`` to linear light, ``(3, H, W)`` in 0..1."""
    x = np.arange(256) / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)[image.transpose(2, 0, 1)]


def _halved(planes: Floats) -> Floats:
    """Means of 2 x 2, the last row and column doubled where a side is odd."""
    _, h, w = planes.shape
    planes = np.pad(planes, ((0, 0), (0, h % 2), (0, w % 2)), "edge")
    return planes.reshape(3, (h + 1) // 2, 2, (w + 1) // 2, 2).mean((2, 4))


def _xyb(light: Floats) -> Floats:
    """X, Y and B - Y of linear light, moved to about 0..1."""
    flat = light.reshape(3, -1)
    mixed = ABSORBANCE.astype(np.float32) @ flat + np.float32(BIAS)
    root = np.cbrt(mixed) - np.float32(BIAS ** (1 / 3))
    x, y, b = (root[0] - root[1]) / 2, (root[0] + root[1]) / 2, root[2]
    xyb = np.stack([14 * x + 0.42, y + 0.01, b - y + 0.55])
    return xyb.reshape(light.shape).astype(np.float32)


def _blur(plane: Floats) -> Floats:
    """Blurs a plane ``(h, w)`` by `KERNEL` both ways, with zeros beyond its borders."""
    return blur(np.pad(plane, RADIUS), KERNEL)


def _kernel() -> tuple[int, Floats]:
    """Radius and taps of the Gaussian as a sum of three cosines (Charalampidis 2016).

    Their weights are such that the taps sum to 1, have the variance of the Gaussian, and are
    otherwise nearest to it (equations 35, 50, 52 and 55 to 57).
    """
    radius = round(3.2795 * SIGMA + 0.2546)
    omega = np.pi / (2 * radius) * np.array([1, 3, 5])
    sign = np.array([1, -1, 1])
    p = sign / np.tan(omega / 2)
    r = sign * p * p / np.sin(omega)
    rho = np.exp(-(SIGMA**2) * omega**2 / 2) / radius
    null = np.cross(p, r)
    null /= null[2]
    beta = np.linalg.solve([p, r, null], [1, radius**2 - SIGMA**2, null @ rho])
    offsets = np.arange(-radius, radius + 1)
    return radius, (beta @ np.cos(omega[:, None] * offsets)).astype(np.float32)


RADIUS, KERNEL = _kernel()
