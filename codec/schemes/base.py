"""What every codec is, and the table of those that there are.

To add a codec: write a class that satisfies `Scheme`, and give it a new wire id in `SCHEMES`.
"""

from os import PathLike
from typing import ClassVar, Protocol, Self

from ..errors import FormatError, InputError
from ..session import Runtime
from .autoencoder.codec import Autoencoder
from .flow.codec import Flow
from .flow.contract import LOSSLESS
from .graphics.codec import Graphics
from .segments import Coded, Pixels, Region, Size
from .vqvae.codec import Vqvae

__all__ = ["AUTO", "LOSSLESS", "SCHEMES", "Scheme", "by_name", "by_wire_id", "level_of"]


class Scheme(Protocol):
    """A codec: pixels ``(H, W, 3)`` to segments and back.

    It is made once for what it needs (a model pair, for most) and kept, with its tables; `open` and
    `open_decoder` find it. Several threads may use one at the same time. A quality is in
    hundredths, 0..10000, or `LOSSLESS` where the codec supports it.
    """

    name: ClassVar[str]
    wire_id: ClassVar[int]  # in the header of every file; never given to another scheme
    # Whether the picture can be kept exactly; saving again then changes nothing at any quality.
    supports_lossless: ClassVar[bool]
    supports_lossy: ClassVar[bool]  # if not, every file is exact, whatever the quality
    has_model: ClassVar[bool]  # if not, files name decoder 0
    suits: ClassVar[str]  # which pictures, in a few words

    @classmethod
    def open(cls, model: str | PathLike[str] | None = None, tune: str | None = None) -> Self:
        """To write and read files: the shipped models, those for ``tune``, or those of a path.

        Raises:
            InputError, ModelError: as `library.default_pair`.
        """
        ...

    @classmethod
    def open_decoder(cls, digest: bytes, model: str | PathLike[str] | None = None) -> Self:
        """To read files that name the decoder of this digest.

        Raises:
            ModelError: there is no such decoder.
        """
        ...

    @property
    def digest(self) -> bytes:
        """The 8 bytes by which a file names its decoder."""
        ...

    def encode(self, rgb: Pixels, quality: int, runtime: Runtime) -> Coded:
        """Compresses pixels ``(H, W, 3)``."""
        ...

    def decode(
        self,
        segments: list[bytes],
        size: Size,
        quality: int,
        runtime: Runtime,
        region: Region | None = None,
    ) -> Pixels:
        """Pixels ``(height, width, 3)`` of what `encode` wrote, or of a region of it.

        Arguments:
            size: width and height of the whole picture.
            region: x, y, width and height in pixels, inside the picture; of the segments only
                those that `segments_of` names are looked at.

        Raises:
            FormatError: a segment is missing or damaged.
        """
        ...

    def verify(self, segments: list[bytes], size: Size, quality: int, runtime: Runtime) -> None:
        """Decodes every segment and checks its symbols, or a FormatError."""
        ...

    def segments_of(self, size: Size, region: Region) -> list[int]:
        """The numbers of the segments that `decode` needs for a region."""
        ...

    def segment_count(self, size: Size) -> int:
        """The number of segments of a picture."""
        ...

    def quality_steps(self) -> tuple[float, ...] | None:
        """The qualities (0..100) at which files change; None where the scale is continuous."""
        ...


AUTO = "auto"  # as the name of a codec: the one that suits the picture
# Wire ids are for ever: never given to another scheme.
SCHEMES: dict[int, type[Scheme]] = {1: Autoencoder, 2: Flow, 3: Vqvae, 4: Graphics}


def by_name(name: str) -> type[Scheme]:
    """The scheme of that name; InputError lists the known ones."""
    for scheme in SCHEMES.values():
        if name == scheme.name:
            return scheme
    known = ", ".join(scheme.name for scheme in SCHEMES.values())
    raise InputError(f"There is no codec {name!r}; known: {known}.")


def by_wire_id(wire_id: int) -> type[Scheme]:
    """The scheme of that id in a file's header; FormatError if this version has none."""
    scheme = SCHEMES.get(wire_id)
    if scheme is None:
        raise FormatError(
            f"The file was written with codec number {wire_id}, which this version of gencodec "
            "does not have; install a newer one."
        )
    return scheme


def level_of(scheme: type[Scheme], quality: int, lossless: bool) -> int:
    """The quality that a scheme takes for a header's fields: hundredths, or `LOSSLESS`.

    Raises:
        FormatError: it is to be lossless, which the scheme is not.
    """
    if not lossless:
        return quality
    if not scheme.supports_lossless:
        raise FormatError(
            f"The file claims to be lossless, which {scheme.name} is not: it is damaged, copy or"
            " download it again."
        )
    return LOSSLESS
