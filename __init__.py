"""gencodec: a learned image codec.

Pictures become ``.gnc`` files much smaller than JPEG at the same quality, and a file written on
one machine decodes on every other. The trained models are inside the package.

Nothing heavy is imported until a name below is first used (PEP 562), so that the command line
starts fast and ``import gencodec`` costs next to nothing.

Example:
    >>> import gencodec
    >>> from PIL import Image
    >>> data = gencodec.compress(Image.new("RGB", (64, 48), "teal"), quality=50)
    >>> gencodec.decompress(data).size
    (64, 48)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .codec.api import (
        CODECS,
        Codec,
        complete,
        compress,
        decompress,
        denoise,
        info,
        models,
        sample,
        verify,
    )
    from .codec.comparison.compare import compare
    from .codec.errors import (
        DeviceError,
        FormatError,
        GencodecError,
        GencodecWarning,
        InputError,
        ModelError,
        OutputError,
    )
    from .codec.plugins.pillow import register

__version__ = "1.0.0"

__all__ = [
    "CODECS",
    "Codec",
    "DeviceError",
    "FormatError",
    "GencodecError",
    "GencodecWarning",
    "InputError",
    "ModelError",
    "OutputError",
    "compare",
    "complete",
    "compress",
    "decompress",
    "denoise",
    "info",
    "models",
    "register",
    "sample",
    "verify",
]


def __getattr__(name: str) -> object:
    # An unknown name must fail before anything is imported: test runners and `hasattr` ask for
    # all sorts of names, whatever the folder of a checkout is called.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.endswith(("Error", "Warning")):
        from .codec import errors as source
    elif name == "compare":
        from .codec.comparison import compare as source
    elif name == "register":
        from .codec.plugins import pillow as source
    else:
        from .codec import api as source
    value = getattr(source, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
