"""README's sheets: 16 pictures drawn by vqvae, and completions of the sample photo.

    python tests/benchmarks/sample_sheets.py DIR [--seed 0] [--temperature 1] [--model FILE]

Writes ``samples.jpg`` and ``completions.jpg`` into DIR. In the latter the first column shows what
is kept; the next three are what was drawn around it, and the last is the original.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import gencodec

SAMPLE = Path(__file__).parents[1] / "data" / "cat.jpg"
SIDE = 192
GAP = 4
# Left and top of the squares completed, and how much of each is kept.
PARTS = [(0, 0, (192, 96)), (160, 40, (96, 192)), (250, 90, (112, 112))]


def sheet(rows: list[list[NDArray[np.uint8]]]) -> Image.Image:
    gap = [(0, GAP), (0, GAP), (0, 0)]
    lines = [
        np.concatenate([np.pad(part, gap, constant_values=255) for part in row], 1) for row in rows
    ]
    return Image.fromarray(np.concatenate(lines)[:-GAP, :-GAP])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--model")
    options = parser.parse_args()
    given = {"temperature": options.temperature, "model": options.model}
    drawn = gencodec.sample(16, (SIDE, SIDE), options.seed, **given)
    pictures = [np.asarray(picture) for picture in drawn]
    sheet([pictures[i : i + 4] for i in range(0, 16, 4)]).save(
        options.out / "samples.jpg", quality=90
    )
    photo = np.asarray(Image.open(SAMPLE).convert("RGB"))
    rows = []
    for left, top, (width, height) in PARTS:
        square = photo[top : top + SIDE, left : left + SIDE]
        kept = np.full_like(square, 255)
        kept[:height, :width] = square[:height, :width]
        made = [
            np.asarray(gencodec.complete(square, (width, height), options.seed + i, **given))
            for i in range(3)
        ]
        rows.append([kept, *made, square])
    sheet(rows).save(options.out / "completions.jpg", quality=90)


if __name__ == "__main__":
    main()
