"""Opens what users name: pictures with Pillow, and the bytes of ``.gnc`` files.

What is wrong with those that cannot be opened is said in a sentence.

Pillow warns of pictures over `Image.MAX_IMAGE_PIXELS` (89 megapixels) and refuses those of twice
as many. What a ``.gnc`` file holds is more, so unless a program has set a limit of its own, which
is kept, pictures are opened here by Pillow's table of formats, and `container.check_size` is the
limit. The table is read only: no setting of Pillow's changes, not even for a moment.
"""

import contextlib
import importlib
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import FormatError, InputError
from .limits import check_pixels, size_in_header

__all__ = [
    "Data",
    "ImageSource",
    "PathLike",
    "file_name",
    "open_picture",
    "read_bytes",
]

PathLike = str | os.PathLike[str]
Data = bytes | bytearray | memoryview | PathLike | BinaryIO
"""What a ``.gnc`` file may be given as."""
ImageSource = Image.Image | PathLike | BinaryIO | NDArray[np.uint8]
"""What a picture may be given as; arrays ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``."""

Opener = Callable[[str | os.PathLike[str] | io.BytesIO, str], Image.Image]  # a plugin's class

HEADER = 4096  # bytes that are looked at before Pillow does
LARGEST_FILE = 2**31  # bytes; more than the largest picture allowed can need

HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
PILLOWS_LIMIT = 2**30 // 4 // 3  # what Image.MAX_IMAGE_PIXELS is unless a program sets it


def file_name(image: object, attribute: str) -> str:
    """What errors call an input: the name in its attribute, if it has one."""
    name = getattr(image, attribute, None)
    return name if isinstance(name, str) and name else "The input"


def open_picture(source: str | os.PathLike[str] | io.BytesIO, name: str) -> Image.Image:
    """Like `PIL.Image.open`, for pictures of any size.

    Raises:
        InputError: it is empty, too large, or HEIC or JPEG XL while the plugin for it is missing.
        UnidentifiedImageError, DecompressionBombError: as Pillow does.
    """
    head = _head(source, HEADER)
    if (size := size_in_header(head)) is not None:
        check_pixels(*size)
    try:
        return _identify(source)
    except UnidentifiedImageError:
        if not head:
            raise InputError(f"{name} is empty; copy or download it again.") from None
        if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
            what, plugin, package = "HEIC", "pillow_heif", "pillow-heif"
        elif head[:2] == b"\xff\x0a" or head[4:8] == b"JXL ":
            what, plugin, package = "JPEG XL", "pillow_jxl", "pillow-jxl-plugin"
        else:
            raise
    try:  # Pillow does not know of either until somebody has registered it
        found = importlib.import_module(plugin)
    except ImportError:
        raise InputError(
            f"{name} is a {what} picture; the plugin {package} reads it: pip install {package}."
        ) from None
    if what == "HEIC":
        found.register_heif_opener()
    return _identify(source)


def _identify(source: str | os.PathLike[str] | io.BytesIO) -> Image.Image:
    if Image.MAX_IMAGE_PIXELS not in (PILLOWS_LIMIT, None):
        return Image.open(source)
    head, tried = _head(source), set[str]()
    filename = "" if isinstance(source, io.BytesIO) else os.fspath(source)
    for load_plugins in (Image.preinit, Image.init):  # the common formats; all, which takes longer
        load_plugins()
        for format_ in [format_ for format_ in Image.ID if format_ not in tried]:
            tried.add(format_)
            factory, accept = Image.OPEN[format_]
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
                if accept and accept(head) is not True:  # a text says why not
                    continue
                if isinstance(source, io.BytesIO):
                    source.seek(0)
                return cast(Opener, factory)(source, filename)
    raise UnidentifiedImageError(f"cannot identify {filename or source!r}")


def _head(source: str | os.PathLike[str] | io.BytesIO, count: int = 16) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:count]
    with open(source, "rb") as file:
        return file.read(count)


def read_bytes(data: Data) -> bytes:
    """The bytes of a ``.gnc`` file, which may be given as bytes, a path or a file object.

    Raises:
        InputError: it cannot be read, or is nothing of these.
        FormatError: it is too large to be such a file.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise FormatError(f"{path} is too large to be a file of gencodec.")
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if hasattr(data, "read"):
        content = data.read()
        if isinstance(content, bytes):
            return content
    raise InputError(f"data must be bytes, a path or a binary file, not {type(data).__name__}.")
