"""How fast the default codec is, against AVIF, at 1080p, and where its time goes.

    python tests/benchmarks/codec_speed.py --data DIR [--threads 2] [--runs 3] [--model FILE]
    python tests/benchmarks/codec_speed.py [--device cuda] [--batch 1,8]

With a folder of pictures: each is compressed at a quality of ours, and by Pillow's AVIF of speed 6
at the quality that comes nearest in PSNR, in this one process, after a warm-up, with the same
number of threads; of each picture the fastest of the runs counts, and of the ratios the median is
printed. Then generated pictures of 1080p (one thread) and, on a GPU, 4K, one picture and several
at once, which share a GPU by threads. Last the profile: seconds of each part of the work.
"""

import argparse
import io
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import gencodec
from gencodec.codec import api, container, library, metrics
from gencodec.codec.entropy import Decoder, Encoder
from gencodec.codec.image import pixels

PHOTO = Path(__file__).parent.parent / "data" / "cat.jpg"
SIZES = {"1080p": (1080, 1920), "4K": (2160, 3840)}


def fastest(work: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """Seconds of the fastest run after a warm-up, and its result."""
    result, best = work(), float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def generated(height: int, width: int) -> NDArray[np.uint8]:
    photo = np.asarray(Image.open(PHOTO))
    times = (-(-height // photo.shape[0]), -(-width // photo.shape[1]), 1)
    return np.ascontiguousarray(np.tile(photo, times)[:height, :width])


# --- against AVIF -------------------------------------------------------------------------------


def avif(picture: Image.Image, quality: int, threads: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "AVIF", quality=quality, speed=6, max_threads=threads)
    return stream.getvalue()


def avif_decoded(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def nearest_avif(array: NDArray[np.uint8], wanted: float, threads: int) -> int:
    """AVIF's quality with the PSNR nearest to the wanted one, by bisection."""
    picture, found = Image.fromarray(array), {}
    low, high = 0, 100
    while high - low > 1:
        middle = (low + high) // 2
        found[middle] = metrics.psnr(array, avif_decoded(avif(picture, middle, threads)))
        low, high = (middle, high) if found[middle] < wanted else (low, middle)
    return min(found, key=lambda quality: abs(found[quality] - wanted))


def against_avif(options: argparse.Namespace, keywords: dict[str, Any]) -> None:
    from PIL import AvifImagePlugin

    AvifImagePlugin.DECODE_CODEC_CHOICE = "auto"
    AvifImagePlugin.DEFAULT_MAX_THREADS = options.threads
    ratios: dict[str, list[float]] = {"encode": [], "decode": []}
    times: dict[str, list[float]] = {"encode": [], "decode": []}
    paths = sorted(p for p in options.data.iterdir() if p.suffix.lower() in (".png", ".webp"))
    for path in paths[: options.count]:
        array = np.asarray(Image.open(path).convert("RGB"))
        picture = Image.fromarray(array)
        encode, data = fastest(
            lambda array=array: api.compress(array, quality=options.quality, **keywords),
            options.runs,
        )
        decode, image = fastest(lambda data=data: api.decompress(data, **keywords), options.runs)
        quality = nearest_avif(array, metrics.psnr(array, np.asarray(image)), options.threads)
        theirs, packed = fastest(
            lambda picture=picture, quality=quality: avif(picture, quality, options.threads),
            options.runs,
        )
        back, _ = fastest(lambda packed=packed: avif_decoded(packed), options.runs)
        for name, ours, other in (("encode", encode, theirs), ("decode", decode, back)):
            ratios[name].append(ours / other)
            times[name].append(ours)
    print(f"{len(ratios['encode'])} pictures at quality {options.quality:g}, nearest AVIF speed 6")
    for name, values in ratios.items():
        print(
            f"{name}: {1000 * statistics.median(times[name]):.0f} ms, "
            f"{statistics.median(values):.2f} times as long as AVIF (medians)"
        )


# --- the profile ----------------------------------------------------------------------------------


class Profile:
    """Seconds of each part while it is active; parts beside one another add up to more."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._undo: list[tuple[Any, str, Any]] = []

    def _watch(self, owner: Any, name: str, label: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            try:
                return real(*arguments, **keywords)
            finally:
                self.seconds[label(*arguments)] += time.perf_counter() - start

        self._undo.append((owner, name, real))
        setattr(owner, name, timed)

    def __enter__(self) -> "Profile":
        exact = ("hyper_index", "context_index")
        kinds = {"analysis": "analysis", "synthesis": "synthesis"}
        kinds |= dict.fromkeys(exact, "integer networks")
        self._watch(
            library.Model, "run", lambda _, role, *rest: kinds.get(role, "hyper networks (float)")
        )
        for owner, name in ((Encoder, "put"), (Encoder, "finish"), (Decoder, "take_nonzero")):
            self._watch(owner, name, lambda *_: "entropy coding")
        for owner, name in ((pixels, "load"), (pixels, "to_image")):
            self._watch(owner, name, lambda *_: "pixels")
        for name in ("read", "write"):
            self._watch(container, name, lambda *_: "container")
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, real in self._undo:
            setattr(owner, name, real)


def profile(array: NDArray[np.uint8], quality: float, keywords: dict[str, Any], runs: int) -> None:
    data = api.compress(array, quality=quality, **keywords)
    api.decompress(data, **keywords)
    for title, work in (
        ("encode", lambda: api.compress(array, quality=quality, **keywords)),
        ("decode", lambda: api.decompress(data, **keywords)),
    ):
        best: tuple[float, dict[str, float]] = (float("inf"), {})
        for _ in range(runs):
            with Profile() as watch:
                start = time.perf_counter()
                work()
                best = min(best, (time.perf_counter() - start, watch.seconds), key=lambda p: p[0])
        total, parts = best
        rest = total - sum(parts.values())
        parts["quantisation, copies, all else"] = max(rest, 0.0)
        print(f"\n{title} {array.shape[1]}x{array.shape[0]}: {1000 * total:.0f} ms")
        for part, seconds in sorted(parts.items(), key=lambda part: -part[1]):
            print(f"  {part:32} {1000 * seconds:8.1f} ms {100 * seconds / total:5.1f} %")


# --- sizes and batches ----------------------------------------------------------------------------


def sizes(options: argparse.Namespace, keywords: dict[str, Any]) -> None:
    names = list(SIZES) if options.device == "cuda" else ["1080p"]
    for name in names:
        array = generated(*SIZES[name])
        encode, data = fastest(
            lambda a=array: api.compress(a, quality=options.quality, **keywords), options.runs
        )
        decode, _ = fastest(lambda d=data: api.decompress(d, **keywords), options.runs)
        print(f"{name}, one picture: encode {encode:.3f} s, decode {decode:.3f} s")
        for count in options.batch:
            if count == 1:
                continue
            with ThreadPoolExecutor(count) as pool:
                packing, _ = fastest(
                    lambda a=array, n=count, p=pool: list(
                        p.map(
                            lambda _: api.compress(a, quality=options.quality, **keywords), range(n)
                        )
                    ),
                    options.runs,
                )
                opening, _ = fastest(
                    lambda d=data, n=count, p=pool: list(
                        p.map(lambda _: api.decompress(d, **keywords), range(n))
                    ),
                    options.runs,
                )
            print(
                f"{name}, {count} at once: encode {count / packing:.1f}, "
                f"decode {count / opening:.1f} pictures a second"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--quality", type=float, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--batch", type=lambda t: [int(n) for n in t.split(",")], default=[1], metavar="1,8"
    )
    parser.add_argument("--model")
    options = parser.parse_args()
    print(f"gencodec {gencodec.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    keywords = {"device": options.device, "threads": options.threads, "model": options.model}
    if options.data:
        print(f"{options.threads} threads")
        against_avif(options, keywords)
    one = keywords if options.device == "cuda" else {**keywords, "threads": 1}
    print("" if options.device == "cuda" else "one thread")
    sizes(options, one)
    profile(generated(*SIZES["1080p"]), options.quality, one, options.runs)


if __name__ == "__main__":
    main()
