"""What a picture looks like, a photo or graphics, and which of two files is then taken.

The look is at a hundred or so small blocks, spread over the picture. A block is *flat* (one
colour), *natural* (many colours, and hardly a pixel that equals its neighbour: what a camera's
noise does to whatever it sees), or neither: text, edges, ramps that a program drew. Screenshots
and drawings have no natural blocks, photos few flat ones. What has both, or neither, is a page with
photos if some blocks hold *text* (most pixels equal their neighbours, and one is far from its own),
else a page or a photo of something white: unsure.

The thresholds were chosen on the validation tiles (43 photos: at least 16 % natural and at most 6 %
flat; 4 screenshots: none natural) and on `tests/benchmarks/screenshots.py` (at most 1 % natural);
that of text on the 36 training tiles that have both or neither (9 photos: at most 2.8 % text) and
on the pages with photos (at least 5.6 %).

Example:
    >>> white = np.full((90, 120, 3), 255, np.uint8)
    >>> noise = np.random.default_rng(0).integers(0, 256, white.shape, np.uint8)
    >>> look(white).kind, look(noise).kind
    ('graphics', 'photo')
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...image.blocks import spread_blocks
from ..segments import Pixels

__all__ = ["Look", "exact_may_be_larger", "least_ssimulacra2", "look"]

Kind = Literal["photo", "graphics", "page", "unsure"]

BLOCKS_A_SIDE = 12
# A natural block: fewer pixels than this equal a neighbour, and more than this of them differ.
EQUAL, COLOURS = 0.25, 0.19
DRAWN = 0.02  # natural blocks in a picture of graphics, at most
FLAT = 0.1  # flat blocks in a photo, at most, unless nearly all the others are natural
PHOTO, NEARLY_ALL = 0.1, 0.6  # natural blocks in a photo, at least
FEW_COLOURS = 0.125  # in the blocks of graphics that have no flat ones: dithered, pixel art
# A block of text: more pixels than this equal their neighbours, and one is this far from its own.
BACKGROUND, STEP = 0.5, 160
TEXT = 0.03  # blocks of text in a page with photos, at least
WORDS = {
    "photo": "looks like a photo",
    "graphics": "looks like graphics",
    "page": "looks like a page with photos",
    "unsure": "may be a photo or graphics",
}


@dataclass(frozen=True)
class Look:
    """What a picture looks like: its kind, and shares of its blocks."""

    kind: Kind
    flat: float
    natural: float
    text: float

    def __str__(self) -> str:
        shares = f"{100 * self.flat:.0f} % flat, {100 * self.natural:.0f} % natural"
        if self.kind == "page":
            shares += f", {100 * self.text:.0f} % text"
        return f"{WORDS[self.kind]} ({shares})"


def look(rgb: Pixels, alpha: NDArray[np.uint8] | None = None) -> Look:
    """Looks at a picture ``(H, W, 3)``; blocks that alpha hides are passed over."""
    blocks = spread_blocks(rgb, BLOCKS_A_SIDE)
    if alpha is not None:
        seen = spread_blocks(alpha[..., None], BLOCKS_A_SIDE).any(axis=(1, 2))[:, 0]
        blocks = blocks[seen] if seen.any() else blocks[:1]
    packed = blocks[..., 0].astype(np.uint32) << 16
    packed |= blocks[..., 1].astype(np.uint32) << 8
    packed |= blocks[..., 2]
    across = _share(packed[:, :, 1:] == packed[:, :, :-1])
    down = _share(packed[:, 1:] == packed[:, :-1])
    values = np.sort(packed.reshape(len(packed), -1), axis=1)
    more = (values[:, 1:] != values[:, :-1]).sum(axis=1)  # colours but one
    share = more / values.shape[1]
    natural = float(((np.maximum(across, down) < EQUAL) & (share > COLOURS)).mean())
    flat = float((more == 0).mean())
    text = float(((np.minimum(across, down) > BACKGROUND) & (_largest_step(blocks) > STEP)).mean())
    kind: Kind = "page" if text > TEXT else "unsure"
    if natural <= DRAWN and (flat > FLAT or float(np.median(share)) < FEW_COLOURS):
        kind = "graphics"
    elif natural >= NEARLY_ALL or (natural >= PHOTO and flat <= FLAT):
        kind = "photo"
    return Look(kind, flat, natural, text)


def exact_may_be_larger(kind: Kind, quality: float) -> float:
    """How many times as large as the learned file the exact one may be, and still be taken.

    It is worth more where the picture is graphics, whose text learned codecs leave ragged, and
    where a better picture was asked for.

    Example:
        >>> [exact_may_be_larger(kind, 50) for kind in ("graphics", "page", "unsure")]
        [5.0, 1.5, 1.3]
    """
    times = {"photo": 0.0, "graphics": 1 + quality / 12.5, "page": 1 + quality / 100, "unsure": 1.3}
    return times[kind]


def least_ssimulacra2(kind: Kind, quality: float) -> float:
    """How good the learned file must be to be taken; minus infinity where that is no matter.

    A page's text bears less than a photo does; yet who asks for little quality wants a small file.

    Example:
        >>> [least_ssimulacra2(kind, 20) for kind in ("graphics", "page", "unsure")]
        [80.0, 50.0, -inf]
    """
    least = {"graphics": 80.0, "page": min(30.0 + quality, 80.0)}
    return least.get(kind, -math.inf)


def _largest_step(blocks: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Of each block, the largest difference of a sample from the next one, along and down."""
    wide = blocks.astype(np.int16)
    steps = [np.abs(np.diff(wide, axis=axis)) for axis in (1, 2)]
    return np.maximum(*(step.max(axis=(1, 2, 3), initial=0) for step in steps))


def _share(equal: NDArray[np.bool_]) -> NDArray[np.floating]:
    return equal.sum(axis=(1, 2)) / max(1, equal.shape[1] * equal.shape[2])
