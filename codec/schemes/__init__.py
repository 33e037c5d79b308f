"""The learned codecs behind one interface; the wire ids are for ever."""

from types import ModuleType

from ..errors import FormatError, InputError
from .autoencoder import codec as autoencoder
from .flow import codec as flow
from .flow.codec import LOSSLESS
from .vqvae import codec as vqvae

__all__ = ["LOSSLESS", "SCHEMES", "by_name", "by_wire_id"]

# Wire id -> scheme. Ids are never given to another scheme.
SCHEMES: dict[int, ModuleType] = {1: autoencoder, 2: flow, 3: vqvae}


def by_name(name: str) -> ModuleType:
    """The scheme of that name; InputError lists the known ones."""
    for scheme in SCHEMES.values():
        if name == scheme.NAME:
            return scheme
    known = ", ".join(scheme.NAME for scheme in SCHEMES.values())
    raise InputError(f"There is no codec {name!r}; known: {known}.")


def by_wire_id(wire_id: int) -> ModuleType:
    """The scheme of that id in a file's header; FormatError if this version has none."""
    scheme = SCHEMES.get(wire_id)
    if scheme is None:
        raise FormatError(
            f"The file was written with codec number {wire_id}, which this version of gencodec "
            "does not have; install a newer one."
        )
    return scheme
