"""``gencodec evaluate``: rate and distortion of the installed models through real files."""

from pathlib import Path

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
@click.option(
    "--tune",
    type=click.Choice(["psnr", "visual"]),
    help="Which of the installed models; default: all of the family.  [autoencoder]",
)
@console.model_option
@console.json_option
def command(
    family: str, data: Path, out: Path | None, tune: str | None, model: str | None, as_json: bool
) -> None:
    """Compress and decompress every picture in a folder; print mean bits and quality.

    With BD-rates against JPEG and AVIF at equal PSNR, MS-SSIM, SSIMULACRA2 and, where the
    environment variable GENCODEC_LIBJXL names a command that runs libjxl's tools, Butteraugli.

    FAMILY denoiser takes noise out instead: white noise added to the pictures in the folder, or in
    each of its subfolders, and real noise where there are pairs NAME_real and NAME_mean.

    FAMILY auto is what compress takes where no codec is named: of each picture its codec and bytes,
    beside lossless WebP, and AVIF of equal SSIMULACRA2 and of equal size.

    All writes the results of every family, a comparison with other codecs, and for the pictures of
    Kodak a plot among published curves; it takes minutes and needs the extra 'compare'.
    """
    if out is not None and family != "all":
        raise click.UsageError("--out goes with 'all'.")
    if tune is not None and family == "all":
        raise click.UsageError("--tune does not go with 'all'.")
    with console.needs_training("evaluate"), console.fail_on_error():
        from ..training import evaluate

        given = None if model is None else Path(model)
        with console.Progress(100) as progress:

            def show(share: float) -> None:
                if steps := int(100 * share) - progress.done:
                    progress.advance(steps)

            if family == "all":
                results = evaluate.run_all(data, out, given, progress=show)
            else:
                results = [evaluate.run(family, data, given, tune, show)]
    if as_json:
        console.print_json(results if family == "all" else results[0])
        return
    for result in results:
        for table in evaluate.tables(result):
            console.print_titled(table)
