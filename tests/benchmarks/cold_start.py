"""How long a command takes from nothing, interpreter included.

Run: ``python tests/benchmarks/cold_start.py`` where gencodec is installed.

Prints the median and the best of several runs of ``gencodec --help``, ``compress`` and
``decompress`` on the sample photo, repeated to 768 x 512, and on two threads. Nothing in the test
suite is timed; this is for the figures in README.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

CAT = Path(__file__).resolve().parent.parent / "data" / "cat.jpg"
COMMAND = [sys.executable, "-c", "from gencodec.cli import main; main()"]


def measure(arguments: list[str], folder: str, runs: int) -> list[float]:
    """Seconds of each run; the first is left out, it fills the file cache."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    print(f"{platform.machine()}, Python {platform.python_version()}, {runs} runs, seconds")
    with tempfile.TemporaryDirectory() as folder:
        with Image.open(CAT) as cat:
            picture = Image.new("RGB", (768, 512))
            for x in range(0, 768, cat.width):
                for y in range(0, 512, cat.height):
                    picture.paste(cat, (x, y))
            picture.save(Path(folder, "photo.png"))
        for arguments in (
            ["--help"],
            ["compress", "-f", "--threads", "2", "photo.png", "-o", "photo.gnc"],
            ["decompress", "-f", "--threads", "2", "photo.gnc", "-o", "back.png"],
        ):
            seconds = measure(arguments, folder, runs)
            median, best = statistics.median(seconds), min(seconds)
            print(f"{arguments[0]:12} median {median:.3f}  best {best:.3f}")


if __name__ == "__main__":
    main()
