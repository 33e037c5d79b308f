"""How far long work is, shown on the terminal."""

import os
import sys
import time
from typing import Any

import click

from .files import verbosity

__all__ = ["Progress"]

# A bar is shown from this many seconds on: shorter work is over before anyone reads it.
LONG_WORK = 1.0
PLAIN_LINES = 5.0  # seconds between lines where there is no bar


class Progress:
    """How far long work is, on stderr, only where that is a terminal and the work proves long.

    A bar with the time left; on a terminal that cannot go back in a line (``TERM=dumb``, or none)
    a line every few seconds.

    Arguments:
        total: how many steps there are.
        unit: what a step is, in the plural, where the rate is to be shown too.
        counted: whether a person counts the steps; else the share is shown.
    """

    def __init__(self, total: int, unit: str = "", counted: bool = True) -> None:
        self.total = total
        self.counted = counted
        self.detail = ""
        self.unit = unit
        self.on_terminal = sys.stderr is not None and sys.stderr.isatty() and verbosity() >= 0
        self.plain = os.environ.get("TERM", "") in ("", "dumb") and os.name != "nt"
        self.done = 0
        self.start = self.told = time.monotonic()
        self._bar: Any = None

    @property
    def shown(self) -> bool:
        return self._bar is not None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    @property
    def rate(self) -> float:
        """Steps a second so far."""
        return self.done / max(time.monotonic() - self.start, 1e-9)

    def clear(self) -> None:
        """Wipes the bar's line so that a message can stand there; the next step draws it again."""
        if self._bar is not None:
            click.echo("\r\033[K", nl=False, err=True)

    def share(self, done: float, detail: str = "") -> None:
        """Goes to a share of the whole, from 0 to 1; never back.

        Arguments:
            detail: what else is shown beside it.
        """
        self.detail = detail
        if (more := int(done * self.total) - self.done) > 0:
            self.advance(more)

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        now = time.monotonic()
        if not self.on_terminal or now - self.start < LONG_WORK:
            return
        if self.plain:
            if self.done < self.total and now - self.told > PLAIN_LINES:
                self.told = now
                left = (self.total - self.done) / self.rate
                part = f"{self.done} of {self.total}"
                if not self.counted:
                    part = f"{100 * self.done / self.total:.0f} %"
                parts = (self.detail, part, self._rate(), f"about {_duration(left)} left")
                click.echo(", ".join(filter(None, parts)), err=True)
        elif self._bar is not None:
            self._bar.update(steps, steps)
        elif self.done < self.total:
            self._bar = click.progressbar(
                length=self.total,
                show_pos=self.counted,
                file=sys.stderr,
                item_show_func=lambda _: self.detail or self._rate(),
            )
            self._bar.update(self.done, self.done)

    def _rate(self) -> str:
        return f"{self.rate:.3g} {self.unit}/s" if self.unit else ""


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"
