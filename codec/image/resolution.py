"""How many dots an inch a picture is meant to be printed or scanned at: Pillow's ``.info["dpi"]``.

A ``.gnc`` file carries it in a small chunk of its own where its EXIF does not tell it already. 72
dots an inch are what readers assume where nothing is stated, and are not carried.

Example:
    >>> image = Image.new("L", (8, 8))
    >>> image.info["dpi"] = (300, 300)
    >>> stated(image)
    (300.0, 300.0)
    >>> unpack(pack((299.9994, 150.0)))
    (299.999, 150.0)
"""

import struct
from numbers import Real

from PIL import Image

__all__ = ["Dpi", "of_exif", "pack", "stated", "unpack"]

Dpi = tuple[float, float]

ASSUMED = 72
PARTS = 1000  # of a dot an inch, that are carried
LARGEST = (2**32 - 1) // PARTS
X_RESOLUTION, Y_RESOLUTION, UNIT = 282, 283, 296
UNITS = {2: 1.0, 3: 2.54}  # inches and centimetres, in dots an inch


def stated(image: Image.Image) -> Dpi | None:
    """What a picture states, across and down; None for nothing, nonsense, or 72."""
    value = image.info.get("dpi")
    if not isinstance(value, tuple | list) or len(value) != 2:
        return None
    return _checked(*value)


def of_exif(exif: bytes | None) -> Dpi | None:
    """What EXIF states, as `stated`."""
    if not exif:
        return None
    tags = Image.Exif()
    try:
        tags.load(exif)
        scale = UNITS.get(tags.get(UNIT, 2))
        if scale is None or X_RESOLUTION not in tags:
            return None
        x = float(tags[X_RESOLUTION]) * scale
        return _checked(x, float(tags.get(Y_RESOLUTION, tags[X_RESOLUTION])) * scale)
    except Exception:  # Pillow raises nearly anything for damaged EXIF
        return None


def pack(dpi: Dpi) -> bytes:
    """The payload of a chunk: thousandths of dots an inch, across and down, 4 bytes each."""
    return struct.pack("<2I", *(round(value * PARTS) for value in dpi))


def unpack(payload: bytes | None) -> Dpi | None:
    """The way back; None for no payload, or one that makes no sense."""
    if payload is None or len(payload) != struct.calcsize("<2I"):
        return None
    x, y = struct.unpack("<2I", payload)
    return _checked(x / PARTS, y / PARTS)


def _checked(x: object, y: object) -> Dpi | None:
    if not isinstance(x, Real) or not isinstance(y, Real):
        return None
    dpi = float(x), float(y)
    if not all(1 <= value <= LARGEST for value in dpi):  # not where it is NaN either
        return None
    return None if {round(value) for value in dpi} == {ASSUMED} else dpi
