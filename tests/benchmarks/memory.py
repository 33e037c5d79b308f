"""Peak memory and time of a large picture, both ways, each in a process of its own.

    python tests/benchmarks/memory.py [--width 12000] [--height 8400] [--threads 2] [--model FILE]
                                     [--codec NAME]

The picture is made of a photograph that is laid out again and again, each time a little brighter
or darker, and is read from and written to plain PPM files, through the command line.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

RUN = "from gencodec.cli import main; main()"
PHOTO = Path(__file__).parent.parent / "data" / "cat.jpg"


def make(path: Path, width: int, height: int) -> None:
    """Writes the picture strip by strip, so that this process stays small."""
    photo = np.asarray(Image.open(PHOTO)).astype(np.int16)
    row = np.tile(photo, (1, -(-width // photo.shape[1]), 1))[:, :width]
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(b"P6 %d %d 255\n" % (width, height))
        for top in range(0, height, photo.shape[0]):
            strip = np.clip(row + random.integers(-40, 41), 0, 255).astype(np.uint8)
            file.write(strip[: height - top].tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=12000)
    parser.add_argument("--height", type=int, default=8400)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--model")
    parser.add_argument("--codec", default="autoencoder")
    options = parser.parse_args()
    extra = ["--threads", options.threads, "--device", "cpu"]
    extra += ["--model", options.model] if options.model else []
    with tempfile.TemporaryDirectory() as folder:
        picture, packed, back = (Path(folder) / name for name in ("p.ppm", "p.gnc", "b.ppm"))
        make(picture, options.width, options.height)
        megapixels = options.width * options.height / 1e6
        most = 0
        for command in (
            ["compress", str(picture), "-o", str(packed), "--codec", options.codec],
            ["decompress", str(packed), "-o", str(back)],
            ["decompress", str(packed), "-o", str(back), "-f", "--region", "100,100,512,512"],
        ):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", RUN, *command, *extra], check=True)
            seconds = time.perf_counter() - start
            # The largest child so far: commands of falling need would hide behind the first.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            text = f"{peak:.2f} GiB" if peak > most else f"at most {peak:.2f} GiB"
            most = max(most, peak)
            what = " ".join(part for part in command if not part.startswith(folder))
            print(f"{megapixels:.1f} megapixels, {what}: {seconds:.1f} s, peak {text}", flush=True)


if __name__ == "__main__":
    main()
