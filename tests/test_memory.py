"""`info` tells how much memory a picture takes, and that is about what it takes."""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

import gencodec
from gencodec.codec.inspection import MEMORY

PEAK = """
import re, sys
import gencodec
gencodec.decompress(sys.argv[1], device="cpu", threads=2)
# Not ru_maxrss, which begins with that of the process that started this one.
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def test_every_codec_has_its_numbers() -> None:
    assert sorted(MEMORY) == sorted(gencodec.CODECS)


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc here")
@pytest.mark.parametrize("codec", gencodec.CODECS)
def test_what_is_told_is_enough(
    codec: str, cat: Path, tmp_path: Path, fresh_python: Callable[..., CompletedProcess[str]]
) -> None:
    with Image.open(cat) as image:
        picture = np.asarray(image.resize((700, 600)))
    packed = tmp_path / "x.gnc"
    packed.write_bytes(gencodec.compress(picture, codec=codec))
    told = gencodec.info(packed).memory
    peak = 1024 * int(fresh_python(PEAK, str(packed)).stdout)
    assert peak / 1.2 < told < 3 * peak
