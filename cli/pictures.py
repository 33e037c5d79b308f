"""Pictures to bytes of any format that Pillow writes, metadata included."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["encode", "format_of"]

# How each format keeps what was decoded: exactly where it can, else at a quality at which its own
# loss is well below the codec's. Pillow's defaults aim at small files.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "PNG": {"compress_level": 3},  # 1 % larger than the default of 6, in a third of the time
    "WEBP": {"lossless": True},
}


def format_of(target: Path | None) -> str:
    """Pillow's name of the format that a file's suffix asks for; PNG for stdout."""
    from PIL import Image

    suffix = ".png" if target is None else target.suffix.lower()
    Image.preinit()  # the common formats; the rest take longer to import
    if suffix not in Image.EXTENSION:
        Image.init()
    name = Image.EXTENSION.get(suffix)
    if name is None or name not in Image.SAVE:
        raise click.UsageError(
            f"{suffix or 'a name without a suffix'} is no picture format that can be written; "
            "give -o NAME.png, .jpg, .webp, .avif or .tif."
        )
    return name


def encode(image: "Image", name: str, target: str) -> bytes:
    """The picture as bytes of the format `name`, with the metadata that the format can hold.

    Raises:
        OutputError: the format cannot hold this picture.
    """
    from ..codec.errors import OutputError

    stream = io.BytesIO()
    try:
        image.save(stream, name, **SAVE_OPTIONS.get(name, {}), **_metadata(image, name))
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(
            f"{target}: {name} cannot hold this {image.mode} picture ({error}); "
            "choose another format, such as .png, with -o."
        ) from error
    return stream.getvalue()


def _metadata(image: "Image", name: str) -> dict[str, Any]:
    """What `Image.save` must be given: most of Pillow's writers take nothing from `.info`."""
    if name not in ("AVIF", "JPEG", "PNG", "TIFF", "WEBP"):
        return {}
    options = {key: image.info.get(key) for key in ("icc_profile", "exif", "xmp")}
    options = {key: value for key, value in options.items() if value}
    if "xmp" in options and name == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode("utf-8", "replace"))
    elif "xmp" in options and name == "TIFF":
        options["exif"] = tags = image.getexif()
        tags[700] = options.pop("xmp")  # the tag that the XMP specification gives to TIFF
    return options
