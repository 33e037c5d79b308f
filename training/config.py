"""Presets of a training run; every field can be overridden on the command line."""

from dataclasses import dataclass, fields, replace

from ..codec.errors import InputError

__all__ = ["OPTIMIZERS", "PRESETS", "RunConfig", "with_overrides"]

OPTIMIZERS = "adam", "soap"


@dataclass(frozen=True)
class RunConfig:
    """How a family is trained. Times are minutes, sizes pixels, batches are per process."""

    batch: int = 8
    crop: int = 128
    late_batch: int = 2  # the last part of the run sees larger crops
    late_crop: int = 256
    late_share: float = 0.25
    int8_share: float = 0.25  # the last part of the run rounds what an export rounds
    float32_share: float = 0.15  # and the last of it computes in float32, as an export does
    optimizer: str = "adam"  # or "soap"
    compile: int = 0  # 1: torch.compile the step; takes a C++ compiler and some minutes at first
    only: str = ""  # train what begins with this (or this,that): "g_s." is a decoder alone
    lr: float = 2e-3
    lr_end: float = 1e-5
    warmup_steps: int = 300
    ema: float = 0.9995
    clip: float = 1.0
    validate_every: float = 10.0
    checkpoint_every: float = 4.0
    validation_tiles: int = 24
    steps: int = 0  # end after so many steps, if that comes before the minutes; 0: no limit
    seed: int = 1


PRESETS: dict[str, RunConfig] = {
    "autoencoder": RunConfig(lr=1.2e-3, optimizer="soap"),
    "denoiser": RunConfig(lr=1.2e-3, optimizer="soap"),
    "vqvae": RunConfig(lr=1e-3),
    "vqvae-prior": RunConfig(lr=2e-3, batch=6, crop=256, late_batch=4, late_crop=320),
    "flow": RunConfig(late_batch=4, lr=1e-3),
}


def with_overrides(config: RunConfig, overrides: dict[str, str]) -> RunConfig:
    """``config`` with fields replaced by the texts given, e.g. ``{"lr": "3e-4"}``.

    Raises:
        InputError: an unknown field or a text that is not a number of its kind.
    """
    known = {field.name: type(getattr(config, field.name)) for field in fields(config)}
    values = {}
    for name, text in overrides.items():
        if name not in known:
            raise InputError(f"there is no training setting {name!r}; known: {', '.join(known)}.")
        try:
            values[name] = known[name](text)
        except ValueError as error:
            kind = known[name].__name__
            raise InputError(f"{name}={text} is not a number of kind {kind}.") from error
    if values.get("optimizer", config.optimizer) not in OPTIMIZERS:
        known_ones = ", ".join(OPTIMIZERS)
        raise InputError(f"there is no optimizer {values['optimizer']!r}; known: {known_ones}.")
    return replace(config, **values)
