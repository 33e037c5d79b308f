"""What ``threads=1`` costs beside busy neighbours, and whether a forked child works.

    python tests/benchmarks/threads.py [--runs 5]

For each codec a round trip of the sample photo at 768x512 with ``threads=1``: wall time and CPU
time alone, and wall time beside two busy loops. The bars, on two cores with nothing else on them:
CPU time at most 1.1 times the wall time alone, and at most 2 times as long beside the loops.
Then a process that has run all networks forks, and its child compresses, decompresses and denoises
with 1, 2 and all threads: at most 5 seconds each. The exit code is 1 where a bar is missed.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import gencodec
from gencodec import CODECS

PHOTO = Path(__file__).parent.parent / "data" / "cat.jpg"
CPU, BESIDE, FORK = 1.1, 2.0, 5.0


def busy() -> None:
    while True:
        pass


def measure(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Medians of wall time and of CPU time in seconds, after a warm-up."""
    work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def round_trip(picture: np.ndarray, codec: str, threads: int | None = 1) -> None:
    gencodec.decompress(gencodec.compress(picture, codec=codec, threads=threads), threads=threads)


def beside_busy_loops(picture: np.ndarray, runs: int) -> bool:
    fine = True
    works: dict[str, Callable[[], object]] = {
        codec: lambda codec=codec: round_trip(picture, codec) for codec in CODECS
    }
    works["denoise"] = lambda: gencodec.denoise(picture, threads=1)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, work in works.items():
        wall, cpu = measure(work, runs)
        loops = [multiprocessing.get_context("spawn").Process(target=busy) for _ in range(2)]
        for loop in loops:
            loop.start()
        time.sleep(1)  # until they are imported and busy
        beside, _ = measure(work, runs)
        for loop in loops:
            loop.kill()
            loop.join()
        good = cpu <= CPU * wall and beside <= BESIDE * wall
        fine &= good
        print(
            f"{name}: alone {wall:.2f} s, CPU {cpu / wall:.2f} times that; beside two busy loops "
            f"{beside:.2f} s, {beside / wall:.2f} times as long{'' if good else ': MISSED'}"
        )
    return fine


def forked(picture: np.ndarray, threads: int | None) -> bool:
    """Whether a child does everything within the time."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        for codec in CODECS:
            round_trip(picture, codec, threads)
        gencodec.denoise(picture, threads=threads)
        os._exit(0)
    while not (found := os.waitpid(child, os.WNOHANG))[0]:
        if time.perf_counter() - start > 12 * FORK:
            os.kill(child, 9)
            os.waitpid(child, 0)
            found = (child, 1)
            break
        time.sleep(0.01)
    took = time.perf_counter() - start
    good = found[1] == 0 and took <= FORK
    print(f"forked child, threads {threads}: {took:.2f} s{'' if good else ': MISSED'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with Image.open(PHOTO) as image:
        large = np.asarray(image.convert("RGB").resize((768, 512), Image.Resampling.LANCZOS))
    fine = beside_busy_loops(large, runs)
    small = np.ascontiguousarray(large[:128, :192])
    for codec in CODECS:  # so that there are sessions and pools to inherit
        round_trip(small, codec, None)
    gencodec.denoise(small)
    for threads in (1, 2, None):
        fine &= forked(small, threads)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
