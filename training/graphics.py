"""Screenshots, text and drawings, made at random: what collections of photographs lack."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .data import Pixels

__all__ = ["graphics_tiles"]

SIDE = 320
PAGES = 0.4  # of the tiles are bare ground with one photo
FONT_SIZES = (9, 10, 11, 12, 13, 14, 16, 20, 28)
WORDS = """
    the quick brown fox jumps over a lazy dog File Edit View Help Search settings 2024 100% OK
    Cancel def return import self error warning Total Price 3.14159 http www latent entropy model
""".split()  # noqa: SIM905

Colour = tuple[int, int, int]


def graphics_tiles(photos: list[Pixels], count: int, seed: int = 0) -> list[Pixels]:
    """``count`` tiles ``(320, 320, 3)``: windows, text, plots, gradients, photos in them.

    Arguments:
        photos: parts of these are pasted into some.
        seed: the same seed gives the same tiles.

    Example:
        >>> graphics_tiles([], 2)[0].shape
        (320, 320, 3)
    """
    random = np.random.default_rng(seed)
    return [_tile(random, photos) for _ in range(count)]


def _colour(random: np.random.Generator) -> Colour:
    kind = random.integers(5)
    if kind == 0:
        return 255, 255, 255
    if kind == 1:
        grey = int(random.integers(256))
        return grey, grey, grey
    if kind == 2:  # dark windows
        grey = int(random.integers(20, 60))
        return grey, grey + 3, grey + 8
    r, g, b = (int(value) for value in random.integers(0, 256, 3))
    return r, g, b


def _ground(random: np.random.Generator) -> Image.Image:
    if random.random() >= 0.2:
        return Image.new("RGB", (SIDE, SIDE), _colour(random))
    corners = np.array([_colour(random) for _ in range(4)], np.float32).reshape(2, 2, 3)
    ramp = np.linspace(0, 1, SIDE)[:, None]
    top, bottom = (row[0] * (1 - ramp) + row[1] * ramp for row in corners)
    smooth = top[None] * (1 - ramp[:, :, None]) + bottom[None] * ramp[:, :, None]
    return Image.fromarray(np.round(smooth).astype(np.uint8))


def _tile(random: np.random.Generator, photos: list[Pixels]) -> Pixels:
    image = _ground(random)
    if photos and random.random() < PAGES:
        x, y = (int(value) for value in random.integers(-100, SIDE - 40, 2))
        w, h = (int(value) for value in random.integers(60, 240, 2))
        _paste(random, image, photos, (x, y), (w, h))
        return np.asarray(image)
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(1, 7))):
        x, y = (int(value) for value in random.integers(-20, SIDE, 2))
        w, h = (int(value) for value in random.integers(10, 260, 2))
        kind = random.random()
        if kind < 0.3:
            outline = _colour(random) if random.random() < 0.5 else None
            draw.rectangle((x, y, x + w, y + h), _colour(random), outline)
        elif kind < 0.65:
            _write(random, draw, x, y)
        elif kind < 0.75:  # a plot
            points = [(x + i * 9, y + int(random.normal(0, 18))) for i in range(30)]
            draw.line(points, _colour(random), int(random.integers(1, 4)))
        elif kind < 0.85:
            draw.line((x, y, x + w, y + int(random.choice([0, h]))), _colour(random), 1)
            draw.ellipse((x, y, x + h // 3, y + h // 3), _colour(random))
        elif photos:
            _paste(random, image, photos, (x, y), (min(w + 30, 200), min(h + 30, 200)))
    return np.asarray(image)


def _paste(
    random: np.random.Generator,
    image: Image.Image,
    photos: list[Pixels],
    at: tuple[int, int],
    size: tuple[int, int],
) -> None:
    """The corner of one of the photos, of at most ``size`` (width, height)."""
    photo = photos[int(random.integers(len(photos)))]
    image.paste(Image.fromarray(photo[: size[1], : size[0]]), at)


def _write(random: np.random.Generator, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    size, colour = int(random.choice(FONT_SIZES)), _colour(random)
    font = ImageFont.load_default(size)
    for line in range(int(random.integers(1, 14))):
        words = " ".join(random.choice(WORDS, int(random.integers(1, 9))))
        draw.text((x, y + line * int(size * 1.3)), words, colour, font)
