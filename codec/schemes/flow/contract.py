"""What training and the runtime of ``flow`` agree on."""

__all__ = ["HALO", "LOSSLESS"]

LOSSLESS = -1  # as a quality: every step is 1
HALO = 8  # rows around a strip, more than any network sees
