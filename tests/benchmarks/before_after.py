"""Makes README's picture: a part of the sample photo as JPEG and as ours, at about equal size.

    python tests/benchmarks/before_after.py docs/images/before-after.png

Left a JPEG (4:2:0, optimised), in the middle our best file that is no larger, right the original;
the sizes are printed.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import gencodec

PHOTO = Path(__file__).parent.parent / "data" / "cat.jpg"
JPEG_QUALITY = 8
PART, ENLARGED = (130, 60, 290, 220), 2


def main(path: Path) -> None:
    with Image.open(PHOTO) as image:
        photo = image.convert("RGB")
    jpeg = io.BytesIO()
    photo.save(jpeg, "JPEG", quality=JPEG_QUALITY, optimize=True, subsampling="4:2:0")
    ours = gencodec.compress(photo, codec="autoencoder", target_size=jpeg.tell())
    print(f"JPEG of {jpeg.tell():,} bytes, gencodec of {len(ours):,} bytes")
    shown = [Image.open(jpeg), gencodec.decompress(ours), photo]
    parts = [np.asarray(one.convert("RGB").crop(PART)) for one in shown]
    joined = Image.fromarray(np.concatenate(parts, 1))
    size = joined.width * ENLARGED, joined.height * ENLARGED
    joined.resize(size, Image.Resampling.NEAREST).save(path, quality=92)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
