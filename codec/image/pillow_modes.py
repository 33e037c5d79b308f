"""Every mode of a Pillow image as 8-bit planes: grey or RGB, with or without alpha.

Example:
    >>> notes = []
    >>> planes, alpha = to_planes(Image.new("I;16", (2, 1), 65535), "", notes)
    >>> planes, alpha, notes
    (array([[255, 255]], dtype=uint8), None, ['16-bit samples were converted to 8-bit.'])
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError

__all__ = ["raw_mode", "to_planes"]

Bytes = NDArray[np.uint8]

OVERSHOOT = 1.5  # of a sharp edge, resampled by Lanczos or bicubic filters both ways: up to 1.4
STRIP = 2**22  # pixels that are taken from Pillow at a time


def raw_mode(image: Image.Image) -> str:
    """How a file not yet loaded holds its samples, in Pillow's words ("RGB;16B"), or ""."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if arguments and isinstance(arguments[0], str):
            # A PPM of 16 bits has "RGB" and the largest sample value instead.
            most = arguments[-1]  # "1" of a PBM
            deep = tile[0].startswith("ppm") and isinstance(most, int) and most > 255
            return arguments[0] + ";16" if deep else arguments[0]
    return ""


def to_planes(image: Image.Image, raw: str, notes: list[str]) -> tuple[Bytes, Bytes | None]:
    """The samples of a loaded image.

    Arguments:
        image: of any mode.
        raw: what `raw_mode` said of it before it was loaded.
        notes: what was converted is added here.

    Returns: uint8 ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, and an alpha plane ``(H, W)`` where
        there is one that is not the fourth channel.

    Raises:
        InputError: a mode that is none of Pillow's documented ones.
    """
    mode = image.mode
    clear = image.info.get("transparency")  # the colour or grey level that is transparent
    if mode in ("I", "F") or mode.startswith("I;16"):
        samples = np.asarray(image)
        alpha = _alpha(samples == clear) if isinstance(clear, int) else None
        return _to_8_bits(samples, image.format == "PPM" or ";16" in raw, notes), alpha
    if ";16" in raw:
        notes.append("16-bit samples were converted to 8-bit.")  # by Pillow, when it loaded them
    if mode in ("1", "L"):
        grey = _samples(image if mode == "L" else image.convert("L"))
        if not isinstance(clear, int):
            return grey, None
        # Of a PNG below 8 bits Pillow stretches the samples, but not the level that is clear.
        level = 255 * bool(clear) if mode == "1" else clear * {"L;2": 85, "L;4": 17}.get(raw, 1)
        return grey, _alpha(grey == level)
    if mode in ("LA", "La"):
        both = _samples(image if mode == "LA" else image.convert("LA"))
        return both[..., 0], both[..., 1]
    if mode == "RGB":
        rgb = _samples(image)
        if not isinstance(clear, tuple) or len(clear) != 3:
            return rgb, None
        colour = [value >> 8 for value in clear] if ";16" in raw else clear
        return rgb, _alpha((rgb == colour).all(axis=2))
    if mode in ("RGBA", "RGBa"):
        planes = _samples(image if mode == "RGBA" else image.convert("RGBA"))
        # Pillow has no other mode for grey and alpha of 16 bits.
        return (planes[..., 0], planes[..., 3]) if raw.startswith("LA") else (planes, None)
    if mode in ("P", "PA"):
        # A copy, because convert() writes the transparency into the palette of its source.
        target = "RGBA" if image.has_transparency_data else "RGB"
        return _samples(image.copy().convert(target)), None
    if mode in ("CMYK", "LAB", "HSV", "YCbCr", "RGBX"):
        if mode in ("CMYK", "LAB", "HSV"):
            notes.append(f"{mode} colours were converted to RGB.")
        return _samples(_cmyk_to_rgb(image) if mode == "CMYK" else image.convert("RGB")), None
    raise InputError(f"The picture's mode {mode} is not supported; convert it to RGB first.")


def _samples(image: Image.Image) -> Bytes:
    """``np.asarray(image)``, which would hold a large picture three times over, by strips."""
    width, height = image.size
    if width * height <= STRIP:
        return np.asarray(image)
    planes = np.empty((height, width, *np.asarray(image.crop((0, 0, 1, 1))).shape[2:]), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        planes[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return planes


def _alpha(clear: NDArray[np.bool_]) -> Bytes:
    return np.where(clear, np.uint8(0), np.uint8(255))


def _to_8_bits(samples: NDArray[Any], sixteen: bool, notes: list[str]) -> Bytes:
    """Grey samples of the modes I;16, I and F.

    What white is, Pillow does not say for I and F: I holds 16-bit pictures and 8-bit ones alike,
    F also 0..1.  The least of these ranges that holds all samples is taken, where resampling may
    have overshot it by half.
    """
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples, nan=0, posinf=0, neginf=0)
        white = _white(float(samples.max()), (1, 255, 65535))
        notes.append(f"Floating-point samples, taken as 0..{white}, were converted to 8-bit.")
        return np.clip(np.rint(samples * (255 / white)), 0, 255).astype(np.uint8)
    if samples.dtype.itemsize == 2 or sixteen:
        notes.append("16-bit samples were converted to 8-bit.")
    else:
        white = _white(float(samples.max()), (255, 65535))
        notes.append(f"32-bit samples, taken as 0..{white}, were converted to 8-bit.")
        if white == 255:
            return np.clip(samples, 0, 255).astype(np.uint8)
    # 65535 / 255 = 257, so white stays white, and 8-bit samples once made 16-bit come back.
    to_8_bits = ((np.arange(65536) + 128) // 257).astype(np.uint8)
    return to_8_bits[np.clip(samples, 0, 65535)]


def _white(largest: float, ranges: tuple[int, ...]) -> int:
    return next((white for white in ranges if largest <= OVERSHOOT * white), ranges[-1])


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """By its profile if it has one that works, because inks are nothing like 255 - RGB."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            from PIL import ImageCms

            rgb = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if rgb is not None:
                return rgb
        except Exception:  # not of CMYK, damaged, or Pillow was built without LittleCMS
            pass
    return image.convert("RGB")
