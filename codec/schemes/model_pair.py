"""The part of a codec that finds its models: made once for a decoder and encoder, and kept."""

import os
from os import PathLike
from threading import Lock
from typing import ClassVar, Self

from .. import library
from ..errors import ModelError
from ..library import Model

__all__ = ["ModelPair"]

_LOCK = Lock()
_MADE: dict[tuple[type, Model, Model], "ModelPair"] = {}


def _in_child() -> None:
    global _LOCK
    _LOCK = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class ModelPair:
    """Base of the codecs that have models.

    Arguments:
        decoder: the model that files name.
        encoder: the model that writing takes; the decoder itself where it has all that it takes,
            and where only reading is asked for.
    """

    name: ClassVar[str]
    has_model: ClassVar[bool] = True

    def __init__(self, decoder: Model, encoder: Model | None = None) -> None:
        self.decoder, self.encoder = decoder, encoder or decoder

    @classmethod
    def open(cls, model: str | PathLike[str] | None = None, tune: str | None = None) -> Self:
        """To write and read files; see `base.Scheme.open`."""
        encoder, decoder = library.default_pair(cls.name, model, tune)
        return cls._of(decoder, encoder)

    @classmethod
    def open_decoder(cls, digest: bytes, model: str | PathLike[str] | None = None) -> Self:
        """To read files; see `base.Scheme.open_decoder`."""
        decoder = library.decoder_for(cls.name, digest, model)
        return cls._of(decoder, decoder)

    @classmethod
    def _of(cls, decoder: Model, encoder: Model) -> Self:
        with _LOCK:  # or two threads would make its tables twice
            made = _MADE.get((cls, decoder, encoder))
            if made is None:
                try:
                    made = cls(decoder, encoder)
                except KeyError as error:
                    raise ModelError(
                        f"{decoder.file.name} has no setting {error}: it was exported for another "
                        "version of gencodec; export it again from its weights."
                    ) from error
                _MADE[cls, decoder, encoder] = made
        assert isinstance(made, cls)
        return made

    @property
    def digest(self) -> bytes:
        """The 8 bytes by which a file names the decoder."""
        return self.decoder.file.digest
