"""Pillow opens and saves ``.gnc`` files once this module is imported or `register` is called.

`PIL.Image.open` reads the header and the metadata before the first segment, however large the file;
pixels are decoded when they are first needed, and only then is the runtime imported. What
`PIL.Image.Image.save` takes are the settings of `gencodec.Codec`, and ``icc_profile``, ``exif`` and
``xmp``, by default those of the picture.

Example:
    >>> import io
    >>> from PIL import Image
    >>> register()
    >>> stream = io.BytesIO()
    >>> Image.new("RGB", (64, 48), "teal").save(stream, "GNC", quality=60)
    >>> with Image.open(stream) as image:
    ...     image.format, image.size, image.getpixel((0, 0))
    ('GNC', (64, 48), (0, 128, 128))
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from typing import IO, Any

from PIL import Image, ImageFile

from .. import container
from ..container import ChunkType
from ..errors import FormatError, GencodecError, GencodecWarning

__all__ = ["GncImageFile", "LoadError", "register", "threads"]

FORMAT = "GNC"
DECODER = "gencodec"
METADATA = {"icc_profile": ChunkType.ICC, "exif": ChunkType.EXIF, "xmp": ChunkType.XMP}

threads: ContextVar[int | None] = ContextVar("threads", default=None)
"""CPU threads that decode a picture, None for all cores; ``threads.set(1)`` in a pool's workers."""


class LoadError(GencodecError, OSError):
    """A ``.gnc`` file whose pixels Pillow asked for and cannot have, such as a damaged one.

    An `OSError`, as Pillow's own readers raise; its cause is the error of gencodec that tells why.
    """


class GncImageFile(ImageFile.ImageFile):
    """A ``.gnc`` file that Pillow has opened."""

    format = FORMAT
    format_description = "gencodec"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            header, metadata = container.read_metadata(self.fp)
        except FormatError as error:
            raise SyntaxError(str(error)) from error  # Pillow then tries its other formats
        self._size = header.width, header.height
        self._mode = ("L" if header.grey else "RGB") + "A" * (ChunkType.ALPHA in metadata)
        for key, chunk in METADATA.items():
            if payload := metadata.get(chunk):
                prefix = container.EXIF_PREFIX if chunk == ChunkType.EXIF else b""
                self.info[key] = prefix + payload.removeprefix(prefix)
        self.tile = [ImageFile._Tile(DECODER, (0, 0, *self.size), 0, ())]

    def load_seek(self, pos: int) -> None:
        """As Pillow; that it is here tells `PIL.ImageFile.Parser` to wait for the whole file."""
        assert self.fp is not None
        self.fp.seek(pos)

    def verify(self) -> None:
        """Checks every checksum, and that every symbol decodes; to be called right after opening.

        Raises:
            LoadError: the file is damaged, or its decoder is not here.
            RuntimeError: the file was loaded or verified before.
        """
        from .. import api

        if self.fp is None:
            raise RuntimeError("verify must be called directly after open")
        self.fp.seek(0)
        try:
            with _as_load_error():
                api.verify(self.fp.read())
        finally:
            super().verify()  # closes the file


class _Decoder(ImageFile.PyDecoder):
    _pulls_fd = True

    def decode(self, buffer: object) -> tuple[int, int]:
        from .. import api

        assert self.fd is not None
        self.fd.seek(0)
        with _as_load_error():
            decoded = api.decompress(self.fd.read(), threads=threads.get())
        assert self.im is not None
        self.im.paste(decoded.im, (0, 0, *decoded.size))
        return -1, 0  # all is done, without an error


@contextmanager
def _as_load_error() -> Generator[None, None, None]:
    try:
        yield
    except GencodecError as error:
        raise LoadError(str(error)) from error


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    from ..api import Codec, compress_detailed

    given: dict[str, Any] = getattr(image, "encoderinfo", {})
    names = [field.name for field in fields(Codec)]
    settings = {name: given[name] for name in names if name in given}
    Codec(**settings)  # checks them before anything is copied
    if any(key in given for key in METADATA):
        image = _with_metadata(image, given)
    result = compress_detailed(image, **settings)
    for note in result.notes:
        warnings.warn(note, GencodecWarning, stacklevel=3)
    stream.write(result.data)


def _with_metadata(image: Image.Image, given: dict[str, Any]) -> Image.Image:
    """A copy with the metadata that is given; for what is not, with that of the picture."""
    from ..image.metadata import metadata

    found = dict(zip(METADATA, metadata(image), strict=True))
    for key in METADATA:
        if key in given:
            value = given[key]
            found[key] = value.tobytes() if isinstance(value, Image.Exif) else value
    image = image.copy()
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    image.info.update({key: value for key, value in found.items() if value})
    return image


def _accept(prefix: bytes) -> bool | str:
    if not prefix.startswith(container.MAGIC):
        return False
    version = prefix[len(container.MAGIC) :][:1]
    if version and version[0] > container.VERSION:
        return f"The .gnc file has container version {version[0]} and needs a newer gencodec."
    if version and version[0] < container.VERSION:
        return f"The .gnc file has container version {version[0]}, which is no longer read."
    return True


def register() -> None:
    """Tells Pillow of ``.gnc`` files; doing so again changes nothing.

    Example:
        >>> from PIL import Image
        >>> register()
        >>> Image.registered_extensions()[".gnc"], Image.MIME["GNC"]
        ('GNC', 'image/x-gencodec')
    """
    Image.register_open(FORMAT, GncImageFile, _accept)
    Image.register_decoder(DECODER, _Decoder)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, ".gnc")
    Image.register_mime(FORMAT, "image/x-gencodec")


register()
