"""An open file looked at like bytes in memory, to read no more of a large one than is asked for."""

import os
from typing import IO, overload

__all__ = ["FileView"]


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

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, where: int) -> int: ...
    @overload
    def __getitem__(self, where: slice) -> bytes: ...
    def __getitem__(self, where: int | slice) -> int | bytes:
        if isinstance(where, int):
            self._file.seek(where)
            return self._file.read(1)[0]
        start, end, _ = where.indices(self._length)
        self._file.seek(start)
        return self._file.read(end - start)
