"""ICC profiles: do they fit a picture, and small ones made from what a PNG says of its colours.

A profile made here is a matrix profile of version 2: three primaries, and one curve for all
channels, as ICC.1:2001-04 has it.

Example:
    >>> linear = matrix_profile(SRGB_PRIMARIES, gamma_curve(1.0), "linear")
    >>> space(linear), space(fitted(linear, grey=True))
    ('RGB', 'GRAY')
"""

import struct

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SRGB_PRIMARIES",
    "curve_of",
    "fitted",
    "gamma_curve",
    "matrix_profile",
    "sampled_curve",
    "space",
]

Primaries = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""

SRGB_PRIMARIES: Primaries = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def space(profile: bytes) -> str:
    """The colour space of a profile's samples: "RGB", "GRAY", "CMYK" ..., "" where damaged."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return ""
    return profile[16:20].decode("ascii", "replace").strip()


def fitted(profile: bytes, grey: bool) -> bytes | None:
    """A profile for samples that are grey, or RGB, or None where it cannot be made one.

    A grey profile becomes one of RGB with the same curve, under which equal samples look as they
    did; of an RGB profile that has a curve, grey takes that of green. What cannot be read is left
    as it is: others may read it.
    """
    found = space(profile)
    wanted = "GRAY" if grey else "RGB"
    if found in ("", wanted):
        return profile
    curve = curve_of(profile)
    if found not in ("GRAY", "RGB") or curve is None:
        return None
    if grey:
        return grey_profile(curve, "grey, from RGB")
    return matrix_profile(SRGB_PRIMARIES, curve, "RGB, from grey")


def curve_of(profile: bytes) -> bytes | None:
    """The tag with the curve of grey, or of green; None where there is none (a table profile)."""
    count = int.from_bytes(profile[128:132])
    for number in range(min(count, 100)):
        entry = profile[132 + 12 * number : 144 + 12 * number]
        if entry[:4] in (b"kTRC", b"gTRC") and len(entry) == 12:
            start, size = struct.unpack(">II", entry[4:])
            curve = profile[start : start + size]
            if len(curve) == size and curve[:4] in (b"curv", b"para"):
                return curve
    return None


def gamma_curve(exponent: float) -> bytes:
    """The curve ``light = sample ** exponent``."""
    if exponent == 1:
        return b"curv" + bytes(8)
    return b"curv" + bytes(4) + struct.pack(">IH", 1, min(65535, round(exponent * 256)))


def sampled_curve(light: NDArray[np.float64]) -> bytes:
    """A curve through values 0..1 at equal distances."""
    values = np.rint(np.clip(light, 0, 1) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", values.size) + values.tobytes()


def matrix_profile(primaries: Primaries, curve: bytes, name: str) -> bytes:
    """An RGB profile of these primaries, with one curve for all three channels.

    Raises:
        ValueError: the primaries span no colours.
    """
    white, *colours = (
        np.array([x / y, 1, (1 - x - y) / y]) if y > 0 else np.zeros(3)
        for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    matrix = np.stack(colours, axis=1)
    if abs(np.linalg.det(matrix)) < 1e-6 or not white.any():
        raise ValueError("the primaries span no colours")
    matrix = matrix * np.linalg.solve(matrix, white)
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    matrix = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ matrix
    tags = {b"wtpt": _xyz(D50)}
    tags |= {key: _xyz(matrix[:, i]) for i, key in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", tags, name)


def grey_profile(curve: bytes, name: str) -> bytes:
    """A profile of grey samples."""
    return _profile(b"GRAY", {b"wtpt": _xyz(D50), b"kTRC": curve}, name)


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(colours: bytes, tags: dict[bytes, bytes], name: str) -> bytes:
    text = name.encode("ascii") + b"\0"
    about = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": about, b"cprt": b"text" + bytes(4) + b"CC0\0", **tags}
    table, body, places = [], b"", dict[bytes, int]()
    start = 132 + 12 * len(tags)
    for key, value in tags.items():
        if value not in places:  # a curve of three channels is stored once
            places[value] = start + len(body)
            body += value + bytes(-len(value) % 4)
        table.append(key + struct.pack(">II", places[value], len(value)))
    # A curve of a kind that came with version 4 makes it a profile of that version.
    version = 0x04300000 if any(value[:4] == b"para" for value in tags.values()) else 0x02400000
    head = struct.pack(">I4xI4s4s4s", start + len(body), version, b"mntr", colours, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + b"".join(table) + body
