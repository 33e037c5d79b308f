"""The picture of README: a part of the sample photo, with noise, denoised, and as it was.

Run: ``python tests/benchmarks/denoiser_picture.py OUT.jpg [--sigma 30]``

The noise is white, of a fixed seed, and clipped and rounded to 8 bits as a file's is. The denoiser
is not told its level.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import gencodec

SAMPLE = Path(__file__).parents[1] / "data" / "cat.jpg"
BOX = (120, 40, 376, 296)  # left, top, right, bottom


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sigma", type=float, default=30.0)
    parser.add_argument("--model")
    options = parser.parse_args()
    clean = np.array(Image.open(SAMPLE).convert("RGB"))
    noise = np.random.default_rng(0).standard_normal(clean.shape) * options.sigma
    noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    shown = [noisy, gencodec.denoise(noisy, model=options.model), clean]
    left, top, right, bottom = BOX
    parts = [picture[top:bottom, left:right] for picture in shown]
    Image.fromarray(np.concatenate(parts, axis=1)).save(options.out, quality=90)


if __name__ == "__main__":
    main()
