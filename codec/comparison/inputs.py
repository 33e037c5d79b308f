"""Pictures to be compared: what every codec is given alike, and what to call it.

Example:
    >>> grey = CompareInput.load(np.full((2, 3), 9, np.uint8), "grey")
    >>> grey.pixels.shape
    (2, 3)
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image import pixels
from ..metrics import MS_SSIM_MIN_SIDE

__all__ = ["CompareInput", "names"]

WHITE = 255


@dataclass(frozen=True)
class CompareInput:
    """A picture as it is compared: uint8 ``(H, W)`` where grey, else ``(H, W, 3)``."""

    name: str
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    @staticmethod
    def load(image: Any, name: str) -> "CompareInput":
        """Reads a picture as `gencodec.compress` does, without metadata, laid on white."""
        picture = pixels.load(image, keep_metadata=False)
        planes = picture.rgb[..., 0] if picture.grey else picture.rgb
        notes = list(picture.notes)
        if picture.alpha is not None:
            alpha = picture.alpha.astype(np.uint32)
            if not picture.grey:
                alpha = alpha[..., None]
            planes = ((planes * alpha + WHITE * (255 - alpha) + 127) // 255).astype(np.uint8)
            notes.append("Transparent: laid on white for all codecs, since JPEG has no alpha.")
        if min(planes.shape[:2]) < MS_SSIM_MIN_SIDE:
            notes.append(f"MS-SSIM is left out: it needs {MS_SSIM_MIN_SIDE} pixels each way.")
        return CompareInput(name, np.ascontiguousarray(planes), tuple(notes))


def names(images: Sequence[Any]) -> list[str]:
    """What to call each picture: its file's name, with the folders where that is not enough.

    >>> names(["a/cat.jpg", "dog.jpg", "b/cat.jpg", "dog.jpg"])
    ['a/cat.jpg', 'dog.jpg', 'b/cat.jpg', 'dog.jpg (2)']
    """
    paths = []
    for number, image in enumerate(images, 1):
        if not isinstance(image, str | os.PathLike):
            image = getattr(image, "filename", None) or getattr(image, "name", None)
        if not isinstance(image, str | os.PathLike) or not str(image):
            image = f"picture {number}"
        paths.append(os.fsencode(image).decode("utf-8", "replace"))
    short = [os.path.basename(path) for path in paths]
    long = [
        path
        if len({other for other, s in zip(paths, short, strict=True) if s == base}) > 1
        else base
        for path, base in zip(paths, short, strict=True)
    ]
    seen: dict[str, int] = {}
    unique = []
    for name in long:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique
