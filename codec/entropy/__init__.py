"""Entropy coding of integers under stored integer frequency tables.

A *row* is a frequency table over the values ``low .. low + n - 1`` and a last entry, the escape,
for everything outside. All frequencies are positive integers of a row sum `TOTAL`, made once
when a model is exported, so that writer and reader use the same numbers on every machine.

Values are coded in groups of equal row, which costs one call of the coder a row instead of one
a value. Where a row's values are mostly zero they may be coded in blocks of `BLOCK`: first which
of them are not zero, one symbol a block, then those alone. That is as many bits, but a third of
the symbols. An escaped value is followed, after all groups of its call, by an Exp-Golomb code of
its distance from the table: class of length (uniform, 4 bits), that many bits, and the side.

The coder is a stack (ANS), so the writer records everything and encodes in reverse at the end;
after the last value the reader's stack is empty, which is checked. Damaged data mostly decodes to
other values without a word, so a checksum of the values has to stand beside the stream.

`backend` is the only file that imports constriction. Where it is not installed, `ans` codes the
same bytes in plain Python.

References:
    Duda 2009 (arXiv 0902.0271), asymmetric numeral systems.
    Bamler 2022 (arXiv 2201.01741), "Understanding entropy coding with ANS", constriction.
"""

from .coder import Decoder, Encoder
from .tables import TOTAL, Tables

__all__ = ["TOTAL", "Decoder", "Encoder", "Tables"]
