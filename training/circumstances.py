"""What figures were measured with, where and when. Imports no torch."""

import platform
from datetime import UTC, datetime

import numpy as np
import PIL

from .. import __version__
from ..codec.session import ONNXRUNTIME_VERSION

__all__ = ["circumstances"]


def circumstances(more: dict[str, str] | None = None) -> dict:
    """``versions`` (and ``more`` of them), ``machine`` and ``date``, as results files have them."""
    return {
        "versions": {
            "gencodec": __version__,
            "onnxruntime": ONNXRUNTIME_VERSION,
            "pillow": PIL.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            **(more or {}),
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).date().isoformat(),
    }
