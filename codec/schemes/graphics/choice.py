"""What a picture looks like, a photo or graphics, and which of two files is then taken.

The look is at a hundred or so small blocks, spread over the picture. A block is *flat* (one
colour), *natural* (many colours, and hardly a pixel that equals its neighbour: what a camera's
noise does to whatever it sees), or neither: text, edges, ramps that a program drew. Screenshots
and drawings have no natural blocks, photos few flat ones; what has both, or neither, may be a page
with photos or a photo of something white: unsure.

The thresholds were chosen on the validation tiles (43 photos: at least 16 % natural and at most 6 %
flat; 4 screenshots: none natural) and on `tests/benchmarks/screenshots.py` (at most 1 % natural).

Example:
    >>> white = np.full((90, 120, 3), 255, np.uint8)
    >>> noise = np.random.default_rng(0).integers(0, 256, white.shape, np.uint8)
    >>> look(white).kind, look(noise).kind
    ('graphics', 'photo')
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...image.blocks import spread_blocks
from ..segments import Pixels

__all__ = ["LEAST_SSIMULACRA2", "Look", "exact_may_be_larger", "look"]

Kind = Literal["photo", "graphics", "unsure"]

BLOCKS_A_SIDE = 12
# A natural block: fewer pixels than this equal a neighbour, and more than this of them differ.
EQUAL, COLOURS = 0.25, 0.19
DRAWN = 0.02  # natural blocks in a picture of graphics, at most
FLAT = 0.1  # flat blocks in a photo, at most, unless nearly all the others are natural
PHOTO, NEARLY_ALL = 0.1, 0.6  # natural blocks in a photo, at least
FEW_COLOURS = 0.125  # in the blocks of graphics that have no flat ones: dithered, pixel art
# The learned file is taken for a screenshot only where it is as good as this.
LEAST_SSIMULACRA2 = 80.0


@dataclass(frozen=True)
class Look:
    """What a picture looks like: its kind, and shares of its blocks."""

    kind: Kind
    flat: float
    natural: float

    def __str__(self) -> str:
        shares = f"{100 * self.flat:.0f} % flat, {100 * self.natural:.0f} % natural"
        if self.kind == "unsure":
            return f"may be a photo or graphics ({shares})"
        return f"looks like {'a photo' if self.kind == 'photo' else 'graphics'} ({shares})"


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
    kind: Kind = "unsure"
    if natural <= DRAWN and (flat > FLAT or float(np.median(share)) < FEW_COLOURS):
        kind = "graphics"
    elif natural >= NEARLY_ALL or (natural >= PHOTO and flat <= FLAT):
        kind = "photo"
    return Look(kind, flat, natural)


def exact_may_be_larger(kind: Kind, quality: float) -> float:
    """How many times as large as the learned file the exact one may be, and still be taken.

    It is worth more where the picture is graphics, whose text learned codecs leave ragged, and
    where a better picture was asked for.

    Example:
        >>> exact_may_be_larger("graphics", 50), exact_may_be_larger("unsure", 50)
        (5.0, 1.3)
    """
    return {"photo": 0.0, "graphics": 1 + quality / 12.5, "unsure": 1.3}[kind]


def _share(equal: NDArray[np.bool_]) -> NDArray[np.floating]:
    return equal.sum(axis=(1, 2)) / max(1, equal.shape[1] * equal.shape[2])
