"""Compress and decompress: bytes and pictures in and out, with no file system and no printing.

These are the functions that other programs embed; the command line is written on top of them.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from . import container, denoiser, library, pixels
from .container import ChunkType, Flag, Header
from .denoiser import DenoiseResult, denoise, denoise_detailed
from .errors import FormatError, InputError, ModelError
from .schemes import LOSSLESS, SCHEMES, by_name, by_wire_id
from .session import Runtime

__all__ = [
    "CODECS",
    "CompressResult",
    "DenoiseResult",
    "Info",
    "ModelInfo",
    "compress",
    "compress_detailed",
    "decompress",
    "denoise",
    "denoise_detailed",
    "info",
    "models",
    "verify",
]

CODECS = tuple(scheme.NAME for scheme in SCHEMES.values())
"""Names of the codecs that this version has."""

LARGEST_FILE = 2**31  # bytes; more than the largest picture allowed can need

ImageLike = Any  # a PIL image, a path, a binary file object or a uint8 array
Data = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class CompressResult:
    """A compressed picture and what is known about it.

    ``estimate_bits`` is what the model itself reckons for the symbols, without headers;
    ``stable``: the decoded picture, saved again in the same way, gives the same file.
    """

    data: bytes
    width: int
    height: int
    codec: str
    quality: float
    notes: tuple[str, ...]
    estimate_bits: float
    lossless: bool
    stable: bool

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * len(self.data) / (self.width * self.height)


@dataclass(frozen=True)
class Info:
    """What a file says about itself; ``known`` tells whether its decoder is at hand."""

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


@dataclass(frozen=True)
class ModelInfo:
    """One shipped model file."""

    name: str
    codec: str
    role: str
    digest: str
    bytes: int
    default: bool
    qualities: str
    file: str


def compress(
    image: ImageLike,
    codec: str | None = None,
    quality: float = 50,
    lossless: bool = False,
    device: str = "auto",
    threads: int | None = None,
    *,
    strip: bool = False,
    model: str | os.PathLike[str] | None = None,
    denoise: bool = False,
) -> bytes:
    """Compresses a picture to the bytes of a ``.gnc`` file.

    Arguments:
        image: a PIL image, a path, a binary file object, or a uint8 array ``(H, W)``,
            ``(H, W, 3)`` or ``(H, W, 4)``.
        codec: one of `CODECS`; None for autoencoder, or flow where it is to be lossless.
        quality: 0 (smallest file) to 100 (best picture), continuous.
        lossless: keep every bit; flow alone can.
        device: "auto", "cpu" or "cuda".
        threads: of the CPU; None for all cores.
        strip: leave out ICC profile, EXIF and XMP.
        model: a model file to use instead of the shipped one.
        denoise: take the noise out first, as the function `denoise` does; it costs many bits.

    Raises:
        InputError: the picture cannot be read or has the wrong shape or type, or a wrong argument,
            or ``lossless`` and the picture has more than 8 bits a sample or no RGB colours.
        ModelError, DeviceError: the model or the device is not to be had.

    Example:
        >>> import numpy as np
        >>> data = compress(np.zeros((48, 64, 3), np.uint8), quality=30)
        >>> decompress(data).size
        (64, 48)
    """
    return compress_detailed(
        image,
        codec,
        quality,
        lossless,
        device,
        threads,
        strip=strip,
        model=model,
        denoise=denoise,
    ).data


def compress_detailed(
    image: ImageLike,
    codec: str | None = None,
    quality: float = 50,
    lossless: bool = False,
    device: str = "auto",
    threads: int | None = None,
    *,
    strip: bool = False,
    model: str | os.PathLike[str] | None = None,
    denoise: bool = False,
) -> CompressResult:
    """Like `compress`, and tells what was done."""
    scheme = by_name(codec or ("flow" if lossless else "autoencoder"))
    if isinstance(quality, bool) or not isinstance(quality, int | float) or not 0 <= quality <= 100:
        raise InputError(f"quality must be a number from 0 to 100, not {quality!r}.")
    if lossless and not scheme.EXACT:
        raise InputError(f"The codec {scheme.NAME} cannot compress losslessly; flow can.")
    if lossless and denoise:
        raise InputError(
            "A picture that is denoised is not kept losslessly; leave out one of them."
        )
    runtime = Runtime(device, threads)
    # What an exact codec gives back is saved again unchanged, hidden colours included.
    picture = pixels.load(image, keep_metadata=not strip, fill=not scheme.EXACT)
    if lossless and picture.inexact:
        raise InputError(f"The picture cannot be kept losslessly: {picture.inexact}")
    height, width = picture.rgb.shape[:2]
    container.check_size(width, height)
    if denoise:
        network = library.default_single("denoiser")
        picture.rgb, _ = denoiser.clean(picture.rgb, network, runtime)
    encoder, decoder = library.default_pair(scheme.NAME, model)
    hundredths = 10_000 if lossless else round(quality * 100)
    flags = Flag.GREY * picture.grey | Flag.LOSSLESS * lossless | Flag.STABLE * scheme.EXACT
    level = LOSSLESS if lossless else hundredths
    coded = scheme.encode(picture.rgb, level, encoder, decoder, runtime)

    chunks = []
    for kind, payload in (
        (ChunkType.ICC, picture.icc),
        (ChunkType.EXIF, picture.exif),
        (ChunkType.XMP, picture.xmp),
    ):
        if payload:
            chunks.append(container.Chunk(kind, payload))
    if picture.alpha is not None:
        chunks.append(container.Chunk(ChunkType.ALPHA, pixels.encode_alpha(picture.alpha)))
    chunks += [container.Chunk(ChunkType.SEGMENT, segment) for segment in coded.segments]
    header = Header(
        scheme=scheme.WIRE_ID,
        flags=flags,
        quality=hundredths,
        decoder=decoder.file.digest,
        width=width,
        height=height,
    )
    data = container.write(header, chunks)
    return CompressResult(
        data,
        width,
        height,
        scheme.NAME,
        hundredths / 100,
        picture.notes,
        coded.estimate_bits,
        lossless,
        scheme.EXACT,
    )


def decompress(
    data: Data,
    region: tuple[int, int, int, int] | None = None,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
):
    """The picture of a ``.gnc`` file as a `PIL.Image.Image`, fully loaded.

    ICC profile, EXIF and XMP are in ``.info``; the mode is L, LA, RGB or RGBA.

    Arguments:
        data: bytes, a path or a binary file object.
        region: not yet supported by any codec.
        device, threads: as for `compress`.
        model: a decoder file, where the shipped ones do not include the one that the file names.

    Raises:
        FormatError: not a file of gencodec, or damaged.
        ModelError: the decoder that the file names is not here.
    """
    if region is not None:
        raise InputError("Decoding a region is not supported by this version.")
    header, metadata, segments = container.read(_bytes(data))
    scheme = by_wire_id(header.scheme)
    level = _level(header, scheme)
    decoder = library.decoder_for(scheme.NAME, header.decoder, model)
    runtime = Runtime(device, threads)
    alpha = None
    if ChunkType.ALPHA in metadata:
        alpha = pixels.decode_alpha(metadata[ChunkType.ALPHA], header.width, header.height)
    rgb = scheme.decode(segments, header.width, header.height, level, decoder, runtime)
    return pixels.to_image(
        rgb,
        grey=header.grey,
        alpha=alpha,
        icc=metadata.get(ChunkType.ICC),
        exif=metadata.get(ChunkType.EXIF),
        xmp=metadata.get(ChunkType.XMP),
    )


def verify(data: Data, *, model: str | os.PathLike[str] | None = None) -> None:
    """Checks a file: every checksum, and that every symbol decodes as it was written.

    Raises:
        FormatError: not a file of gencodec, or damaged.
        ModelError: the decoder that the file names is not here.
    """
    header, metadata, segments = container.read(_bytes(data))
    scheme = by_wire_id(header.scheme)
    level = _level(header, scheme)
    decoder = library.decoder_for(scheme.NAME, header.decoder, model)
    if ChunkType.ALPHA in metadata:
        pixels.decode_alpha(metadata[ChunkType.ALPHA], header.width, header.height)
    runtime = Runtime("cpu")
    scheme.verify(segments, header.width, header.height, level, decoder, runtime)


def info(data: Data) -> Info:
    """What a file says about itself; the decoder need not be at hand.

    Example:
        >>> import numpy as np
        >>> info(compress(np.zeros((48, 64), np.uint8), quality=30)).grey
        True
    """
    raw = _bytes(data)
    header, metadata, segments = container.read(raw)
    scheme = SCHEMES.get(header.scheme)
    codec = scheme.NAME if scheme else f"codec {header.scheme}"
    try:
        found = library.decoder_for(codec, header.decoder).path.name
    except ModelError:
        found = None
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
        known=found is not None,
        segments=len(segments),
        bytes=len(raw),
        bpp=8 * len(raw) / (header.width * header.height),
        icc=len(metadata.get(ChunkType.ICC, b"")),
        exif=len(metadata.get(ChunkType.EXIF, b"")),
        xmp=len(metadata.get(ChunkType.XMP, b"")),
        decoder_file=found,
    )


def models() -> list[ModelInfo]:
    """The models that this version ships."""
    found = []
    for scheme, entry in library.shipped().items():
        files = [(role, entry[role], True) for role in ("encoder", "file") if role in entry]
        for digest, about in entry.get("decoders", {}).items():
            files.append(("decoder", about["file"], digest == entry["default"]))
        for role, name, default in files:
            model = library.load(library.PRETRAINED / name)
            found.append(
                ModelInfo(
                    name=model.title,
                    codec=scheme,
                    role=scheme if role == "file" else role,
                    digest=model.file.digest.hex(),
                    bytes=len(model.file.data),
                    default=default,
                    qualities="" if role == "file" else "0 to 100, continuous",
                    file=name,
                )
            )
    return found


def _level(header: Header, scheme: ModuleType) -> int:
    """The quality that a scheme takes: hundredths, or `LOSSLESS`."""
    if not header.lossless:
        return header.quality
    if not scheme.EXACT:
        raise FormatError(
            f"The file claims to be lossless, which {scheme.NAME} is not: it is damaged, copy or"
            " download it again."
        )
    return LOSSLESS


def _bytes(data: Data) -> bytes:
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
