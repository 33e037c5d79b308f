"""What can go wrong, in a handful of kinds: one clear sentence each, naming thing and remedy.

Every error that gencodec raises on purpose is a :class:`GencodecError`, so a caller needs one
``except``; the kinds also derive from the built-in exception a Python reader would expect.

| kind          | is also a    | when                                                  |
|---------------|--------------|-------------------------------------------------------|
| `InputError`  | `ValueError` | an unreadable picture, a wrong array or argument      |
| `FormatError` | `ValueError` | a damaged ``.gnc``, not ours at all, a limit exceeded |
| `ModelError`  |              | a decoder this version does not have, a bad model     |
| `DeviceError` |              | a device that was asked for and is unavailable         |
| `OutputError` | `OSError`    | an output that exists already or cannot be written    |

Example:
    >>> try:
    ...     raise FormatError("photo.gnc is cut off after 12 bytes; copy the file again")
    ... except GencodecError as error:
    ...     print(error)
    photo.gnc is cut off after 12 bytes; copy the file again
"""

__all__ = [
    "DeviceError",
    "FormatError",
    "GencodecError",
    "GencodecWarning",
    "InputError",
    "ModelError",
    "OutputError",
    "sentence",
]


class GencodecError(Exception):
    """Base of every error raised on purpose; its text is one sentence for the user."""


class InputError(GencodecError, ValueError):
    """What was given to encode or to measure cannot be used: picture, array or argument."""


class FormatError(GencodecError, ValueError):
    """The ``.gnc`` data is damaged, cut off, over a limit, or not in this format at all."""


class ModelError(GencodecError):
    """The file asks for a decoder this version does not have, or a model file is bad."""


class DeviceError(GencodecError):
    """The device that was asked for is unavailable on this machine."""


class OutputError(GencodecError, OSError):
    """The output exists already or its place cannot be written."""


class GencodecWarning(UserWarning):
    """Something worth one line on stderr that is no error."""


def sentence(error: BaseException, name: str | None = None) -> str | None:
    """The one line to show for an error, or None for one that is a bug of ours.

    Arguments:
        name: the file at work; put before a sentence that does not name it.

    >>> sentence(MemoryError(), "photo.jpg")
    'photo.jpg: there is not enough memory for this picture.'
    """
    if isinstance(error, GencodecError):
        text = str(error)
    elif isinstance(error, BrokenPipeError):
        return None  # click ends quietly when whoever reads our output has gone
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
        if error.filename:
            text = f"{error.filename}: {text}"
    elif isinstance(error, MemoryError):
        text = "there is not enough memory for this picture."
    else:
        return None
    if name is not None and name not in text:
        text = f"{name}: {text}"
    return " ".join(text.split())
