"""What is done with one picture: a file's bytes out of a picture, or the other way round.

An operation holds its options and nothing else, so that it can be sent to other processes; the
commands of the same names and `gencodec batch` do their work through these.

Example:
    >>> import io
    >>> from PIL import Image
    >>> stream = io.BytesIO()
    >>> Image.new("RGB", (64, 48)).save(stream, "PNG")
    >>> source = io.BytesIO(stream.getvalue())
    >>> packed = Compress(codec="graphics")(source, "black.gnc")
    >>> len(packed.data) < 100, packed.about["codec"]
    (True, 'graphics')
"""

import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from .. import api, library, progress
from ..errors import InputError
from ..image import save
from .plan import PICTURE_SUFFIXES

__all__ = ["OPERATIONS", "Compress", "Decompress", "Denoise", "Operation", "Result", "settings_of"]

Source = Path | io.BytesIO
WHERE = ("device", "threads")  # options that say where the work is done, not what is made


@dataclass(frozen=True)
class Result:
    """A file that was made.

    Attributes:
        data: its bytes.
        width, height: of the picture in it.
        about: what is known of it, by the names that ``--json`` has.
        notes: sentences on what of the input was converted or left out.
        format_notes: sentences on what the output's format does not hold.
    """

    data: bytes
    width: int
    height: int
    about: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    format_notes: tuple[str, ...] = ()

    @property
    def bpp(self) -> float:
        """Bits of the file for a pixel of its picture."""
        return 8 * len(self.data) / (self.width * self.height)


@dataclass(frozen=True)
class _Options:
    device: str = "auto"
    threads: int | None = None
    model: str | None = None

    def check(self) -> None:
        """ModelError, before any picture, for a model file that cannot be used."""
        if self.model is not None:
            library.load(self.model)


@dataclass(frozen=True)
class Compress(_Options):
    """Pictures to ``.gnc`` files; the options are those of `api.compress_detailed`."""

    codec: str | None = None
    quality: float = api.DEFAULT_QUALITY
    lossless: bool = False
    tune: str | None = None
    strip: bool = False
    denoise: bool = False
    target_size: int | None = None
    target_bpp: float | None = None
    target_psnr: float | None = None
    keep_suffix: bool = False

    picks = PICTURE_SUFFIXES
    suffix = ".gnc"
    tag = ""

    def __call__(self, source: Source, output: str) -> Result:
        options = dataclasses.asdict(self)
        del options["keep_suffix"]
        done = api.compress_detailed(source, **options)
        about = {
            "codec": done.codec,
            "why": done.why,
            "quality": done.quality,
            "lossless": done.lossless,
            "stable": done.stable,
        }
        return Result(done.data, done.width, done.height, about, done.notes)


@dataclass(frozen=True)
class Decompress(_Options):
    """``.gnc`` files to pictures; the format is that of the output's suffix."""

    region: tuple[int, int, int, int] | None = None
    suffix: str = ".png"
    background: save.Colour | None = None

    picks = frozenset({".gnc"})
    tag = ""
    keep_suffix = False

    def __call__(self, source: Source, output: str) -> Result:
        image = api.decompress(source, self.region, self.device, self.threads, model=self.model)
        return _encoded(image, output, self.threads, self.background)


@dataclass(frozen=True)
class Denoise(_Options):
    """Pictures without their noise; the format is that of the output's suffix."""

    sigma: float | None = None
    strength: float = 1.0
    suffix: str = ".png"
    background: save.Colour | None = None

    picks = PICTURE_SUFFIXES
    tag = "-denoised"
    keep_suffix = False

    def __call__(self, source: Source, output: str) -> Result:
        done = api.denoise_detailed(
            source,
            self.sigma,
            self.strength,
            self.device,
            self.threads,
            model=self.model,
            progress=progress.current(),
        )
        assert isinstance(done.image, Image.Image)  # a file was given, not an array
        about = {
            "sigma": round(done.sigma, 2),
            "sigma_estimated": self.sigma is None,
            "strength": self.strength,
        }
        return _encoded(done.image, output, self.threads, self.background, about, done.notes)


Operation = Compress | Decompress | Denoise
OPERATIONS = {kind.__name__: kind for kind in (Compress, Decompress, Denoise)}


def _encoded(
    image: Image.Image,
    output: str,
    threads: int | None,
    background: save.Colour | None,
    about: dict[str, object] | None = None,
    notes: tuple[str, ...] = (),
) -> Result:
    """A picture in the format that the suffix of the output asks for; PNG where it is "-"."""
    suffix = Path(output).suffix
    png = output == "-" or save.is_device(output)
    name = "PNG" if png else save.format_of_suffix(suffix)
    if name is None:
        raise InputError(f"{output}: {suffix or 'no suffix'} is no format that can be written.")
    encoded = save.encode(image, name, output, threads=threads, background=background)
    found = {"format": name, "mode": image.mode, **(about or {})}
    return Result(encoded.data, image.width, image.height, found, notes, encoded.notes)


def settings_of(operation: Operation) -> str:
    """Eight digits that name an operation with its options, whatever it runs on.

    >>> settings_of(Compress(threads=1)) == settings_of(Compress(threads=2))
    True
    >>> settings_of(Compress(quality=30)) == settings_of(Compress())
    False
    """
    options = dataclasses.asdict(operation)
    kept = {name: value for name, value in options.items() if name not in WHERE}
    if operation.model is not None:  # by what it is: its path may be another on resuming
        kept["model"] = library.load(operation.model).file.digest.hex()
    text = json.dumps([type(operation).__name__, kept], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
