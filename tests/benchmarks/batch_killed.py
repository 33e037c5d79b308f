"""Pictures through `gencodec batch`, killed again and again at random moments and resumed.

    python tests/benchmarks/batch_killed.py [--pictures 100] [--side 256] [--kills 3]
                                            [--codec autoencoder] [--engine local] [--jobs 2]
    python tests/benchmarks/batch_killed.py --pictures 1000 --kills 10

All kills but the last reach the workers as well, the last the command alone. The outputs must be
those of a run that nobody disturbed (on the local engine), each once in the manifest, with nothing
beside them; an error says what is not so. It prints how many runs were ended before they were done,
and the seconds of all of them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.batches import files, lines, write_pictures
from helpers.kills import kill_and_resume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--codec", default="autoencoder")
    parser.add_argument("--engine", default="local")
    parser.add_argument("--jobs", default="2")
    chosen = parser.parse_args()
    options = ["--jobs", chosen.jobs, "--codec", chosen.codec]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write_pictures(folder / "in", chosen.pictures, chosen.side)
        kill_and_resume(folder, options, 0, 1)
        calm = (folder / "out").rename(folder / "calm")
        start = time.monotonic()
        kills = chosen.kills
        apart = max(2, 2 * chosen.pictures // (kills + 1))
        engine = ["--engine", chosen.engine]
        ended = kill_and_resume(
            folder, [*options, *engine], kills, apart, everywhere=kills - 1, patience=300
        )
        seconds = time.monotonic() - start
        assert files(folder / "out") == files(calm)
        assert len(files(calm)) == len(names)
        for each in files(calm):
            assert (folder / "out" / each).read_bytes() == (calm / each).read_bytes(), each
        records = lines(folder / "out")
        assert sorted(record["input"] for record in records) == names
        assert not any(record["error"] for record in records)
    print(f"{len(names)} pictures, ended {ended} times, {seconds:.0f} s: all as undisturbed")


if __name__ == "__main__":
    main()
