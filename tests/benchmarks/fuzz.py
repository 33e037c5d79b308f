"""Feeds damaged and forged files to everything that reads ``.gnc``, guided by coverage.

    python tests/benchmarks/fuzz.py autoencoder --minutes 60 [--findings DIR]
    python tests/benchmarks/fuzz.py autoencoder --damaged 2000

A file is a finding where `info`, `decompress`, `verify` or `container.read_metadata` raise anything
but an error of gencodec, take over 10 seconds of the processor (or 600 of the clock) or make the
process grow over the limit of memory.
It is kept in the folder of findings; make a test of it.

Files start from the tiny golden ones of the codec. Half of the
mutations are of the bytes, half of what is inside, with every checksum made right again, since no
mutation of bytes alone passes the container's. With atheris installed libFuzzer chooses what is
mutated; elsewhere a plain loop keeps the files that reach new lines of gencodec. At the end stand
how many files were read, in how many seconds of the processor, the findings, the peak of memory and
the slowest file (kept as ``slowest-CODEC.gnc``). ``--damaged`` reads so many truncated and so many
bit-flipped files instead.
"""

import argparse
import hashlib
import importlib
import importlib.util
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, MutableSequence
from contextlib import ExitStack, suppress
from io import BytesIO
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for helpers
TIMEOUT = 10  # seconds of the processor
HANG = 600  # seconds of the clock: a busy machine may give a process little of them
MOST_FINDINGS = 20  # of libFuzzer, each of which costs a start
Read = Callable[[bytes], None]
Mutate = Callable[[bytes, random.Random], bytes]


class Same(bytes):
    """Bytes that equal any others."""

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = bytes.__hash__


def reader(model: Path | None) -> Read:
    """Reads a file in every way; what it raises is a finding.

    The last way takes any symbols for those that were written, as if a forger had made their
    checks, which mutations do not: so hostile symbols reach the networks and the pixels.
    """
    from gencodec.codec import api, container, entropy
    from gencodec.codec.errors import GencodecError
    from gencodec.codec.schemes.autoencoder import segment as autoencoder
    from gencodec.codec.schemes.flow import segment as flow
    from gencodec.codec.schemes.graphics import tile
    from gencodec.codec.schemes.vqvae import codec as vqvae

    def decompress(data: bytes) -> None:
        api.decompress(data, threads=1, model=model)

    def as_forged(data: bytes) -> None:
        with ExitStack() as stack:
            for module in (autoencoder, flow, vqvae):
                stack.enter_context(patch.object(module, "_checksum", lambda *_: Same()))
            stack.enter_context(patch.object(tile, "_check", lambda *_: Same()))
            stack.enter_context(patch.object(entropy.Decoder, "finish", lambda *_: None))
            decompress(data)

    def read(data: bytes) -> None:
        for look in (
            lambda data: container.read_metadata(BytesIO(data)),
            api.info,
            lambda data: api.verify(data, model=model),
            decompress,
            as_forged,
        ):
            with suppress(GencodecError):
                look(data)

    return read


def mutator() -> Mutate:
    from helpers import mutations

    def mutate(data: bytes, rng: random.Random) -> bytes:
        return (mutations.forged if rng.random() < 0.5 else mutations.mutated)(data, rng)

    return mutate


