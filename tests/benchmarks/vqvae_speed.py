"""How fast vqvae decodes, and what decoding in waves is worth.

    python tests/benchmarks/vqvae_speed.py [--threads 2] [--model FILE]

First the seconds for a generated 768x512 picture at each number of levels, after a warm-up, the
fastest of three runs. Then the codes of all levels of such a picture, wave by wave, against the
plain decoder, which works out the whole network anew for every position: its time is that of a
whole network times the number of positions. Both compute the same frequencies; the tests compare
them with a plain decoder in 64-bit integers.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import gencodec
from gencodec.codec import api, library
from gencodec.codec.schemes.vqvae.prior import PriorState, load_priors

PHOTO = Path(__file__).parent.parent / "data" / "cat.jpg"


def fastest(work: Callable[[], object], runs: int = 3) -> float:
    best = float("inf")
    work()
    for _ in range(runs):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    given = {"threads": options.threads, "model": options.model}
    picture = np.asarray(Image.open(PHOTO).convert("RGB").resize((768, 512)))
    steps = api.quality_steps("vqvae", options.model)
    assert steps is not None
    for quality in steps:
        data = api.compress(picture, "vqvae", quality, **given)
        encode = fastest(lambda q=quality: api.compress(picture, "vqvae", q, **given))
        decode = fastest(lambda d=data: gencodec.decompress(d, **given))
        print(f"quality {quality:3g}: encode {encode:.2f} s, decode {decode:.2f} s")

    field = PriorState(
        load_priors(library.default_pair("vqvae", options.model)[1].file), [(32, 48)]
    )
    field.codes[:, field.everywhere] = 0
    wave = whole = 0.0
    for level in range(len(field.priors)):
        field.begin(level)
        whole += fastest(lambda: field.frequencies(field.everywhere))

        def waves() -> None:
            for positions, _ in field.waves():
                field.frequencies(positions)

        wave += fastest(waves)
    plain = whole * field.everywhere.size
    print(f"all levels in waves {wave:.3f} s, plainly {plain:.0f} s: {plain / wave:.0f} times")


if __name__ == "__main__":
    main()
