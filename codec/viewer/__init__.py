"""The page that shows ``.gnc`` files in a browser, and its reader of them in JavaScript.

The reader is a second implementation of the format, written from ``docs/format.md``: plain modules
under the names of the Python ones. Its networks run in onnxruntime-web, on one thread of
WebAssembly. `build` puts page, reader, models and onnxruntime-web into a folder that any web server
can serve; a visitor's browser loads a model, and onnxruntime-web, when a file asks for it.

    container      the bytes of a file
    entropy        tables and the coder
    modelfile      networks and tables of a model
    session        the only file that knows onnxruntime-web
    autoencoder, flow, vqvae, graphics, tiling, quality     as in `schemes`
    image          pictures inside a file, and the PNG that is made of it
    decompress     a file to pixels
    worker, page   and index.html: what is seen
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from .. import library
from ..errors import GencodecError, InputError, OutputError

__all__ = ["RUNTIME_FILES", "RUNTIME_PACKAGE", "build"]

RUNTIME_PACKAGE = "onnxruntime-web@1.30.0"
RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
# Where npm puts these below the folder in which it was run; any folder on the way will do.
RUNTIME_FOLDERS = ".", "dist", "onnxruntime-web/dist", "node_modules/onnxruntime-web/dist"
NPM_WAITS = 600  # seconds at most


def build(out: Path, runtime: Path | None = None, force: bool = False) -> None:
    """Writes the page into a folder, which is made where there is none.

    Arguments:
        runtime: where onnxruntime-web lies, as npm installed it; None has npm fetch it.
        force: write into a folder that is not empty.

    Raises:
        OutputError: the folder is not empty.
        InputError: no onnxruntime-web in `runtime`, or npm is not there.
        GencodecError: npm failed.
    """
    if not force and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists and is not an empty folder; name another, or pass -f.")
    if runtime is not None:
        _write(out, _runtime_files(runtime))
        return
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            f"The page needs {RUNTIME_PACKAGE}, and npm, which fetches it, is not installed:"
            " install Node.js, or pass --runtime DIR, the folder in which npm put it elsewhere."
        )
    with tempfile.TemporaryDirectory(prefix="gencodec-") as folder:
        _install(npm, folder)
        _write(out, _runtime_files(Path(folder)))


def _install(npm: str, folder: str) -> None:
    command = [npm, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        found = subprocess.run(
            [*command, RUNTIME_PACKAGE],
            capture_output=True,
            text=True,
            timeout=NPM_WAITS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GencodecError(f"npm has not fetched {RUNTIME_PACKAGE} in {NPM_WAITS} s.") from error
    if found.returncode:
        reason = " ".join(found.stderr.split())[:300] or f"exit code {found.returncode}"
        raise GencodecError(f"npm could not fetch {RUNTIME_PACKAGE}: {reason}")


def _runtime_files(folder: Path) -> list[Path]:
    """The files of onnxruntime-web that the page needs, below a folder."""
    for place in RUNTIME_FOLDERS:
        files = [folder / place / name for name in RUNTIME_FILES]
        if all(file.is_file() for file in files):
            return files
    raise InputError(
        f"There is no onnxruntime-web in {folder}; `npm install {RUNTIME_PACKAGE}` puts it into the"
        " folder where it is run."
    )


def _write(out: Path, runtime: list[Path]) -> None:
    own = Path(__file__).parent
    page = [file for file in own.iterdir() if file.suffix in (".html", ".js")]
    decoders = {
        about["file"]
        for entry in library.shipped().values()
        for about in entry.get("decoders", {}).values()
    }
    models = [library.PRETRAINED / name for name in ("models.json", *sorted(decoders))]
    for folder, files in (("", sorted(page)), ("models", models), ("runtime", runtime)):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, out / folder / file.name)
