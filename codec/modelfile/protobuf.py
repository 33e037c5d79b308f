"""Protocol Buffers, as far as reading ONNX files and taking them apart needs.

References:
    Protocol Buffers encoding (wire types 0, 1, 2, 5).
"""

from collections.abc import Iterator

__all__ = ["fields", "tag", "varint", "varints"]


def fields(data: bytes) -> Iterator[tuple]:
    """Fields of a message: (number, int or bytes, the field's own bytes)."""
    at, view = 0, memoryview(data)
    while at < len(view):
        start = at
        key, at = _read(view, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _read(view, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = bytes(view[at : at + size]), at + size
        elif wire == 2:
            size, at = _read(view, at)
            value, at = bytes(view[at : at + size]), at + size
        else:
            raise ValueError("unknown wire type")
        if at > len(view):
            raise ValueError("truncated")
        yield number, value, bytes(view[start:at])


def _read(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def varints(data: bytes) -> list[int]:
    view, at, values = memoryview(data), 0, []
    while at < len(view):
        value, at = _read(view, at)
        values.append(value)
    return values


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)
