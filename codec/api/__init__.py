"""Pictures to bytes and back, with no file system and no printing: what other programs embed.

The functions are in `compression`, `Codec`, which holds their settings, in `codec`; `encoding`
chooses the codec and the quality and writes the file. The command line is written on top of them.
"""

from ..denoiser import DenoiseResult, denoise, denoise_detailed
from ..inspection import CODECS, Info, ModelInfo, info, installed, models, quality_steps
from ..schemes.base import AUTO
from ..schemes.vqvae.sampling import complete, sample
from ..schemes.vqvae.statistics import code_bits
from .codec import Codec
from .compression import (
    DEFAULT_QUALITY,
    compress,
    compress_detailed,
    decompress,
    verify,
)
from .encoding import CompressResult

__all__ = [
    "AUTO",
    "CODECS",
    "DEFAULT_QUALITY",
    "Codec",
    "CompressResult",
    "DenoiseResult",
    "Info",
    "ModelInfo",
    "code_bits",
    "complete",
    "compress",
    "compress_detailed",
    "decompress",
    "denoise",
    "denoise_detailed",
    "info",
    "installed",
    "models",
    "quality_steps",
    "sample",
    "verify",
]
