"""Measuring many pictures at once: one thread a core, each on a picture of its own."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["parallel_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What ``work`` makes of each item, in order.

    Codecs and networks let the interpreter go while they work, so threads are enough; ``work``
    should ask for one thread only.

    Example:
        >>> parallel_map(abs, [-1, 2])
        [1, 2]
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))
