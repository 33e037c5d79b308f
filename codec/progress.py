"""How far long work has come, told to whoever listens.

Codecs go through a picture tile by tile or segment by segment; where somebody listens in the same
context, he is told the share that is done after each.

Example:
    >>> shares = []
    >>> with listening(shares.append):
    ...     list(steps("abcd"))
    ['a', 'b', 'c', 'd']
    >>> shares
    [0.25, 0.5, 0.75, 1.0]
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

__all__ = ["Listener", "attempts", "current", "listening", "steps"]

Listener = Callable[[float], None]
Item = TypeVar("Item")

_listener: ContextVar[Listener | None] = ContextVar("gencodec_progress", default=None)


def current() -> Listener | None:
    """Who listens here, for work that tells its share itself."""
    return _listener.get()


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Has `listener` called with shares from 0 to 1 of what is done meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def steps(items: Iterable[Item], total: int | None = None) -> Iterator[Item]:
    """The items; each is done when the next is asked for. Steps within steps are not told.

    Arguments:
        total: how many there are, where `items` does not know.
    """
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    listener = _listener.get()
    if listener is None or total < 2:
        yield from items
        return
    with listening(None):
        for done, item in enumerate(items, 1):
            yield item
            listener(done / total)


@contextmanager
def attempts() -> Iterator[Callable[[Callable[[int], Item]], Callable[[int], Item]]]:
    """For a search whose length is not known: has the calls of a function told, as attempts."""
    listener, made = _listener.get(), 0

    def counted(function: Callable[[int], Item]) -> Callable[[int], Item]:
        def call(value: int) -> Item:
            nonlocal made
            result = function(value)
            made += 1
            if listener is not None:
                listener(1 - 0.8**made)
            return result

        return call

    with listening(None):
        yield counted
