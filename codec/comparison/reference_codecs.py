"""The codecs that gencodec is compared with: those of Pillow, and JPEG XL by its plugin.

| name     | label                  | how                                                      |
|----------|------------------------|----------------------------------------------------------|
| jpeg     | JPEG 4:2:0             | optimised Huffman tables                                 |
| webp     | WebP 4:2:0             | method 6                                                 |
| avif     | AVIF 4:4:4, AVIF 4:2:0 | speed 6                                                  |
| jxl      | JPEG XL 4:4:4          | effort 7; needs pillow-jxl-plugin                        |
| jpeg2000 | JPEG 2000 4:4:4        | 9/7 wavelet (irreversible), colours transformed (mct)    |

A label names the colour subsampling, because it bounds the quality that can be reached; a grey
picture has none ("AVIF grey").  What `encode` returns is a whole file that any reader opens: its
size counts every header, and no metadata is in it.

Example:
    >>> (jpeg,), notes = available_codecs(["jpeg"])
    >>> data = jpeg.encode(np.zeros((8, 16, 3), np.uint8), 50)
    >>> jpeg.label, jpeg.decode(data).shape
    ('JPEG 4:2:0', (8, 16, 3))
"""

import importlib
import importlib.metadata
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from ..errors import GencodecError, InputError

__all__ = ["REFERENCE_CODECS", "ReferenceCodec", "available_codecs", "versions"]

Pixels = NDArray[np.uint8]
Options = dict[str, Any]

JXL_PLUGIN = "pillow-jxl-plugin"
# Qualities of JPEG 2000 are the PSNR, in dB, that the encoder aims at: its rate can be anything.
JPEG2000_AIMS = tuple(tenths / 10 for tenths in range(120, 601))


@dataclass(frozen=True)
class ReferenceCodec:
    """A codec of Pillow's with all its options but one: its quality.

    Attributes:
        name: of the codec, one of `REFERENCE_CODECS`; two of them may share it.
        label: what it is called in tables, colour subsampling included.
        format: Pillow's name of the format.
        settings: every quality that the search may try, worst first.
        quality_grid: the qualities of its rate-distortion curve.
        options: from a quality to what `PIL.Image.Image.save` is given.
        browsers: the type of its files, where a browser opens them.
    """

    name: str
    label: str
    format: str
    settings: tuple[float, ...]
    quality_grid: tuple[float, ...]
    options: Callable[[float], Options]
    browsers: str | None = None

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        """A file of the picture ``(H, W)`` or ``(H, W, 3)``.

        Raises:
            GencodecError: this codec cannot hold this picture.
        """
        buffer = io.BytesIO()
        try:
            Image.fromarray(pixels).save(buffer, self.format, **self.options(setting))
        except Exception as error:  # each plugin has its own kinds for "too large" and the like
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise GencodecError(f"{self.label} cannot hold this picture ({reason}).") from error
        return buffer.getvalue()

    def decode(self, data: bytes, grey: bool = False) -> Pixels:
        """The picture of such a file, ``(H, W)`` where `grey`, else ``(H, W, 3)``."""
        with Image.open(io.BytesIO(data), formats=[self.format]) as image:
            return np.asarray(image.convert("L" if grey else "RGB"))


def _jpeg(setting: float, grey: bool) -> Options:
    return {"quality": int(setting), "optimize": True} | ({} if grey else {"subsampling": "4:2:0"})


def _webp(setting: float, grey: bool) -> Options:
    return {"quality": int(setting), "method": 6}


def _avif(subsampling: str) -> Callable[[float, bool], Options]:
    def options(setting: float, grey: bool) -> Options:
        sampling = "4:0:0" if grey else subsampling
        # One thread: how many there are must not change the file.
        return {"quality": int(setting), "speed": 6, "subsampling": sampling, "max_threads": 1}

    return options


def _jxl(setting: float, grey: bool) -> Options:
    return {"quality": int(setting), "effort": 7, "num_threads": 1}


def _jpeg2000(setting: float, grey: bool) -> Options:
    return {
        "irreversible": True,
        "mct": 0 if grey else 1,
        "quality_mode": "dB",
        "quality_layers": [setting],
    }


@dataclass(frozen=True)
class _Kind:
    """A row of the table below."""

    name: str
    title: str
    colour: str
    format: str
    feature: str | None  # of Pillow, without which it cannot be written
    settings: Sequence[float]
    quality_grid: tuple[float, ...]
    options: Callable[[float, bool], Options]
    browsers: str | None = None


