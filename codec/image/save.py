"""Pictures to bytes of the formats that Pillow writes, with the metadata that each can hold.

What a format cannot hold is never lost in silence: it is put into the pixels (EXIF orientation),
replaced (a grey profile in a file of colour), left out with a note, or refused in a sentence.

Example:
    >>> encode(Image.new("RGB", (300, 200)), "ICO", "x.ico")
    Traceback (most recent call last):
    ...
    gencodec.codec.errors.OutputError: x.ico: ICO holds sides of at most 256 pixels, and the \
picture has 300 x 200; choose .png or .tif with -o, which hold it.
"""

import contextlib
import importlib
import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..errors import OutputError
from .pillow_errors import reading, writing
from .profiles import fitted
from .resolution import stated

__all__ = ["Colour", "Encoded", "encode", "format_of_suffix", "is_device"]

Colour = tuple[int, int, int]

# How each format keeps what was decoded: exactly where it can, else at a quality at which its own
# loss is well below the codec's. Pillow's defaults aim at small files.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "JXL": {"lossless": True},
    "PNG": {"compress_level": 3},  # 1 % larger than the default of 6, in a third of the time
    "WEBP": {"lossless": True},
}
# Formats whose writer takes metadata from here. JPEG XL's readers ignore EXIF's orientation.
WITH_METADATA = ("AVIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
# Formats whose writer takes dots an inch; JPEG has whole ones of 16 bits.
WITH_DPI = ("BMP", "DIB", "JPEG", "MPO", "PDF", "PNG", "TIFF")
LARGEST_DPI = {"JPEG": 65_535, "MPO": 65_535}
LARGEST_SIDE = {
    "AVIF": 65_536,
    "GIF": 65_535,
    "ICO": 256,
    "JPEG": 65_500,
    "MPO": 65_500,
    "PCX": 65_535,
    "SGI": 65_535,
    "TGA": 65_535,
    "WEBP": 16_383,
}
WITH_ALPHA = ("LA", "RGBA")
WITHOUT_ALPHA = ("JPEG", "MPO", "PCX")  # whose writers refuse it
ORIENTATION, SIDEWAYS = 274, (5, 6, 7, 8)
NAMES = {"exif": "EXIF", "xmp": "XMP", "icc_profile": "colour profile"}


@dataclass(frozen=True)
class Encoded:
    """The bytes of a file, and sentences on what it does not hold."""

    data: bytes
    notes: tuple[str, ...] = ()


def format_of_suffix(suffix: str) -> str | None:
    """Pillow's name of the format that it writes for a suffix (".png"), or None."""
    suffix = suffix.lower()
    Image.preinit()  # the common formats; the rest take longer to import
    if suffix not in Image.EXTENSION:
        Image.init()
    if suffix == ".jxl" and suffix not in Image.EXTENSION:
        with contextlib.suppress(ImportError):
            importlib.import_module("pillow_jxl")
    name = Image.EXTENSION.get(suffix)
    return name if name in Image.SAVE else None


def is_device(name: str) -> bool:
    """Whether an output is a device or a pipe, which has no suffix: it gets PNG."""
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


def encode(
    image: Image.Image,
    format_: str,
    name: str,
    *,
    threads: int | None = None,
    background: Colour | None = None,
) -> Encoded:
    """The picture as a file, with the metadata of its `.info` that the format can hold.

    Arguments:
        image: of mode L, LA, RGB or RGBA, with metadata as `pixels.to_image` puts it.
        format_: Pillow's name of the format.
        name: what errors call the file.
        threads: of the CPU, where the writer has a choice.
        background: a colour that transparent pictures are put onto; None keeps transparency.

    Raises:
        OutputError: the format cannot hold this picture.
    """
    _check_side(image.size, format_, name)
    notes: list[str] = []
    image = _without_damage(image, notes)
    if background is not None and image.mode in WITH_ALPHA:
        image = _flattened(image, background)
    if format_ not in WITH_METADATA:
        image = _upright(image)
        profile = image.info.get("icc_profile", b"")
        if profile and b"sRGB" not in profile and b"s\0R\0G\0B" not in profile:
            notes.append(f"{format_} holds no colour profile: it was left out, colours may shift.")
    options = dict(SAVE_OPTIONS.get(format_, {}))
    if format_ == "AVIF" and threads is not None:
        options["max_threads"] = threads
    if format_ == "ICO":
        options["sizes"] = [image.size]  # else Pillow takes the next smaller of its own
    image, metadata = _metadata(image, format_, notes)
    options |= _resolution(image, format_)
    if image.mode in WITH_ALPHA and format_ in WITHOUT_ALPHA:
        raise OutputError(
            f"{name}: {format_} holds no transparency; give --background white, "
            "or another colour, or choose .png with -o."
        )
    with writing(name, format_, image.mode):
        stream = io.BytesIO()
        image.save(stream, format_, **options, **metadata)
    data = stream.getvalue()
    _check_written(data, image, format_, name, notes)
    return Encoded(data, tuple(notes))


def _check_side(size: tuple[int, int], format_: str, name: str) -> None:
    most = LARGEST_SIDE.get(format_)
    if most is not None and max(size) > most:
        raise OutputError(
            f"{name}: {format_} holds sides of at most {most:,} pixels, and the picture has "
            f"{size[0]} x {size[1]}; choose .png or .tif with -o, which hold it."
        )


def _check_written(
    data: bytes, image: Image.Image, format_: str, name: str, notes: list[str]
) -> None:
    """Some writers scale a picture to a size that they know, or drop its alpha, in silence."""
    size = image.size
    try:
        with reading(name):
            factory, _ = Image.OPEN[format_]
            written = factory(io.BytesIO(data), "")
            found = written.size
    except Exception:  # a format that is only written
        return
    if sorted(found) != sorted(size):  # TIFF turns a picture when it is opened
        raise OutputError(
            f"{name}: {format_} holds pictures of certain sizes only, and would make "
            f"{found[0]} x {found[1]} of {size[0]} x {size[1]} pixels; choose .png with -o."
        )
    if image.mode in WITH_ALPHA:
        if format_ == "GIF":
            if _has_half_alpha(image):
                notes.append("GIF holds no half transparency: each pixel has all or none.")
        elif "A" not in written.mode and "transparency" not in written.info:
            notes.append(
                f"{format_} holds no transparency: it was left out; --background COLOUR fills it."
            )


def _has_half_alpha(image: Image.Image) -> bool:
    found = image.getchannel("A").getcolors() or []
    return any(level not in (0, 255) for _, level in found)


def _flattened(image: Image.Image, background: Colour) -> Image.Image:
    """A transparent picture put onto a colour; grey stays grey on a grey one."""
    mode = "L" if image.mode == "LA" and len(set(background)) == 1 else "RGB"
    flat = Image.new(mode, image.size, background if mode == "RGB" else background[0])
    flat.paste(image.convert(mode), mask=image.getchannel("A"))
    flat.info = dict(image.info)
    return flat


def _upright(image: Image.Image) -> Image.Image:
    """Turned as EXIF says, which is then left out; its resolution turns with it."""
    sideways = image.getexif().get(ORIENTATION, 1) in SIDEWAYS
    image = ImageOps.exif_transpose(image)
    if sideways and (dpi := stated(image)):
        image.info["dpi"] = dpi[::-1]
    return image


def _resolution(image: Image.Image, format_: str) -> dict[str, Any]:
    dpi = stated(image)
    if format_ not in WITH_DPI or dpi is None or max(dpi) > LARGEST_DPI.get(format_, np.inf):
        return {}
    return {"dpi": dpi}


def _without_damage(image: Image.Image, notes: list[str]) -> Image.Image:
    """Without EXIF that Pillow cannot read: of the file that is written, nobody could."""
    if not image.info.get("exif"):
        return image
    try:
        image.getexif()
    except Exception:  # nearly anything
        image = image.copy()
        del image.info["exif"]
        notes.append("The EXIF data is damaged and was left out.")
    return image


def _metadata(
    image: Image.Image, format_: str, notes: list[str]
) -> tuple[Image.Image, dict[str, Any]]:
    """What `Image.save` must be given: most of Pillow's writers take nothing from `.info`.

    Returns: the picture, turned where its orientation had to be left out, and the options.
    """
    if format_ not in WITH_METADATA:
        return image, {}
    found = {key: value for key in NAMES if (value := image.info.get(key))}
    if "icc_profile" in found:
        grey = image.mode in ("L", "LA") and format_ not in ("AVIF", "WEBP")
        profile = fitted(found["icc_profile"], grey)
        if profile is None:
            del found["icc_profile"]
            notes.append(
                f"The colour profile is not one for {'grey' if grey else 'RGB'} and was left out."
            )
        else:
            found["icc_profile"] = profile
    for left_out in _subsets(list(found)):
        options = _options(found, left_out, format_)
        if options is None or not (len(left_out) == len(found) or _writes(image, format_, options)):
            continue
        if left_out:
            what = " and ".join(NAMES[key] for key in left_out)
            notes.append(f"{format_} cannot hold this {what} (too large or damaged): left out.")
        if "exif" in left_out:
            image = _upright(image)
        return image, options
    return image, {}


def _writes(image: Image.Image, format_: str, options: dict[str, Any]) -> bool:
    """Whether metadata can be written: tried on a small picture, since that may be repeated."""
    try:
        Image.new(image.mode, (16, 16)).save(io.BytesIO(), format_, **options)
    except Exception:
        return False
    return True


def _subsets(keys: list[str]) -> Iterator[tuple[str, ...]]:
    """What to leave out, least first."""
    for count in range(len(keys) + 1):
        yield from itertools.combinations(keys, count)


def _options(
    metadata: dict[str, bytes], left_out: tuple[str, ...], format_: str
) -> dict[str, Any] | None:
    """What `Image.save` takes for metadata; None where it cannot even be read."""
    options: dict[str, Any] = {key: value for key, value in metadata.items() if key not in left_out}
    if "xmp" in options and format_ == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode("utf-8", "replace"))
    elif format_ == "TIFF" and ("xmp" in options or "exif" in options):
        tags = Image.Exif()  # TIFF's writer puts EXIF's tags among its own
        try:
            tags.load(options.pop("exif", b""))
        except Exception:  # Pillow raises nearly anything for damaged EXIF
            return None
        if "xmp" in options:
            tags[700] = options.pop("xmp")  # the tag that the XMP specification gives to TIFF
        options["exif"] = tags
    # Given in any case: some writers would else take the one in `.info`.
    return {"icc_profile": b"", **options}
