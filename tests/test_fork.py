"""A process that has run networks may fork: its child makes sessions and pools anew."""

import os
import sys
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

import gencodec
from gencodec.codec.errors import DeviceError
from gencodec.codec.schemes.vqvae import blas
from gencodec.codec.session import Runtime, available_cores

FORK = """
import os, sys, time
import numpy as np
import gencodec

x = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
codecs = gencodec.CODECS
files = {codec: gencodec.compress(x, codec=codec, threads=2) for codec in codecs}
for data in files.values():
    gencodec.decompress(data, threads=2)
gencodec.denoise(x, threads=2)
for threads in (1, 2, None):
    pid = os.fork()
    if pid == 0:
        for codec, data in files.items():
            assert gencodec.compress(x, codec=codec, threads=threads) == data
            gencodec.decompress(data, threads=threads)
        gencodec.denoise(x, threads=threads)
        print("done", flush=True)
        sys.exit(3)  # not os._exit: what libraries do at the end must not hang either
    start = time.monotonic()
    while not (found := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() - start > 180:  # a busy machine is no hang
            os.kill(pid, 9)
            sys.exit("a child hangs")
        time.sleep(0.01)
    print(os.waitstatus_to_exitcode(found[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_works_and_ends(fresh_python: Callable[..., CompletedProcess[str]]) -> None:
    assert fresh_python(FORK).stdout == "done\n3\n" * 3


def test_threads_are_cut_to_the_cores() -> None:
    cores = available_cores()
    assert Runtime("cpu", 9_999) == Runtime("cpu", cores)
    assert Runtime("cpu", 1).cores == 1
    assert Runtime("cpu").cores == cores


def test_a_number_of_threads_is_a_whole_number() -> None:
    for number in (np.int64(1), np.float32(1), 1.0, np.uint8(1)):
        assert Runtime("cpu", number) == Runtime("cpu", 1)  # pyright: ignore[reportArgumentType]
    for wrong in (1.5, 0, -1, True, "2", float("nan"), np.float64(2.5)):
        with pytest.raises(DeviceError, match="threads must be a whole number of at least 1, not"):
            Runtime("cpu", wrong)  # pyright: ignore[reportArgumentType]


def test_numbers_of_numpy_are_numbers() -> None:
    x = np.zeros((16, 16, 3), np.uint8)
    real: Any = np.float32  # as users pass them, whom no type checker stops
    whole: Any = np.int64
    plain = gencodec.compress(x, quality=30.5)
    assert gencodec.compress(x, quality=real(30.5)) == plain
    small = gencodec.compress(x, target_size=len(plain))
    assert gencodec.compress(x, target_size=whole(len(plain))) == small
    assert gencodec.compress(x, target_bpp=real(len(plain) / 32)) == small
    assert gencodec.denoise(x, sigma=whole(5)).shape == x.shape
    assert gencodec.sample(whole(1), (16, whole(16)), whole(3), real(1))


def test_matrix_products_of_vqvae_run_on_as_many_threads_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = blas.threads()
    if before is None:
        assert sys.platform != "linux"  # numpy's wheels bring OpenBLAS there
        return
    seen = set()
    with blas.at_most(4), blas.at_most(1):
        seen.add(blas.threads())
        with blas.at_most(2):  # of several at a time the least
            seen.add(blas.threads())
    assert seen == {1}
    assert blas.threads() == before
    from gencodec.codec.schemes.vqvae import codec

    def waves(*arguments):
        seen.add(blas.threads())
        yield from original(*arguments)

    original = codec.waves
    monkeypatch.setattr(codec, "waves", waves)
    x = np.zeros((32, 32, 3), np.uint8)
    data = gencodec.compress(x, codec="vqvae", threads=1)
    gencodec.decompress(data, threads=1)
    assert seen == {1}
    assert blas.threads() == before
