"""What training and the runtime of ``flow`` agree on."""

__all__ = ["HALO", "LOSSLESS", "MEAN_UNITS", "PASSES"]

LOSSLESS = -1  # as a quality: every step is 1
HALO = 8  # rows around a strip, more than any network sees; even, as strips are
MEAN_UNITS = 16  # networks tell the mean of a detail in 16ths of a level
# The details of a colour are coded in four passes: these positions (row, column) of every block
# of 2 x 2, one after another.
PASSES = (0, 0), (1, 1), (0, 1), (1, 0)
