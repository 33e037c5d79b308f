"""Noise as cameras, scans and files make it, with a level that is known.

Every kind starts as a field of unit variance, is made spatially correlated or not, is given a
standard deviation (constant, or depending on the light), and is added to clean pixels. Some
results are clipped and rounded as files are, some go through JPEG. All tensors are
``b 3 h w`` in 0..1, all levels are standard deviations on the 0..255 scale.

References:
    Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling", for ``variance = a x + b``.
    Brooks et al. 2019, "Unprocessing images for learned raw denoising" (arXiv 1811.11127), for
    what a camera does to noise after the sensor.
"""

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

__all__ = ["KINDS", "MOSTLY_WHITE", "add", "correlated", "deviation", "jpeg", "mixture"]

# Kinds of a mixture and how often each comes.
KINDS = {
    "clean": 0.02,  # must be left alone
    "white": 0.82,  # Gaussian, values outside 0..1 kept
    "white8": 0.02,  # Gaussian, clipped and rounded to 8 bits
    "light": 0.02,  # Poisson-Gaussian, 8 bits
    "sensor": 0.07,  # demosaiced, resized, blotchy or smooth, depending on the light, 8 bits
    "jpeg": 0.05,  # any of these through JPEG
}
# What training begins with: the same things are learnt from white noise in half the time.
MOSTLY_WHITE = {
    "clean": 0.01,
    "white": 0.93,
    "white8": 0.01,
    "light": 0.01,
    "sensor": 0.03,
    "jpeg": 0.01,
}
SOFT = 0.6  # how often a picture with cameras' noise is as soft as they make them at full size
GREY = 0.04  # how often picture and noise have no colour
SENSOR = 2.5, 30.0  # levels of real sensors' noise, every octave as often
# Levels of white noise, and the share that lies below each: photos are rarely as bad as the last.
WHITE = (0.0, 8.0, 20.0, 40.0, 58.0, 75.0), (0.0, 0.06, 0.16, 0.45, 0.93, 1.0)


def add(clean: Tensor, sigma: float | Tensor, generator: torch.Generator | None = None) -> Tensor:
    """White Gaussian noise of that level, not clipped; ``sigma``: a number or ``b``.

    Example:
        >>> noisy = add(torch.zeros(1, 3, 64, 64), 25.0, torch.Generator().manual_seed(0))
        >>> round(float(noisy.std()) * 255)
        25
    """
    level = torch.as_tensor(sigma, dtype=clean.dtype, device=clean.device).reshape(-1, 1, 1, 1)
    return clean + _white(clean, generator) * (level / 255)


def _white(like: Tensor, generator: torch.Generator | None) -> Tensor:
    # Drawn on the CPU, so that a seed means the same noise on every device.
    return torch.randn(like.shape, generator=generator).to(like.device)


def deviation(clean: Tensor, a: float, b: float, shadow: float) -> Tensor:
    """Standard deviation per pixel of unit mean square: light makes it, tone curves move it.

    Arguments:
        a, b: weights of the Poisson part (grows with the light) and of the constant part.
        shadow: weight of a part that grows into the dark, as tone curves make it.
    """
    light = clean.clamp(0, 1)
    variance = a * light + b + shadow * (1 - light).square()
    return torch.sqrt(variance / variance.mean((1, 2, 3), keepdim=True).clamp(min=1e-6))


def correlated(field: Tensor, rng: np.random.Generator) -> Tensor:
    """A white field as demosaicing, resizing and in-camera processing leave it; unit variance."""
    kind = rng.integers(5)
    if kind == 0:
        field = _demosaiced(field)
    if kind == 3:
        field = _blotchy(field, rng)
    elif kind == 4:
        field = _smoothed(field, rng)
    elif kind >= 1 or rng.random() < 0.3:
        field = _resized(field, rng)
    if rng.random() < 0.5:  # channels mixed by white balance and colour matrix
        matrix = torch.eye(3) + torch.from_numpy(rng.normal(0, 0.3, (3, 3))).float()
        field = torch.einsum("ij,bjhw->bihw", matrix.to(field.device), field)
    if rng.random() < 0.3:  # colour noise smeared, as cameras do
        grey = field.mean(1, keepdim=True)
        field = grey + F.avg_pool2d(field - grey, 3, 1, 1, count_include_pad=False)
    return field / field.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-6)


