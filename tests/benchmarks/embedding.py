"""What one process that keeps a `gencodec.Codec` gains over a command a picture, and its memory.

    python tests/benchmarks/embedding.py [--codec NAME] [--commands 10] [--pictures 2000]

First the sample photo is compressed by commands of the shell, one after the other, and then by
`Codec.encode` in a loop, both on the same number of threads: seconds a picture and their ratio, by
the clock and, which other programs on the machine change less, of the processor.
Then so many pictures of five small sizes go through this process, both ways; its resident memory
is noted after 50 and then at every tenth of the way. Linux alone tells it as it is now.
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
    parser.add_argument("--commands", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=2000)
    options = parser.parse_args()
    codec = gencodec.Codec(options.codec, threads=options.threads)
    if options.commands:
        compare(codec, options.commands)
    if options.pictures:
        measure(codec, options.pictures)


if __name__ == "__main__":
    main()
