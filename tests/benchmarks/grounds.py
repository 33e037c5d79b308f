"""How true the default codec keeps flat colours.

    python tests/benchmarks/grounds.py [--data DIR] [--tune visual|psnr] [--model FILE]

A white (255) and a grey (128) page of 768x512 with a photo of 256x256 in its middle, at qualities
from 30: mean absolute error and worst pixel, 32 pixels and more away from the photo. With a folder
of pictures also those of their blocks of 16x16 whose standard deviation is below 3 levels: the mean
absolute error of such a block's mean, by channel.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import gencodec

PHOTO = Path(__file__).parent.parent / "data" / "cat.jpg"
BLOCK = 16


def saved(picture: NDArray[np.uint8], quality: float, options: argparse.Namespace) -> NDArray:
    codec = gencodec.Codec("autoencoder", quality, tune=options.tune, model=options.model)
    return np.asarray(codec.decode(codec.encode(picture))).astype(int)


def grounds(options: argparse.Namespace) -> Iterator[str]:
    with Image.open(PHOTO) as image:
        photo = np.asarray(image.convert("RGB"))[20:276, 100:356]
    away = np.ones((512, 768), bool)
    away[96:416, 224:544] = False
    for level in (255, 128):
        page = np.full((512, 768, 3), level, np.uint8)
        page[128:384, 256:512] = photo
        for quality in (30, 45, 60, 75, 90):
            error = np.abs(saved(page, quality, options) - level)[away]
            yield f"ground {level}, quality {quality}: {error.mean():.2f}, worst {error.max()}"


def blocks(picture: NDArray) -> NDArray[np.float64]:
    """``n 256 c`` of the whole blocks of ``h w c``."""
    h, w = (side // BLOCK for side in picture.shape[:2])
    whole = picture[: h * BLOCK, : w * BLOCK].astype(float).reshape(h, BLOCK, w, BLOCK, 3)
    return whole.transpose(0, 2, 1, 3, 4).reshape(h * w, BLOCK * BLOCK, 3)


def flat_blocks(options: argparse.Namespace) -> Iterator[str]:
    for quality in (20, 50, 80):
        errors = []
        for path in sorted(options.data.iterdir()):
            with Image.open(path) as image:
                picture = np.asarray(image.convert("RGB"))
            before, after = blocks(picture), blocks(saved(picture, quality, options))
            flat = before.std(1).max(1) < 3
            errors.append(np.abs(before.mean(1) - after.mean(1))[flat])
        all_of_them = np.concatenate(errors)
        by_channel = ", ".join(f"{error:.2f}" for error in all_of_them.mean(0))
        yield f"flat blocks, quality {quality}: {by_channel} of {len(all_of_them)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tune", choices=["visual", "psnr"])
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    for line in grounds(options):
        print(line, flush=True)
    if options.data:
        for line in flat_blocks(options):
            print(line, flush=True)


if __name__ == "__main__":
    main()
