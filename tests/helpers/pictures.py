"""Small pictures of every kind, and what holds of every picture that is loaded."""

import io

import numpy as np
from PIL import Image, ImageDraw

from gencodec.codec.image import pixels

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (11, 13, 3), dtype=np.uint8)
GREY = COLOUR[..., 1].copy()
ALPHA = RNG.integers(1, 256, (11, 13), dtype=np.uint8)  # nothing hidden, so colours stay
RGBA = np.dstack([COLOUR, ALPHA])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def drawing(width: int, height: int) -> np.ndarray:
    """Flat shapes and text."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for n in range(6):
        draw.rectangle((n * width // 7, 3, n * width // 7 + 9, height - 5), (40 * n, 99, 255 - n))
        draw.text((4, n * height // 6), f"line {n}", "black")
    return np.asarray(image)


def grey_of(plane):
    return np.repeat(plane[..., None], 3, axis=2)


def saved(image: Image.Image, format_: str, **options) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    buffer.seek(0)
    return buffer


def check(picture: pixels.Picture) -> pixels.Picture:
    """What holds of every picture."""
    height, width = picture.rgb.shape[:2]
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.shape == (height, width, 3)
    assert picture.rgb.flags.c_contiguous
    if picture.alpha is not None:
        assert picture.alpha.dtype == np.uint8
        assert picture.alpha.shape == (height, width)
        assert picture.alpha.flags.c_contiguous
    if picture.grey:
        assert (picture.rgb == picture.rgb[..., :1]).all()
    for payload in (picture.icc, picture.exif, picture.xmp):
        assert payload is None or (isinstance(payload, bytes) and payload)
    for note in picture.notes:
        assert note[0].isupper() or note[0].isdigit()
        assert note.endswith(".")
    return picture


def alpha_of(picture: pixels.Picture) -> np.ndarray:
    assert picture.alpha is not None
    return picture.alpha
