"""Varints: numbers of one to five bytes, and what is said of a file that ends too early."""

from ..errors import FormatError
from .file_view import FileView

MAX_VARINT_BYTES = 5
REMEDY = "the file is damaged, copy or download it again"


def cut_off(length: int) -> FormatError:
    """The error for a file of `length` bytes that had to go on."""
    return FormatError(f"The file is cut off after {length} bytes; copy or download it again.")


def write_varint(value: int) -> bytes:
    """7 bits a byte, lowest first; the top bit says that another byte follows."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def read_varint(view: memoryview | FileView, position: int) -> tuple[int, int]:
    """The value and the position behind it.

    Raises:
        FormatError: cut off, over 5 bytes long, or longer than the value needs.
    """
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if position + index >= len(view):
            raise cut_off(len(view))
        byte = view[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index > 0:
                break
            return value, position + index + 1
    raise FormatError(f"The number at byte {position} is malformed: {REMEDY}.")
