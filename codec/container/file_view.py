"""An open file looked at like bytes in memory, to read no more of a large one than is asked for."""

import os
from typing import IO, overload

__all__ = ["FileView"]

WINDOW = 4096  # bytes that are read at a time, at least


class FileView:
    """The bytes of a binary file that can seek, by index and by slice; reading is left to it.

    Example:
        >>> import io
        >>> view = FileView(io.BytesIO(b"abcdef"))
        >>> len(view), view[1], view[2:4], view[4:]
        (6, 98, b'cd', b'ef')
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0, os.SEEK_END)
        self._length = file.tell()
        self._start, self._window = 0, b""  # what was read last, for the bytes that follow

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, where: int) -> int: ...
    @overload
    def __getitem__(self, where: slice) -> bytes: ...
    def __getitem__(self, where: int | slice) -> int | bytes:
        if isinstance(where, int):
            return self._read(where, where + 1)[0]
        start, end, _ = where.indices(self._length)
        return self._read(start, end)

    def _read(self, start: int, end: int) -> bytes:
        if not self._start <= start <= end <= self._start + len(self._window):
            self._file.seek(start)
            self._start, self._window = start, self._file.read(max(end - start, WINDOW))
        return self._window[start - self._start : end - self._start]