def keep(data: bytes, folder: Path, what: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{what}-{hashlib.sha256(data).hexdigest()[:16]}.gnc"
    path.write_bytes(data)
    print(f"{path}:\n{traceback.format_exc()}", flush=True)


class Late(BaseException):
    """A reader took too long. Not an `Exception`, which readers of Pillow's turn into their own."""


def watched(read: Read, data: bytes, hang: bool = True) -> None:
    """Reads with alarms: of the processor's time, which a busy machine does not change, and,
    for what waits and does not work, of the clock."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Late(f"over {TIMEOUT} s of the processor, or {HANG} s")

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, TIMEOUT)
    if hang:
        signal.signal(signal.SIGALRM, late)
        signal.alarm(HANG)
    try:
        read(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if hang:
            signal.alarm(0)


def megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def loop(files: list[bytes], read: Read, mutate: Mutate, options: argparse.Namespace) -> int:
    """Mutates files and keeps those that reach a new line; the number of findings."""
    lines: set[tuple[CodeType, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "gencodec" not in frame.f_code.co_filename:
            return None
        if event == "line":
            lines.add((frame.f_code, frame.f_lineno))
        return trace

    rng, corpus, count, findings = random.Random(options.seed), list(files), 0, 0
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        data = corpus[count] if count < len(files) else mutate(rng.choice(corpus), rng)
        before, count = len(lines), count + 1
        sys.settrace(trace)
        try:
            watched(read, data)
        except (Exception, Late):
            keep(data, options.findings, "finding")
            findings += 1
        finally:
            sys.settrace(None)
        if megabytes() > options.memory:
            keep(data, options.findings, "memory")
            raise SystemExit(f"over {options.memory} MB")
        if len(lines) > before and count > len(files):
            corpus.append(data)
    print(
        f"{options.codec}: {count} files, {len(corpus)} kept, {len(lines)} lines of gencodec, "
        f"{findings} findings, at most {megabytes()} MB"
    )
    return findings


def guided(options: argparse.Namespace) -> int:
    """libFuzzer, which ends its process at a finding, again and again; the number of findings."""
    end = time.monotonic() + 60 * options.minutes
    told = multiprocessing.Array("d", 2, lock=False)  # executions, seconds of the slowest
    processor, most, findings = 0.0, 0, 0
    while (left := end - time.monotonic()) > 1 and findings < MOST_FINDINGS:
        child = os.fork()
        if child == 0:
            fuzz(options, left, told)
        _, status, used = os.wait4(child, 0)
        processor += used.ru_utime + used.ru_stime
        most = max(most, used.ru_maxrss // 1024)
        findings += status != 0
        options.seed += 1
    print(
        f"{options.codec}: {told[0]:.0f} files in {processor:.0f} s of the processor, "
        f"{findings} findings, at most {most} MB, the slowest took {told[1]:.2f} s"
    )
    return findings


def fuzz(options: argparse.Namespace, seconds: float, told: MutableSequence[float]) -> NoReturn:
    """Runs libFuzzer, which ends the process: with 0 where the time is over."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["gencodec"]):
        from helpers import mutations

        files, model = mutations.seeds(options.codec)
        read, mutate = reader(model), mutator()
        for data in files:
            read(data)  # imports the rest, and opens the networks, which takes long
    corpus = options.findings / f"corpus-{options.codec}"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(files):
        (corpus / f"seed-{number}").write_bytes(data)

    def custom(data: bytes, most: int, seed: int) -> bytes:
        return mutate(data, random.Random(seed))[:most]

    def target(data: bytes) -> None:
        start = time.process_time()
        watched(read, data, hang=False)  # the alarm of the clock is libFuzzer's
        took = time.process_time() - start
        told[0] += 1
        if took > told[1]:
            told[1] = took
            (options.findings / f"slowest-{options.codec}.gnc").write_bytes(data)

    settings = [f"-max_total_time={round(seconds)}", f"-timeout={HANG}", "-max_len=8192"]
    settings += [f"-rss_limit_mb={options.memory}", f"-artifact_prefix={options.findings}/"]
    settings += [f"-seed={options.seed}", "-len_control=0", "-print_final_stats=1", str(corpus)]
    atheris.Setup([sys.argv[0], *settings], target, custom_mutator=custom)
    atheris.Fuzz()
    os._exit(0)


def damaged(options: argparse.Namespace) -> int:
    """Truncated and bit-flipped files; the number of findings."""
    from helpers import mutations

    files, model = mutations.seeds(options.codec)
    read, rng, findings = reader(model), random.Random(options.seed), 0
    for damage in (mutations.truncated, mutations.flipped):
        for number in range(options.damaged):
            data = damage(files[number % len(files)], rng)
            try:
                watched(read, data)
            except (Exception, Late):
                keep(data, options.findings, damage.__name__)
                findings += 1
    print(f"{options.codec}: {options.damaged} truncated, as many flipped, {findings} findings")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codec", choices=["autoencoder", "flow", "vqvae", "graphics"])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--damaged", type=int, metavar="N")
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--memory", type=int, default=2048, help="MB that the process may take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["atheris", "loop"])
    options = parser.parse_args()
    if options.damaged:
        raise SystemExit(min(1, damaged(options)))
    engine = options.engine or ("atheris" if importlib.util.find_spec("atheris") else "loop")
    if engine == "atheris":
        raise SystemExit(min(1, guided(options)))
    from helpers import mutations

    files, model = mutations.seeds(options.codec)
    raise SystemExit(min(1, loop(files, reader(model), mutator(), options)))


if __name__ == "__main__":
    main()
