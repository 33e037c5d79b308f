"""What training and the runtime of ``vqvae`` agree on: units, limits, and what a kernel sees."""

__all__ = [
    "EXP_ONE",
    "GATE_MAX",
    "LOGIT_MAX",
    "LOGIT_UNIT",
    "STATE_MAX",
    "TOTAL",
    "UNIT",
    "taps",
]

UNIT = 32  # the integer that stands for 1 before tanh and sigmoid
GATE_MAX = 127  # largest absolute value of a table's entry, of a gate, of a condition
STATE_MAX = 255  # and of what the layers add up to
LOGIT_UNIT = 32  # logits are in this part of a nat
LOGIT_MAX = 1023
TOTAL = 2**20  # what the frequencies of all codes sum to
EXP_ONE = 2**16  # the look-up table's exp(0)


def taps(reach: int, below: int | None) -> list[tuple[int, int]]:
    """Offsets ``(dy, dx)`` of a square kernel that are seen: those with ``dx + 2 dy < below``.

    >>> taps(1, 0)
    [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    """
    span = range(-reach, reach + 1)
    return [(dy, dx) for dy in span for dx in span if below is None or dx + 2 * dy < below]
