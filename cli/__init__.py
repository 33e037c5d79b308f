"""The command line: one file a command, each imported only when it is asked for.

``gencodec --help`` loads click and nothing else: the one-line summaries stand in a table here, and
a command's file imports the codec or the training only inside its body.

Exit codes: 0 all went well, 1 an error, 2 wrong usage. Data goes to stdout, everything else to
stderr.
"""

import importlib
import warnings

import click

from .. import __version__
from . import console

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "compress": "Compress pictures to .gnc files.",
    "decompress": "Turn .gnc files back into pictures.",
    "denoise": "Take the noise out of pictures.",
    "batch": "Do one of these with all pictures of a folder, side by side.",
    "info": "Show what a .gnc file says of itself.",
    "verify": "Check .gnc files without writing anything.",
    "compare": "Compare with JPEG, WebP, AVIF, JPEG XL and JPEG 2000.",
    "sample": "Draw pictures from the vqvae codec's priors.",
    "desktop": "Show .gnc files in file managers on Linux.",
    "viewer": "Build a page that shows .gnc files in a browser.",
    "models": "List the trained models that are installed.",
    "train": "Train a model on a folder of photos.",
    "export": "Turn a training run into model files.",
    "evaluate": "Measure rate and distortion through real files.",
}


class LazyGroup(click.Group):
    """A group whose commands are the modules named in `COMMANDS`, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f".{cmd_name}", __package__).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click's own version imports every command to ask for its summary.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    epilog="Run 'gencodec COMMAND --help' for a command's options.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A learned image codec: photos to .gnc files much smaller than JPEG, and back."""
    ctx.with_resource(warnings.catch_warnings())
    warnings.showwarning = console.show_warning


def main() -> None:
    """The `gencodec` command."""
    console.prepare_streams()
    cli(prog_name="gencodec")