def _demosaiced(field: Tensor) -> Tensor:
    """Of each channel only the samples of a Bayer pattern, the rest interpolated from them."""
    mask = torch.zeros(3, 2, 2, device=field.device)
    mask[0, 0, 0] = mask[1, 0, 1] = mask[1, 1, 0] = mask[2, 1, 1] = 1
    h, w = field.shape[2:]
    kept = field * mask.repeat(1, (h + 1) // 2, (w + 1) // 2)[None, :, :h, :w]
    cross = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    square = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    kernels = torch.stack([square, cross, square])[:, None].to(field.device)
    return F.conv2d(F.pad(kept, (1, 1, 1, 1), mode="reflect"), kernels, groups=3)


def _resized(field: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise of another resolution, scaled up to or down to this one."""
    h, w = field.shape[2:]
    factor = math.exp(rng.uniform(math.log(0.4), math.log(1.0)))
    small = field[:, :, : max(2, round(h * factor)), : max(2, round(w * factor))]
    mode = ("bilinear", "bicubic")[rng.integers(2)]
    return F.interpolate(small, (h, w), mode=mode, align_corners=False)


def _blotchy(field: Tensor, rng: np.random.Generator) -> Tensor:
    """What in-camera noise reduction leaves: several octaves at once, colour coarser than light."""
    h, w = field.shape[2:]
    grey = torch.zeros_like(field[:, :1])
    colour = torch.zeros_like(field)
    # Little is left of the finest, which noise reduction takes first.
    for scale, share in ((1, 0.4), (2, 1.0), (4, 0.7), (8, 0.5)):
        if min(h, w) < 4 * scale:
            break
        rows, columns = -(-h // scale), -(-w // scale)
        # Disjoint parts of one white field would be too few; shifted ones are as good as fresh.
        part = torch.roll(field, (7 * scale, 13 * scale), (2, 3))[:, :, :rows, :columns]
        if scale > 1:
            part = F.interpolate(part, (h, w), mode="bicubic", align_corners=False)
        light, chroma = rng.random(2) ** 2 * (share, min(1.0, 2 * share))
        grey = grey + light * part[:, :1]
        colour = colour + chroma * (part - part.mean(1, keepdim=True))
    return grey + rng.uniform(0.1, 1.0) * colour


def _smoothed(field: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise that was smoothed, with coarser noise of colour: the finest of it is gone."""
    width = rng.uniform(0.5, 1.6)
    colour = field - field.mean(1, keepdim=True)
    return _blurred(field, width) + rng.uniform(0.3, 1.5) * _blurred(colour, 2 * width)


def _blurred(field: Tensor, width: float) -> Tensor:
    """Through a Gaussian of that standard deviation in pixels."""
    radius = max(1, min(math.ceil(3 * width), min(field.shape[2:]) - 1))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / width).square())
    taps = (taps / taps.sum()).to(field.device)[None, None, :, None].repeat(3, 1, 1, 1)
    field = F.pad(field, (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(field, taps, groups=3), taps.transpose(2, 3), groups=3)


def _softened(clean: Tensor, rng: np.random.Generator) -> Tensor:
    """A picture as soft as cameras' are at their full size: its finest detail is gone."""
    h, w = clean.shape[2:]
    factor = rng.uniform(0.4, 1.0)
    size = max(8, round(h * factor)), max(8, round(w * factor))
    small = F.interpolate(clean, size, mode="bicubic", align_corners=False, antialias=True)
    return F.interpolate(small, (h, w), mode="bicubic", align_corners=False).clamp(0, 1)


def jpeg(pixels: Tensor, quality: int, subsampling: str) -> Tensor:
    """One picture ``3 h w`` through a JPEG file; clipped and rounded on the way."""
    levels = (pixels.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(1, 2, 0)
    buffer = io.BytesIO()
    image = Image.fromarray(levels.cpu().contiguous().numpy())
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    decoded = np.array(Image.open(buffer))
    return torch.from_numpy(decoded).permute(2, 0, 1).to(pixels.device).float() / 255


def _to_8_bits(x: Tensor) -> Tensor:
    return torch.floor(x.clamp(0, 1) * 255 + 0.5) / 255


def mixture(
    clean: Tensor, rng: np.random.Generator, generator: torch.Generator, kinds: dict | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """A batch with noise of all kinds, its levels, and the clean pixels (some now grey or soft).

    The level is the one that the noise was made with; where JPEG or a light-dependent deviation
    makes that meaningless, it is the root mean square of what was added.

    Returns: noisy and clean ``b 3 h w``, and the levels ``b``.
    """
    kinds = kinds or KINDS
    count = clean.shape[0]
    chances = np.array(list(kinds.values()))
    names = rng.choice(list(kinds), count, p=chances / chances.sum())
    # Stratified, so that each batch covers the range of levels.
    parts = rng.permutation((np.arange(count) + rng.random(count)) / count)
    clean = clean.clone(memory_format=torch.contiguous_format)
    noisy, levels = torch.empty_like(clean), torch.zeros(count)
    for i, (name, part) in enumerate(zip(names, parts, strict=True)):
        if grey := rng.random() < GREY:
            clean[i] = clean[i].mean(0, keepdim=True)
        if name in ("sensor", "jpeg") and rng.random() < SOFT:
            clean[i : i + 1] = _softened(clean[i : i + 1], rng)
        one = clean[i : i + 1]
        noisy[i : i + 1], levels[i] = _one(one, str(name), float(part), bool(grey), rng, generator)
    return noisy, levels.to(clean.device), clean


def _one(
    clean: Tensor,
    name: str,
    part: float,
    grey: bool,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """One picture ``1 3 h w`` with noise of the kind ``name``, and its level."""
    if name == "clean":
        return clean, 0.0
    through_jpeg = name == "jpeg"
    if through_jpeg:
        name = ("white8", "light", "sensor", "sensor", "clean")[rng.integers(5)]
    real = name in ("light", "sensor")
    level = SENSOR[0] * (SENSOR[1] / SENSOR[0]) ** part
    if not real:
        level = float(np.interp(part, WHITE[1], WHITE[0]))
    if through_jpeg:  # the coder hides what is stronger
        level = min(level, SENSOR[1])
    field = _white(clean, generator)
    if grey:
        field = field[:, :1].expand_as(field)
    if name == "sensor":
        field = correlated(field, rng)
        if grey:
            field = field.mean(1, keepdim=True).expand_as(field)
            field = field / field.square().mean().sqrt().clamp(min=1e-6)
    if real:
        a, b, shadow = rng.random(3) ** 2 + (0, 0.05, 0)
        field = field * deviation(clean, a, b, shadow)
    if name == "clean":
        level = 0.0
    noisy = clean + field * (level / 255)
    if name != "white":
        noisy = _to_8_bits(noisy)
    if through_jpeg:
        subsampling = ("4:2:0", "4:4:4")[rng.integers(2)]
        quality = 99 - int(49 * rng.random() ** 2)  # cameras' are mostly high
        noisy = jpeg(noisy[0], quality, subsampling)[None]
    if real or through_jpeg:
        level = 255 * float((noisy - clean).square().mean().sqrt())
    return noisy, level
