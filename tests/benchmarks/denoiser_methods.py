"""The denoiser on real-noise pairs beside OpenCV's non-local means and BM3D.

Run: ``python tests/benchmarks/denoiser_methods.py PAIRS [--model FILE] [--every N]``

PAIRS is a folder of ``NAME_real.*`` and ``NAME_mean.*``. The others get the one strength that is
best over all pairs, which nobody knows who has only the noisy pictures; ours finds its own. Needs
``opencv-python-headless`` or ``bm3d``; what is not installed is left out with a note.
"""

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gencodec
from gencodec.training.denoiser.evaluate import pairs, psnr, read

STRENGTHS = (1, 2, 3, 4, 6, 8, 12)


def optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed; left out")
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--every", type=int, default=1, help="only every N-th pair")
    options = parser.parse_args()
    files = pairs(sorted(options.pairs.iterdir()))[:: options.every]
    cases = [(read(noisy), read(truth)) for noisy, truth in files]
    before = np.array([psnr(noisy, truth) for noisy, truth in cases])
    print(f"{len(cases)} pairs, noisy {before.mean():.3f} dB")

    def show(name: str, work: Callable[[np.ndarray], np.ndarray]) -> None:
        gains = np.array([psnr(work(noisy), truth) for noisy, truth in cases]) - before
        better = 100 * (gains > 0).mean()
        print(f"{name:16} {gains.mean():+.3f} dB, better on {better:.0f} %", flush=True)

    show("gencodec", lambda noisy: gencodec.denoise(noisy, model=options.model))
    if cv2 := optional("cv2"):
        for h in STRENGTHS:
            show(f"OpenCV, h {h}", lambda x, h=h: cv2.fastNlMeansDenoisingColored(x, None, h, h))
    if bm3d := optional("bm3d"):
        for sigma in STRENGTHS:

            def work(noisy: np.ndarray, sigma: int = sigma) -> np.ndarray:
                result = bm3d.bm3d_rgb(noisy / 255.0, sigma / 255)
                return np.floor(np.clip(result, 0, 1) * 255 + 0.5).astype(np.uint8)

            show(f"BM3D, sigma {sigma}", work)


if __name__ == "__main__":
    main()
