"""Training pictures: decoded once into memory, cropped at random ever after.

Reads a folder of photos, a folder of ``.tar`` archives of tiles, or both, at any depth.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..codec.errors import InputError

__all__ = ["Crops", "load_named", "load_pictures", "load_whole"]

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm"}
LARGEST = 1024  # photos are cut into tiles of at most this side, so that sampling stays even

Pixels = NDArray[np.uint8]


def load_pictures(folder: Path, smallest: int = 128) -> list[Pixels]:
    """All pictures under ``folder`` as uint8 arrays ``(H, W, 3)``, in a fixed order.

    Large photos are halved until no side is over twice `LARGEST` (which also hides the traces
    of JPEG) and cut into tiles. Pictures with a side under ``smallest`` are left out.

    Raises:
        InputError: nothing usable is there.
    """
    tiles: list[Pixels] = []
    for _, pixels in _decoded(folder):
        while max(pixels.shape) > 2 * LARGEST:
            pixels = np.asarray(Image.fromarray(pixels).reduce(2))
        for top in range(0, pixels.shape[0], LARGEST):
            for left in range(0, pixels.shape[1], LARGEST):
                tile = pixels[top : top + LARGEST, left : left + LARGEST]
                if min(tile.shape[:2]) >= smallest:
                    tiles.append(np.ascontiguousarray(tile))
    if not tiles:
        raise InputError(
            f"{folder} holds no picture of at least {smallest}x{smallest} pixels; "
            "name a folder of photos or of .tar archives of tiles."
        )
    return tiles


def load_whole(folder: Path) -> list[Pixels]:
    """All pictures under ``folder`` as they are, uint8 ``(H, W, 3)``, for measuring.

    Raises:
        InputError: none is there, or one cannot be read.
    """
    return [pixels for _, pixels in _decoded(folder)]


def load_named(folder: Path) -> list[tuple[str, Pixels]]:
    """The same, each with the name of its file.

    Raises:
        InputError: as `load_whole`.
    """
    return [(Path(name).name, pixels) for name, pixels in _decoded(folder)]


def _decoded(folder: Path) -> Iterator[tuple[str, Pixels]]:
    found = False
    for name, data in _files(Path(folder)):
        try:
            with Image.open(io.BytesIO(data)) as image:
                found = True
                yield name, np.asarray(image.convert("RGB"))
        except OSError as error:
            raise InputError(f"{name} cannot be read as a picture ({error}).") from error
    if not found:
        raise InputError(f"{folder} holds no pictures; name a folder of photos or tile archives.")


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name a folder of photos or tile archives.")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            yield str(path), path.read_bytes()
        elif path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in archive:
                    if Path(member.name).suffix.lower() in SUFFIXES:
                        stream = archive.extractfile(member)
                        assert stream is not None
                        yield f"{path}:{member.name}", stream.read()


class Crops:
    """Random crops: mirrored, turned, some reduced up to twice, a few with channels swapped.

    Arguments:
        tiles: uint8 arrays ``(H, W, 3)``.
        seed: of the random generator; its state is saved with a checkpoint.

    Example:
        >>> crops = Crops([np.zeros((64, 64, 3), np.uint8)], seed=0)
        >>> crops.batch(2, 32).shape
        (2, 3, 32, 32)
    """

    def __init__(self, tiles: list[Pixels], seed: int) -> None:
        self.tiles = tiles
        area = np.array([tile.shape[0] * tile.shape[1] for tile in tiles], np.float64)
        self.chance = np.cumsum(area / area.sum())
        self.random = np.random.default_rng(seed)

    def batch(self, count: int, size: int) -> Pixels:
        """``count`` crops of ``size`` x ``size`` as uint8 ``(count, 3, size, size)``."""
        return np.stack([self._crop(size) for _ in range(count)]).transpose(0, 3, 1, 2)

    def _crop(self, size: int) -> Pixels:
        rng = self.random
        pick = min(int(np.searchsorted(self.chance, rng.random())), len(self.tiles) - 1)
        tile = self.tiles[pick]
        side = size
        if rng.random() < 0.4:
            side = min(int(size / rng.uniform(0.5, 1.0)), *tile.shape[:2])
        side = max(min(side, *tile.shape[:2]), 1)
        top = rng.integers(tile.shape[0] - side + 1)
        left = rng.integers(tile.shape[1] - side + 1)
        crop = tile[top : top + side, left : left + side]
        if side != size:
            resized = Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
            crop = np.asarray(resized)
        crop = np.rot90(crop, int(rng.integers(4)))
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.02:
            crop = crop[:, :, rng.permutation(3)]
        return crop
