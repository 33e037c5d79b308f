"""Runs the commands over files of the formats that Pillow reads: no traceback, no hang.

    pip download --no-binary :all: --no-deps pillow && tar xzf pillow-*.tar.gz
    python tests/benchmarks/pillow_files.py pillow-*/Tests/images [--count 1000] [--seed 0]

Pillow's own test pictures are of every format and mode that it reads, many of them damaged on
purpose. Each is compressed, by each codec in turn (large pictures by those that take little time
for them), and decompressed to a format drawn at random; small ones are denoised as well. The
smallest come first. An error that is one sentence is right; a traceback, a message that is not a
sentence, a warning of Pillow's, of Python's or of a library in C, and a command that takes over 30
seconds of processor time, or stands still, are findings, which are printed. The exit code is 1
where there is a finding.

The commands run in a worker process, one after the other; where one ends it, the next file gets a
new one. So a file costs what its pictures cost, and a busy machine makes no findings.
"""

import argparse
import collections
import faulthandler
import multiprocessing
import os
import random
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from gencodec.cli import cli

CODECS = (  # for pictures of up to so many pixels
    (96 * 96, ("autoencoder", "vqvae", "flow", "graphics", "auto")),
    (256 * 256, ("autoencoder", "graphics", "auto")),
    (sys.maxsize, ("graphics",)),
)
SMALL = CODECS[0][0]
CHEAP = (".bmp", ".jpg", ".tif", ".gif", ".tga", ".ppm", ".ico", ".pdf", ".sgi", ".eps", ".mpo")
DEAR = (
    *(".png", ".webp", ".avif", ".jp2", ".pcx", ".im", ".dds", ".qoi", ".icns", ".msp", ".xbm"),
)
LINE = re.compile(r"(Error|Warning|Usage|Try): ?.*|Try 'gencodec.*|.*\d+ of \d+, about .*")
SENTENCE = re.compile(r"Error: .*[.)]")
ADDRESS = re.compile(r"\bobject at 0x|<[\w.]+ 0x")
IDLE = 120  # seconds without any processor time: it waits for ever
Outcome = tuple[str, int, str, str]  # command, exit code, stderr, traceback


def run(arguments: list[str], limit: int, c_stderr: int) -> Outcome:
    """What comes of a command; over `limit` seconds of processor time end this process."""
    start = os.fstat(c_stderr).st_size
    signal.setitimer(signal.ITIMER_PROF, limit)
    result = CliRunner().invoke(cli, arguments)
    signal.setitimer(signal.ITIMER_PROF, 0)
    wrong = ""
    if result.exc_info and not isinstance(result.exception, SystemExit | None):
        wrong = "".join(traceback.format_exception(*result.exc_info)[-3:])
    beside = os.pread(c_stderr, 4000, start).decode(errors="replace")
    return arguments[0], result.exit_code, result.stderr + beside, wrong


def work(tasks: Connection, limit: int, stderr: str) -> None:
    """Runs the lists of commands that come, and answers each command with its outcome."""
    descriptor = os.open(stderr, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(descriptor, 2)  # what libraries in C write past sys.stderr
    faulthandler.enable(descriptor)
    faulthandler.register(signal.SIGPROF, descriptor, chain=True)  # says where, then ends it
    for category in (UserWarning, RuntimeWarning):
        warnings.simplefilter("always", category)  # not for the first file alone
    while commands := tasks.recv():
        for arguments in commands:
            if arguments[0] not in ("info", "decompress") or Path(arguments[1]).exists():
                tasks.send(run(arguments, limit, descriptor))
        tasks.send(None)


class Worker:
    """A process for the commands; a new one where the last has ended."""

    def __init__(self, limit: int, stderr: Path) -> None:
        self.limit, self.stderr = limit, stderr
        self.process: BaseProcess | None = None
        self.start()

    def start(self) -> None:
        self.end()
        context = multiprocessing.get_context("fork")  # this process has run no network
        self.tasks, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.limit, str(self.stderr)))
        self.process.start()
        theirs.close()

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def do(self, commands: list[list[str]]) -> list[Outcome]:
        self.tasks.send(commands)
        outcomes: list[Outcome] = []
        while True:
            try:
                outcome = self.tasks.recv() if self.moves() else self.failed("waits for ever")
            except EOFError:
                outcome = self.failed("ended")
            if outcome is None:
                return outcomes
            outcomes.append(outcome)
            if outcome[0] == "worker":
                self.start()
                return outcomes

    def moves(self) -> bool:
        """Whether there is an answer; False where nothing has happened for long."""
        before = self.used()
        while not self.tasks.poll(IDLE):
            if (now := self.used()) == before:
                return False
            before = now
        return True

    def used(self) -> float:
        assert self.process is not None and self.process.pid is not None
        try:
            return time.clock_gettime((~self.process.pid << 3) | 2)  # a process's clock, in Linux
        except OSError:
            return -1.0  # it has ended

    def failed(self, what: str) -> Outcome:
        assert self.process is not None and self.process.pid is not None
        if what != "ended":
            os.kill(self.process.pid, signal.SIGPROF)  # says where
        self.process.join()
        if what == "ended" and self.process.exitcode == -signal.SIGPROF:
            what = f"over {self.limit} s of processor time"
        elif what == "ended":
            what = f"ended with {self.process.exitcode}"
        where = self.stderr.read_text(errors="replace").rpartition("most recent call first):")[2]
        return "worker", -1, "", f"{what}: {where[:900]}"


