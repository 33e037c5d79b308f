"""Whatever Pillow's readers and writers raise, as one sentence of ours.

Pillow's plugins raise nearly anything: struct.error, SyntaxError, KeyError, ZeroDivisionError and
more. Here is the one place that turns it into an `InputError` or `OutputError` that names the file.

Example:
    >>> with reading("photo.jpg"):
    ...     raise SyntaxError("not a TIFF file")
    Traceback (most recent call last):
    ...
    gencodec.codec.errors.InputError: photo.jpg is damaged and cannot be read (not a TIFF file).
"""

import contextlib
import logging
from collections.abc import Generator

from PIL import Image, UnidentifiedImageError

from ..errors import GencodecError, InputError, OutputError

__all__ = ["reading", "reason", "writing"]

# What Pillow logs before it raises is printed where a program handles no log: a line beside ours.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextlib.contextmanager
def reading(name: str) -> Generator[None, None, None]:
    """Turns what a reader of Pillow raises into an `InputError` that names the file.

    Whatever it is, the picture is what is wrong.
    """
    try:
        yield
    except GencodecError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist; check its name.") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name} is not a picture that Pillow can read; convert it to PNG or JPEG first."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"{name} has more pixels than Pillow opens without being told to; scale it down, or"
            " raise PIL.Image.MAX_IMAGE_PIXELS if you trust the file."
        ) from error
    except MemoryError as error:
        raise InputError(f"{name} does not fit into memory; scale it down first.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{name} cannot be read: {error.strerror}.") from error
        raise InputError(f"{name} is damaged and cannot be read ({reason(error)}).") from error


@contextlib.contextmanager
def writing(name: str, format_: str, mode: str) -> Generator[None, None, None]:
    """Turns what a writer of Pillow raises into an `OutputError` that names the file.

    Arguments:
        name: of the file to write.
        format_: Pillow's name of its format.
        mode: of the picture.
    """
    try:
        yield
    except GencodecError:
        raise
    except MemoryError as error:
        raise OutputError(f"{name} cannot be written: there is not enough memory.") from error
    except Exception as error:
        raise OutputError(
            f"{name}: {format_} cannot hold this {mode} picture ({reason(error)}); "
            "choose another format, such as .png, with -o."
        ) from error


def reason(error: Exception) -> str:
    """An error's text on one line, or what kind it is where it has none."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
