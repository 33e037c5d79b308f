"""Butteraugli of two pictures, by the program of libjxl: the judge that no model is trained for.

The environment variable ``GENCODEC_LIBJXL`` names a command that runs libjxl's tools:
``$GENCODEC_LIBJXL butteraugli_main a.png b.png``. Where it is not set there is no such measure.
"""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import GencodecError

__all__ = ["VARIABLE", "butteraugli", "is_available"]

VARIABLE = "GENCODEC_LIBJXL"


def is_available() -> bool:
    """Whether `VARIABLE` names a program."""
    return bool(os.environ.get(VARIABLE))


def butteraugli(reference: NDArray[np.uint8], distorted: NDArray[np.uint8]) -> float:
    """The 3-norm of Butteraugli's map of differences: 0 where both are equal, 1 where they begin
    to be told apart.

    Arguments:
        reference, distorted: sRGB, uint8 ``(H, W)`` or ``(H, W, 3)`` of one shape.

    Raises:
        GencodecError: the program does not run, or does not print what it is asked for.
    """
    command = [*shlex.split(os.environ.get(VARIABLE, "")), "butteraugli_main"]
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in (("a.ppm", reference), ("b.ppm", distorted)):
            path = Path(folder) / name
            Image.fromarray(pixels).convert("RGB").save(path)
            command.append(str(path))
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            return float(run.stdout.split("3-norm:")[1].split()[0])
        except (OSError, subprocess.CalledProcessError, IndexError, ValueError) as error:
            raise GencodecError(
                f"Butteraugli cannot be measured by {' '.join(command[:-2])} ({error}); let "
                f"{VARIABLE} name a command that runs the tools of libjxl 0.11.2, or unset it."
            ) from error
