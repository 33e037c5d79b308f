"""What one process that keeps a `gencodec.Codec` gains over a command a picture, and its memory.

    python tests/benchmarks/embedding.py [--codec NAME] [--commands 3] [--batch 8] [--pictures 100]
    python tests/benchmarks/embedding.py --commands 10 --batch 32 --pictures 2000  # what docs say

First the sample photo is compressed by commands of the shell, one after the other, and then by
`Codec.encode` in a loop, both on the same number of threads: seconds a picture and their ratio, by
the clock and, which other programs on the machine change less, of the processor.
Then a batch of parts of it, 256x256, goes through `encode_batch` and `decode_batch` and through a
loop over `encode` and `decode`, each three times in turn: pictures a second of either, by the
median. At last so many pictures of five small sizes go through this process, both ways; its
resident memory is noted after 50 and then at every tenth of the way. Linux alone tells it as it is
now.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import gencodec

CAT = Path(__file__).resolve().parent.parent / "data" / "cat.jpg"
COMMAND = [sys.executable, "-c", "from gencodec.cli import main; main()", "compress"]
SIZES = ((192, 128), (160, 160), (96, 200), (224, 112), (64, 64))
SETTLED = 50  # pictures until memory is to be flat


def megabytes() -> float:
    """Of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 2**20


def processor_seconds() -> float:
    """That this process and the commands that it ran have taken so far."""
    return sum(os.times()[:4])


def compare(codec: gencodec.Codec, commands: int) -> None:
    settings = ["--threads", str(codec.threads), *(["--codec", codec.codec] if codec.codec else [])]

    def timed(work: Callable[[], object], count: int) -> tuple[float, float]:
        """Seconds of a run: the median, and of the processor the mean."""
        seconds, before = [], processor_seconds()
        for _ in range(count):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds), (processor_seconds() - before) / count

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "cat.gnc"
        command = [*COMMAND, str(CAT), "-o", str(target), "-f", *settings]
        shell = timed(lambda: subprocess.run(command, check=True), commands)
        assert codec.encode(CAT) == target.read_bytes()  # and is warm now
    loop = timed(lambda: codec.encode(CAT), 3 * commands)
    for what, one, other in zip(("", " of the processor"), shell, loop, strict=True):
        print(f"seconds{what}: a command {one:.3f}, encode {other:.3f}, {one / other:.1f} times")


def compare_batch(codec: gencodec.Codec, count: int) -> None:
    with Image.open(CAT) as image:
        cat = np.asarray(image)
    places = [(3 * number % (cat.shape[0] - 256), 5 * number % 190) for number in range(count)]
    pictures = [np.ascontiguousarray(cat[y : y + 256, x : x + 256]) for y, x in places]
    files = codec.encode_batch(pictures)
    works: dict[str, Callable[[], object]] = {
        "encode in a loop": lambda: [codec.encode(picture) for picture in pictures],
        "encode_batch": lambda: codec.encode_batch(pictures),
        "decode in a loop": lambda: [codec.decode(data) for data in files],
        "decode_batch": lambda: codec.decode_batch(files),
    }
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(3):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    for name, each in seconds.items():
        print(f"{name}: {count / statistics.median(each):.1f} pictures/s of 256x256", flush=True)


def measure(codec: gencodec.Codec, pictures: int) -> None:
    with Image.open(CAT) as image:
        cat = np.asarray(image)
    settled = last = 0.0
    for number in range(1, pictures + 1):
        width, height = SIZES[number % len(SIZES)]
        cut = np.roll(cat, number, (0, 1))[:height, :width]
        codec.decode(codec.encode(np.ascontiguousarray(cut)))
        if number == SETTLED:
            settled = megabytes()
        if number == SETTLED or number % max(1, pictures // 10) == 0:
            last = megabytes()
            print(f"{number} pictures: {last:.1f} MiB", flush=True)
    if settled:
        print(f"after {SETTLED} pictures memory changed by {100 * (last / settled - 1):+.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", choices=gencodec.CODECS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--commands", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=100)
    options = parser.parse_args()
    codec = gencodec.Codec(options.codec, threads=options.threads)
    if options.commands:
        compare(codec, options.commands)
    if options.batch:
        compare_batch(codec, options.batch)
    if options.pictures:
        measure(codec, options.pictures)


if __name__ == "__main__":
    main()
