"""Which format an output has, and its bytes; see `codec/image/save.py`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["background_option", "encode", "format_of"]


def format_of(target: Path | None) -> str:
    """Pillow's name of the format that a file's suffix asks for; PNG for stdout and devices."""
    from ..codec.image.save import format_of_suffix, is_device

    suffix = "" if target is None else target.suffix
    name = "PNG" if target is None or is_device(str(target)) else format_of_suffix(suffix)
    if name is None:
        raise click.UsageError(
            f"{suffix or 'a name without a suffix'} is no picture format that can be written; "
            "give -o NAME.png, .jpg, .webp, .avif or .tif."
        )
    return name


class _Colour(click.ParamType):
    """A colour as CSS writes it: white, #ff8800, rgb(255,136,0)."""

    name = "colour"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int, int]:
        if isinstance(value, tuple):
            return value
        from PIL import ImageColor

        try:
            found = ImageColor.getrgb(value)
        except ValueError:
            self.fail(f"{value!r} is no colour, such as white or '#ff8800'.", param, ctx)
        if len(found) > 3:
            self.fail(f"{value!r} is transparent itself.", param, ctx)
        return found


background_option = click.option(
    "--background",
    type=_Colour(),
    metavar="COLOUR",
    help="Put transparent pictures onto this colour (white, '#ff8800'): for formats without alpha.",
)


def encode(
    image: "Image",
    name: str,
    target: str,
    threads: int | None = None,
) -> bytes:
    """The picture as bytes of the format `name`; what that does not hold is said on stderr.

    Raises:
        OutputError: the format cannot hold this picture.
    """
    from ..codec.image import save

    encoded = save.encode(image, name, target, threads=threads)
    for note in encoded.notes:
        console.warn(f"{'standard output' if target == '-' else target}: {note}")
    return encoded.data
