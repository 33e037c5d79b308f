"""How many threads numpy's matrix products run on, which numpy itself does not let one say.

The libraries that numpy is built with (OpenBLAS in its wheels; MKL or BLIS elsewhere) have a
function each for that, which is found among the symbols of what numpy has loaded. Where there is
none (Apple's Accelerate), products run as the library likes. The package threadpoolctl finds these
functions too, but does not share a limit among threads that overlap, nor forget it in a child.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["at_most", "threads"]

# Setter and getter; the suffix tells of 64-bit indices, the prefix of numpy's own builds.
OPENBLAS = [
    (f"{prefix}openblas_set_num_threads{suffix}", f"{prefix}openblas_get_num_threads{suffix}")
    for prefix in ("scipy_", "")
    for suffix in ("64_", "_64", "")
]
OTHERS = [
    ("MKL_Set_Num_Threads", "MKL_Get_Max_Threads"),
    ("bli_thread_set_num_threads", "bli_thread_get_num_threads"),
]

_lock = threading.Lock()
_asked: list[int] = []  # of each that is in `at_most` now
_before = 1  # threads before the first of them


@cache
def _functions() -> tuple[Callable[[int], object], Callable[[], int]] | None:
    """What sets the number of threads, and what tells it."""
    for library in _libraries():
        for setter, getter in OPENBLAS + OTHERS:
            with suppress(AttributeError):
                return getattr(library, setter), getattr(library, getter)
    return None


def _libraries() -> Iterator[ctypes.CDLL]:
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path:
            with suppress(OSError):  # its symbols and those of all that it has loaded
                yield ctypes.CDLL(path)
    beside = Path(np.__file__).parent.parent / "numpy.libs"  # Windows looks into one file alone
    for path in sorted(beside.glob("*openblas*")):
        with suppress(OSError):
            yield ctypes.CDLL(str(path))


def threads() -> int | None:
    """The threads of a matrix product now; None where that cannot be found out."""
    found = _functions()
    return None if found is None else found[1]()


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Limits matrix products to so many threads; of several at the same time the least counts.

    The number is one for the whole process, so what else multiplies at that time is limited too.
    """
    global _before
    found = _functions()
    if found is None:
        yield
        return
    set_threads, get_threads = found
    with _lock:
        if not _asked:
            _before = get_threads()
        _asked.append(count)
        _apply(set_threads, get_threads)
    try:
        yield
    finally:
        with _lock:
            _asked.remove(count)
            _apply(set_threads, get_threads)


def _apply(set_threads: Callable[[int], object], get_threads: Callable[[], int]) -> None:
    wanted = min([_before, *_asked])
    if wanted != get_threads():
        set_threads(wanted)


def _forget() -> None:
    """In a forked child, where nobody is in `at_most` any more."""
    global _lock
    _lock = threading.Lock()
    if _asked:
        _asked.clear()
        found = _functions()
        if found is not None:
            _apply(*found)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