_AVIF_GRID = (5, 15, 25, 38, 50, 62, 75, 85, 93)
# Pillow's JPEG has no quality 0, and JPEG XL's 100 is another codec: lossless.
_KINDS = (
    _Kind("jpeg", "JPEG", "4:2:0", "JPEG", "jpg", range(1, 101),
          (1, 3, 5, 10, 20, 35, 50, 75, 90, 95), _jpeg, "image/jpeg"),
    _Kind("webp", "WebP", "4:2:0", "WEBP", "webp", range(101), (0, 5, 15, 30, 50, 70, 80, 90, 97),
          _webp, "image/webp"),
    _Kind("avif", "AVIF", "4:4:4", "AVIF", "avif", range(101), _AVIF_GRID, _avif("4:4:4"),
          "image/avif"),
    _Kind("avif", "AVIF", "4:2:0", "AVIF", "avif", range(101), _AVIF_GRID, _avif("4:2:0"),
          "image/avif"),
    _Kind("jxl", "JPEG XL", "4:4:4", "JXL", None, range(100), (0, 20, 40, 60, 75, 85, 92, 97),
          _jxl),
    _Kind("jpeg2000", "JPEG 2000", "4:4:4", "JPEG2000", "jpg_2000", JPEG2000_AIMS,
          (20, 23, 26, 29, 32, 35, 38, 42, 46), _jpeg2000),
)  # fmt: skip

REFERENCE_CODECS = tuple(dict.fromkeys(kind.name for kind in _KINDS))
"""Names of the codecs to compare with."""


def available_codecs(
    names: Sequence[str], grey: bool = False
) -> tuple[list[ReferenceCodec], list[str]]:
    """The reference codecs of those names, for colour or grey, and notes on unavailable ones.

    Arguments:
        names: of `REFERENCE_CODECS`, or, for one flavour alone, the label that it has for colour.

    Raises:
        InputError: there is no such codec.
    """
    for name in names:
        if name not in REFERENCE_CODECS and name not in map(_colour_label, _KINDS):
            raise InputError(f"There is no codec {name!r} to compare with; choose from: "
                             f"{', '.join(REFERENCE_CODECS)}.")  # fmt: skip
    found: dict[str, ReferenceCodec] = {}
    notes: list[str] = []
    for kind in _KINDS:
        if kind.name not in names and _colour_label(kind) not in names:
            continue
        if (missing := _missing(kind)) is not None:
            if missing not in notes:
                notes.append(missing)
            continue
        label = f"{kind.title} {'grey' if grey else kind.colour}"
        # Without colour the flavours of one codec are one.
        found.setdefault(label, _reference_codec(kind, label, grey))
    return list(found.values()), notes


def _reference_codec(kind: _Kind, label: str, grey: bool) -> ReferenceCodec:
    return ReferenceCodec(
        name=kind.name,
        label=label,
        format=kind.format,
        settings=tuple(kind.settings),
        quality_grid=kind.quality_grid,
        options=lambda setting: kind.options(setting, grey),
        browsers=kind.browsers,
    )


def _colour_label(kind: _Kind) -> str:
    return f"{kind.title} {kind.colour}"


def _missing(kind: _Kind) -> str | None:
    if kind.feature is not None:
        if features.check(kind.feature):
            return None
        return f"{kind.title} is left out: this Pillow was built without it."
    try:
        importlib.import_module("pillow_jxl")
    except ImportError:
        return (
            f"{kind.title} is left out: it needs {JXL_PLUGIN}; install gencodec with its extra"
            " 'compare'."
        )
    return None


def versions(names: Sequence[str]) -> dict[str, str]:
    """What writes the files of those codecs (named as for `available_codecs`)."""
    known = {
        "jpeg": ("libjpeg-turbo", features.version("libjpeg_turbo") or features.version("jpg")),
        "webp": ("libwebp", features.version("webp")),
        "avif": ("libavif", features.version("avif")),
        "jpeg2000": ("openjpeg", features.version("jpg_2000")),
        "jxl": (JXL_PLUGIN, _jxl_version()),
    }
    used = [kind.name for kind in _KINDS if {kind.name, _colour_label(kind)} & {*names}]
    found = {library: version for name in used for library, version in [known[name]] if version}
    return {"pillow": importlib.metadata.version("pillow"), **found}


def _jxl_version() -> str | None:
    try:
        return importlib.metadata.version(JXL_PLUGIN)
    except importlib.metadata.PackageNotFoundError:
        return None
