"""``gencodec models``: the trained models that are installed."""

import dataclasses

import click

from . import console

__all__ = ["command"]


@click.command("models")
@console.json_option
def command(as_json: bool) -> None:
    """List the trained models that are installed; * marks those that new files use."""
    from ..codec.api import models

    with console.fail_on_error():
        found = models()
    if as_json:
        console.print_json([dataclasses.asdict(model) for model in found])
        return
    rows = [
        (
            f"{'*' if model.default else ' '} {model.name}",
            f"{model.role}, {model.tune}" if model.tune else model.role,
            model.qualities,
            f"{model.bytes:,} bytes",
            str(model.file),
        )
        for model in found
    ]
    console.print_table([("  model", "role", "quality", "size", "file"), *rows])
