"""``gencodec decompress``: ``.gnc`` files back to pictures in any format that Pillow writes."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console
from .files import PICTURE_SUFFIXES, Job, plan, read, write

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["command"]

# How each format keeps what was decoded: exactly where it can, else at a quality at which its own
# loss is well below the codec's. Pillow's defaults aim at small files.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "PNG": {"compress_level": 3},  # 1 % larger than the default of 6, in a third of the time
    "WEBP": {"lossless": True},
}


@click.command("decompress")
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...")
@console.output_option
@console.device_option
@console.threads_option
@console.model_option
@console.force_option
@console.json_option
def command(
    inputs: tuple[str, ...],
    output: str | None,
    device: str,
    threads: int | None,
    model: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Decompress .gnc files: photo.gnc becomes photo.png beside it.

    -o NAME.jpg chooses the format by its suffix. FILE may be a folder (which needs -o DIR, whose
    tree mirrors it) or - for standard input; standard output gets PNG.
    """
    from ..codec.api import decompress

    jobs = plan(
        inputs,
        output,
        picks=(".gnc",),
        suffix=".png",
        output_suffixes=PICTURE_SUFFIXES,
        force=force,
    )
    formats = {job: _format_of(job.target) for job in jobs if job.problem is None}

    def work(job: Job) -> dict[str, Any]:
        image = decompress(read(job), device=device, threads=threads, model=model)
        data = _encode(image, formats[job], job.target_name)
        write(job, data, force)
        return {
            "input": job.name,
            "output": job.target_name,
            "format": formats[job],
            "mode": image.mode,
            "width": image.width,
            "height": image.height,
            "bytes": len(data),
            "line": f"{job.name} -> {job.target_name}: {image.width} x {image.height}",
        }

    console.run_jobs(jobs, work, as_json)


def _format_of(target: Path | None) -> str:
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


def _encode(image: "Image", name: str, target: str) -> bytes:
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
