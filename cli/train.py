"""``gencodec train``: trains a model on a folder of photos (needs the extra ``train``)."""

from pathlib import Path

import click

from . import console
from .parameters import Number

__all__ = ["command"]


def _settings(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for (name, sign, _), value in zip(pairs, values, strict=True):
        if not name or not sign:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE.")
    return {name: text for name, _, text in pairs}


@click.command("train")
@click.argument("family")
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of photos, or of tar archives of photos.",
)
@click.option(
    "--minutes",
    required=True,
    metavar="M",
    type=Number(min=0, min_open=True),
    help="How long to train; the learning rate is annealed over exactly this time.",
)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The run's folder: checkpoint, log, weights.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --out with M minutes more.")
@click.option(
    "--validation",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Photos to validate on; without it a few of --data are set apart.",
)
@click.option(
    "--init",  # not --start: torchrun takes that for a shortened option of its own
    "start",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Weights of another run to start from.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_settings,
    help="Change a setting of the run or of the network; may be repeated.",
)
@console.talk_options
def command(
    family: str,
    data: Path,
    minutes: float,
    out: Path,
    resume: bool,
    validation: Path | None,
    start: Path | None,
    overrides: dict[str, str],
) -> None:
    """Train FAMILY for a given time on the photos in a folder.

    Families: autoencoder, denoiser, flow, vqvae, and vqvae-prior, vqvae's second stage, which
    needs --init with the weights of its first.

    A line of JSON on stdout tells of each validation, as in the run's log. Runs on the CPU, one
    GPU, or several under torchrun; needs the extra 'train'.
    """
    with console.needs_training("train"), console.fail_on_error():
        from ..training.train import run

        with console.Progress(1000, counted=False) as bar:

            def log(row: str) -> None:
                bar.clear()
                console.say(row)

            def progress(part: float, step: int) -> None:
                bar.share(part, f"step {step:,}")

            run(family, data, minutes, out, resume, overrides, validation, start, progress, log)
    console.tell(f"{out} holds the run; 'gencodec export {out} -o DIR' makes model files of it.")
