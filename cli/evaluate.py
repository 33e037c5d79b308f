"""``gencodec evaluate``: rate and distortion of the installed models through real files."""

from pathlib import Path
from typing import Any

import click

from . import console

__all__ = ["command"]


@click.command("evaluate")
@click.argument("family", metavar="FAMILY|all")
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of pictures that no training saw.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="For all: where to write the results; default: with the installed models.",
)
@console.model_option
@console.json_option
def command(family: str, data: Path, out: Path | None, model: str | None, as_json: bool) -> None:
    """Compress and decompress every picture in a folder; print mean bits and quality.

    FAMILY denoiser takes noise out instead: white noise added to the pictures in the folder, or in
    each of its subfolders, and real noise where there are pairs NAME_real and NAME_mean.

    All writes the results of every family, a comparison with other codecs, and for the pictures of
    Kodak a plot among published curves; it takes minutes and needs the extra 'compare'.
    """
    if out is not None and family != "all":
        raise click.UsageError("--out goes with 'all'.")
    with console.needs_training("evaluate"), console.fail_on_error():
        from ..training import evaluate
        from ..training.denoiser import evaluate as evaluate_denoiser

        given = None if model is None else Path(model)
        if family == "denoiser":
            results = [evaluate_denoiser.run(data, given)]
        elif family == "all":
            with console.Progress(100) as progress:
                results = evaluate.run_all(
                    data,
                    out,
                    given,
                    progress=lambda share: progress.advance(int(100 * share) - progress.done),
                )
        else:
            results = [evaluate.run(family, data, given)]
    if as_json:
        console.print_json(results if family == "all" else results[0])
        return
    for result in results:
        if family == "denoiser":
            _print_rows(result["model"], result["rows"])
            continue
        for each in (result, *result.get("tuned", {}).values()):
            title = f"{each['decoder']}, {result['pictures']} pictures: BD-rate against JPEG " + (
                "none, for the curves share no range"
                if each["bd_rate"] is None
                else f"{each['bd_rate']}% ({each['lo']} to {each['hi']} dB), "
                f"{each['bd_rate_ms_ssim']}% at equal MS-SSIM"
            )
            _print_rows(title, each["points"])
        if lowest := result.get("lowest"):
            _print_rows("The smallest files of others:", lowest)
        if prior := result.get("prior"):
            click.echo(
                f"The priors save {prior['saved']}% against codes as plain numbers, "
                f"{prior['saved_order0']}% against a fixed table for each level."
            )
        if "again" in result:
            kept = result["lossless"]
            click.echo(f"lossless: {kept['bpp']} bpp, {kept['identical']} pictures identical")
            _print_rows("second file equals the first", result["again"])
            for saves in result["saves"]:
                rows = [
                    {"codec": name, **{str(n): v for n, v in zip(saves["after"], row, strict=True)}}
                    for name, row in saves["psnr"].items()
                ]
                _print_rows(f"PSNR after so many saves at quality {saves['quality']}", rows)


def _print_rows(title: str, rows: list[dict]) -> None:
    click.echo(title)
    names = list(rows[0])
    console.print_table([names, *([_text(row[name]) for name in names] for row in rows)])


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
