"""What vqvae's priors give, in bits, for real pictures."""

from ...image.open import ImageSource, PathLike
from ...image.pixels import load
from ...session import Runtime
from .codec import Codes, Vqvae

__all__ = ["code_bits"]


def code_bits(
    image: ImageSource,
    device: str = "auto",
    threads: int | None = None,
    *,
    model: PathLike | None = None,
) -> list[tuple[Codes, float]]:
    """Of each level the codes that a vqvae file at quality 100 holds, and their bits.

    Arguments:
        image, device, threads, model: as for `compress`; transparency is left out.

    Returns: a pair a level: the codes, int32 ``(n,)`` in the order in which they are coded, and the
        bits that they all take under the level's prior.

    Raises:
        InputError: the picture cannot be read.
        ModelError: there is no model.
    """
    rgb = load(image, keep_metadata=False).rgb
    return Vqvae.open(model).code_bits(rgb, Runtime(device, threads))
