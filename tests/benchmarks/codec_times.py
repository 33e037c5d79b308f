"""Seconds that one picture takes, both ways, by codec: the times in README's table.

    python tests/benchmarks/codec_times.py DIR

Of each picture the fastest of three runs after a warm-up counts, on two threads, at quality 50; of
the pictures the median is printed. AVIF is Pillow's at quality 60, 4:4:4, speed 6.
"""

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

import gencodec

OURS = {
    "autoencoder": ("autoencoder", None),
    "autoencoder --tune psnr": ("autoencoder", "psnr"),
    "flow": ("flow", None),
}


def fastest(work: Callable[[], object]) -> float:
    work()
    found = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def avif(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "AVIF", quality=60, subsampling="4:4:4", speed=6)
    return stream.getvalue()


def ours(picture: Image.Image, name: str) -> bytes:
    codec, tune = OURS[name]
    return gencodec.compress(picture, codec, threads=2, tune=tune)


def decoded(data: bytes) -> Image.Image:
    if data[1:4] == b"GNC":
        return gencodec.decompress(data, threads=2)
    return Image.open(io.BytesIO(data)).convert("RGB")


def main(folder: Path) -> None:
    pictures = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]
    for name in (*OURS, "AVIF"):
        encode, decode = [], []
        for picture in pictures:

            def work(picture: Image.Image = picture, name: str = name) -> bytes:
                return avif(picture) if name == "AVIF" else ours(picture, name)

            data = work()
            encode.append(fastest(work))
            decode.append(fastest(lambda data=data: decoded(data)))
        seconds = (statistics.median(times) for times in (encode, decode))
        print(name, *(f"{value:.3f} s" for value in seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
