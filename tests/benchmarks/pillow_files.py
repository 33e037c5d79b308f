"""Runs the commands over random files of the formats that Pillow reads: no traceback, no hang.

    pip download --no-binary :all: --no-deps pillow && tar xzf pillow-*.tar.gz
    python tests/benchmarks/pillow_files.py pillow-*/Tests/images [--count 1000] [--seed 0]

Pillow's own test pictures are of every format and mode that it reads, many of them damaged on
purpose. Each is compressed by a codec drawn at random (the learned ones where it is small),
what came of it is looked at by `info` and `verify` and decompressed to a format drawn at random,
and some are denoised. An error that is one sentence is right; a traceback, a message that is not a
sentence, a warning of Pillow's or Python's own, and what takes over 30 seconds are findings,
which are printed. Most run in this process; one of 25 as real commands. The exit code is 1 where
there is a finding.
"""

import argparse
import collections
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import FrameType

from click.testing import CliRunner
from PIL import Image

from gencodec.cli import cli

SMALL = 160 * 160  # pixels that learned codecs are tried on
LINE = re.compile(r"(Error|Warning|Usage|Try): ?.*|Try 'gencodec.*|.*\d+ of \d+, about .*")
SENTENCE = re.compile(r"Error: .*[.)]")
SUFFIXES = (
    *(".png", ".jpg", ".webp", ".avif", ".tif", ".bmp", ".gif", ".jp2", ".tga", ".ppm", ".ico"),
    *(".pdf", ".pcx", ".sgi", ".im", ".dds", ".qoi", ".icns", ".eps", ".msp", ".xbm", ".mpo"),
)
Finding = tuple[str, str]


class TooLong(BaseException):
    """Not an `Exception`, so that nothing on the way catches it."""


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong


def in_process(arguments: list[str], limit: int) -> tuple[int, str, str]:
    """Exit code, stderr, and what is wrong with it, if anything."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(limit)
    try:
        result = CliRunner().invoke(cli, arguments)
    except TooLong:
        return -1, "", f"over {limit} s"
    finally:
        signal.alarm(0)
    wrong = ""
    if result.exc_info and not isinstance(result.exception, SystemExit | None):
        wrong = "".join(traceback.format_exception(*result.exc_info)[-3:])
    return result.exit_code, result.stderr, wrong


def as_command(arguments: list[str], limit: int) -> tuple[int, str, str]:
    command = [sys.executable, "-c", "from gencodec.cli import main; main()", *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return -1, "", f"over {limit} s"
    return result.returncode, result.stderr, ""


def run(arguments: list[str], real: bool, limit: int) -> tuple[int, list[str]]:
    """Exit code and findings of a command."""
    code, stderr, wrong = (as_command if real else in_process)(arguments, limit)
    found = [wrong] if wrong else []
    for line in stderr.splitlines():
        if not LINE.fullmatch(line) or (line.startswith("Error") and not SENTENCE.fullmatch(line)):
            found.append(f"stderr: {line[:300]}")
    if code not in (0, 1, 2) and not wrong:
        found.append(f"exit code {code}")
    if code in (1, 2) and "Error" not in stderr and not wrong:
        found.append("failed without a word")
    return code, found


def small(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return image.width * image.height <= SMALL
    except Exception:
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=30, help="seconds; more on a busy machine")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    chosen = chance.sample(files, min(options.count, len(files)))
    chosen += chance.choices(files, k=options.count - len(chosen))
    findings: dict[str, list[str]] = collections.defaultdict(list)
    codes: collections.Counter[tuple[str, int]] = collections.Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(chosen):
            packed = Path(folder, f"{number}.gnc")
            learned = ("autoencoder", "vqvae", "flow", "auto") if small(path) else ()
            codec = chance.choice(("graphics", *learned))
            suffix = chance.choice(SUFFIXES)
            commands = [
                ["compress", str(path), "-o", str(packed), "--codec", codec],
                ["info", str(packed)],
                ["verify", str(packed)],
                ["decompress", str(packed), "-o", str(Path(folder, f"{number}{suffix}"))],
            ]
            if small(path):
                denoised = Path(folder, f"{number}-d{suffix}")
                commands.append(["denoise", str(path), "-o", str(denoised)])
            start = time.perf_counter()
            for arguments in commands:
                if arguments[0] in ("info", "verify", "decompress") and not packed.exists():
                    continue
                if arguments[0] not in ("info", "verify"):
                    arguments += ["--threads", "1"]
                code, found = run(arguments, number % 25 == 0, options.limit)
                codes[arguments[0], code] += 1
                for text in found:
                    print(f"{path.name} {codec} {suffix}: {arguments[0]}: {text}", flush=True)
                    findings[f"{arguments[0]}: {text}"].append(f"{path.name} {codec} {suffix}")
            slowest = max(slowest, (time.perf_counter() - start, path.name))
            for left in Path(folder).iterdir():
                left.unlink()
    for (command, code), count in sorted(codes.items()):
        print(f"{command}: exit code {code}, {count} times")
    print(f"slowest, all commands together: {slowest[1]}, {slowest[0]:.1f} s")
    for text, names in findings.items():
        print(f"{len(names)} times, such as {'; '.join(names[:4])}: {text}")
    print(f"{len(chosen)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
