"""Kinds of values on the command line."""

import math
import re
from typing import Any

import click

__all__ = ["ByteCount", "Number"]

UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
MOST = 2**63 - 1  # what a file can have
UNITS |= {"k": 10**3, "m": 10**6, "kib": 2**10, "mib": 2**20, "gib": 2**30}


class ByteCount(click.ParamType):
    """A number of bytes, with a unit or without: 5000, 5kB, 4.9KiB, 1.5MB.

    >>> ByteCount().convert("4.5 KiB", None, None)
    4608
    """

    name = "bytes"

    def convert(
        self, value: int | str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The number, at least 1."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)", value.strip())
        count = 0
        if found is not None and found[2].lower() in UNITS:
            count = int(float(found[1]) * UNITS[found[2].lower()])
        if not 1 <= count <= MOST:
            self.fail(f"{value!r} is no number of bytes, such as 5000, 5kB or 4.5KiB.", param, ctx)
        return count


class Number(click.FloatRange):
    """A number in a range, as click's own; NaN is in none, and infinity is no number.

    >>> Number(0, 100).convert("nan", None, None)
    Traceback (most recent call last):
    click.exceptions.BadParameter: 'nan' is no number.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, as a float."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number