def findings_of(outcome: Outcome) -> list[str]:
    _, code, stderr, wrong = outcome
    if wrong:
        return [wrong]
    found = [
        f"stderr: {line[:300]}"
        for line in stderr.splitlines()
        if not LINE.fullmatch(line)
        or (line.startswith("Error") and not SENTENCE.fullmatch(line))
        or ADDRESS.search(line)
    ]
    if code not in (0, 1, 2):
        found.append(f"exit code {code}")
    if code in (1, 2) and "Error" not in stderr:
        found.append("failed without a word")
    return found


def pixels(path: Path) -> int:
    """How many, from the header; 0 where Pillow finds no picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                return image.width * image.height
        except Exception:
            return 0


def commands_for(path: Path, count: int, number: int, folder: Path, suffix: str) -> list[list[str]]:
    """For a picture of `count` pixels, which is the `number`-th of its kind."""
    packed = folder / "a.gnc"
    codecs = next(codecs for limit, codecs in CODECS if count <= limit)
    codec = codecs[number % len(codecs)]
    threads = ["--threads", "1"]
    commands = [
        ["compress", str(path), "-o", str(packed), "--codec", codec, *threads],
        ["info", str(packed)],
        ["decompress", str(packed), "-o", str(folder / f"b{suffix}"), *threads],
    ]
    if count <= SMALL and number % 3 == 0:
        commands.append(["denoise", str(path), "-o", str(folder / f"c{suffix}"), *threads])
    return commands


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, help="so many, at random; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=30, help="seconds of processor time a command")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    chosen = chance.sample(files, min(options.count or len(files), len(files)))
    sized = sorted(((pixels(path), path) for path in chosen), key=lambda pair: pair[0])
    findings: dict[str, list[str]] = collections.defaultdict(list)
    codes: collections.Counter[tuple[str, int]] = collections.Counter()
    done = refused = 0
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "files")
        folder.mkdir()
        worker = Worker(options.limit, Path(name, "stderr"))
        for number, (count, path) in enumerate(sized):
            suffix = chance.choice(CHEAP if count > 256 * 256 else CHEAP + DEAR)
            commands = commands_for(path, count, number, folder, suffix)
            start = worker.used()
            outcomes = worker.do(commands)
            slowest = max(slowest, (worker.used() - start, path.name))
            label = f"{path.name} {commands[0][5]} {suffix}"
            for outcome in outcomes:
                codes[outcome[0], outcome[1]] += 1
                for text in findings_of(outcome):
                    print(f"{label}: {outcome[0]}: {text}", flush=True)
                    findings[f"{outcome[0]}: {text}"].append(label)
            done += outcomes[0][1] == 0
            refused += outcomes[0][1] in (1, 2) and not findings_of(outcomes[0])
            for left in folder.iterdir():
                left.unlink()
            if (number + 1) % 50 == 0:
                print(f"{number + 1} of {len(sized)}: {done} compressed, {refused} refused with a "
                      f"sentence, {len(findings)} findings", flush=True)  # fmt: skip
        worker.end()
    for (command, code), count in sorted(codes.items()):
        print(f"{command}: exit code {code}, {count} times")
    print(f"most processor time, all commands together: {slowest[1]}, {slowest[0]:.1f} s")
    for text, names in findings.items():
        print(f"{len(names)} times, such as {'; '.join(names[:4])}: {text}")
    print(f"{len(sized)} files: {done} compressed, {refused} refused with a sentence, "
          f"{len(findings)} findings")  # fmt: skip
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
