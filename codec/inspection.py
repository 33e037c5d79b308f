"""What files and models say of themselves."""

import contextlib
import os
from dataclasses import dataclass

from . import container, library
from .container import ChunkType
from .errors import ModelError
from .image.open import Data, read_bytes
from .image.resolution import Dpi, of_exif, unpack
from .schemes.base import AUTO, SCHEMES, by_name

__all__ = ["CODECS", "Info", "ModelInfo", "info", "installed", "models", "quality_steps"]

CODECS = tuple(scheme.name for scheme in SCHEMES.values())
"""Names of the codecs that this version has."""

# What decompressing takes: MiB for the process, its models and the tiles at work, and bytes a
# pixel. Measured for autoencoder and graphics up to 8 megapixels; that of flow and vqvae was at
# 0.4 megapixels, with bytes a pixel for planes, Pillow's picture and symbols added.
MEMORY = {"autoencoder": (200, 20), "flow": (500, 30), "vqvae": (220, 20), "graphics": (65, 20)}


@dataclass(frozen=True)
class Info:
    """What a file says about itself.

    ``known`` tells whether its decoder is at hand; ``decoder_file`` is None where it is not, and
    where the codec needs none. ``suits``: which pictures the codec is for. ``memory``: bytes that a
    process needs, about, to decompress it on two threads; 0 for a codec that is not known. ``dpi``:
    dots an inch, across and down, where they are stated.
    """

    codec: str
    version: int
    width: int
    height: int
    quality: float
    grey: bool
    alpha: bool
    lossless: bool
    stable: bool
    decoder: str
    known: bool
    segments: int
    bytes: int
    bpp: float
    icc: int
    exif: int
    xmp: int
    decoder_file: str | None
    suits: str = ""
    memory: int = 0
    dpi: Dpi | None = None


@dataclass(frozen=True)
class ModelInfo:
    """One shipped model file; ``tune`` where a codec has models for more than one measure.

    A codec that needs no model is listed too, with the role "codec" and no file.
    """

    name: str
    codec: str
    role: str
    digest: str
    bytes: int
    default: bool
    qualities: str
    file: str
    tune: str = ""


def info(data: Data) -> Info:
    """What a file says about itself; the decoder need not be at hand.

    Example:
        >>> import numpy as np
        >>> from gencodec import compress
        >>> info(compress(np.zeros((48, 64), np.uint8), quality=30)).grey
        True
    """
    raw = read_bytes(data)
    header, metadata, segments = container.read(raw)
    scheme = SCHEMES.get(header.scheme)
    codec = scheme.name if scheme else f"codec {header.scheme}"
    known, found = False, None
    if scheme is not None and not scheme.has_model:
        known = not any(header.decoder)
    else:
        with contextlib.suppress(ModelError):
            found = library.decoder_for(codec, header.decoder).path.name
            known = True
    return Info(
        codec=codec,
        version=header.version,
        width=header.width,
        height=header.height,
        quality=header.quality / 100,
        grey=header.grey,
        alpha=ChunkType.ALPHA in metadata,
        lossless=header.lossless,
        stable=header.stable,
        decoder=f"{codec}-{header.decoder.hex()[:8]}",
        known=known,
        segments=len(segments),
        bytes=len(raw),
        bpp=8 * len(raw) / (header.width * header.height),
        icc=len(metadata.get(ChunkType.ICC, b"")),
        exif=len(metadata.get(ChunkType.EXIF, b"")),
        xmp=len(metadata.get(ChunkType.XMP, b"")),
        decoder_file=found,
        suits=scheme.suits if scheme else "",
        memory=_memory(codec, header.width * header.height),
        dpi=unpack(metadata.get(container.RESOLUTION)) or of_exif(metadata.get(ChunkType.EXIF)),
    )


def _memory(codec: str, pixels: int) -> int:
    megabytes, each = MEMORY.get(codec, (0, 0))
    return megabytes * 2**20 + each * pixels


def models() -> list[ModelInfo]:
    """The models that this version ships.

    Example:
        >>> [model.role for model in models() if model.codec == "vqvae"]
        ['encoder', 'decoder']
    """
    found = []
    for scheme, entry in library.shipped().items():
        tunes = {library.TUNES[0]: entry, **entry.get("tuned", {})} if "decoders" in entry else {}
        files = [("file", entry["file"], "", True)] if "file" in entry else []
        files += [
            ("encoder", pair["encoder"], tune, pair is entry)
            for tune, pair in tunes.items()
            if "encoder" in pair
        ]
        for digest, about in entry.get("decoders", {}).items():
            tune = next((t for t, pair in tunes.items() if pair["default"] == digest), "")
            files.append(("decoder", about["file"], tune, digest == entry["default"]))
        for role, name, tune, default in files:
            model = library.load(library.PRETRAINED / name)
            found.append(
                ModelInfo(
                    name=model.title,
                    codec=scheme,
                    role=scheme if role == "file" else role,
                    digest=model.file.digest.hex(),
                    bytes=len(model.file.data),
                    default=default,
                    qualities="" if role == "file" else _scale(quality_steps(scheme, model.path)),
                    file=name,
                    tune=tune if "tuned" in entry else "",
                )
            )
    for name in CODECS:
        if not (scheme := by_name(name)).has_model:
            digest = scheme.open().digest.hex()
            found.append(ModelInfo(name, name, "codec", digest, 0, True, "exact, no model", ""))
    return found


def installed(model: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The codecs that can be used: those that are shipped or need no model, or ``model``'s."""
    if model is not None:
        return (library.load(model).file.scheme,)
    shipped = library.shipped()
    return tuple(name for name in CODECS if name in shipped or not by_name(name).has_model)


def quality_steps(
    codec: str, model: str | os.PathLike[str] | None = None
) -> tuple[float, ...] | None:
    """The qualities of a codec that differ; None where the scale is continuous."""
    return None if codec == AUTO else by_name(codec).open(model).quality_steps()


def _scale(steps: tuple[float, ...] | None) -> str:
    if steps is None:
        return "0 to 100, continuous"
    return "steps at " + ", ".join(f"{step:g}" for step in steps)
