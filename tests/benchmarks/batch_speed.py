"""How many times as fast `gencodec batch` is as a loop of the shell over `gencodec compress`.

    python tests/benchmarks/batch_speed.py [--pictures 40] [--side 512] [--jobs 2] [--loop 5]
    python tests/benchmarks/batch_speed.py --pictures 200 --loop 40  # what docs/batch.md says

The loop is timed over its first pictures alone (``--loop``), since each of them takes as long as
the next; both are pictures a second, interpreters and models loaded, and the ratio of both.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.batches import write_pictures
from helpers.kills import COMMAND


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--loop", type=int, default=5)
    parser.add_argument("--codec", default="autoencoder")
    chosen = parser.parse_args()
    codec = ["--codec", chosen.codec]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write_pictures(folder / "in", chosen.pictures, chosen.side)
        subprocess.run([*COMMAND, "compress", f"in/{names[0]}", "-o", "warm.gnc"], cwd=folder)
        start = time.monotonic()
        for number, each in enumerate(names[: chosen.loop]):
            command = [*COMMAND, "compress", f"in/{each}", "-o", f"{number}.gnc", *codec]
            subprocess.run(command, cwd=folder, check=True)
        loop = min(chosen.loop, len(names)) / (time.monotonic() - start)
        start = time.monotonic()
        command = [*COMMAND, "batch", "in", "out", "--jobs", chosen.jobs, *codec]
        subprocess.run(command, cwd=folder, check=True)
        batch = len(names) / (time.monotonic() - start)
    print(f"loop {loop:.2f} pictures/s, batch {batch:.2f} pictures/s, ratio {batch / loop:.1f}")


if __name__ == "__main__":
    main()
