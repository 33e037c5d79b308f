"""Damage done to ``.gnc`` files: by accident, or on purpose with every checksum made right."""

import random
from dataclasses import replace
from pathlib import Path

from gencodec.codec import container
from gencodec.codec.container import Chunk, ChunkType, Header
from gencodec.codec.errors import FormatError, InputError

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SIDE = 300  # pixels at most of a size that is made up, so that decoding it stays short


def seeds(codec: str) -> tuple[list[bytes], Path | None]:
    """The golden files of a codec, and the tiny model that reads them."""
    folder = GOLDEN / f"{codec}-1"
    model = next(folder.glob("*-decoder.onnx"), None)  # graphics has none
    return [path.read_bytes() for path in sorted(folder.glob("*.gnc"))], model


def truncated(data: bytes, rng: random.Random) -> bytes:
    """The beginning of a file."""
    return data[: rng.randrange(len(data))]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """With one to eight bits flipped."""
    changed = bytearray(data)
    for place in rng.sample(range(8 * len(data)), rng.randint(1, 8)):
        changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, left out, put in, repeated or cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, kind = rng.randrange(len(changed) + 1), rng.randrange(6)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            del changed[at : at + rng.randint(1, 8)]
        elif kind == 2:
            changed[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.randint(1, 40)]
        elif at < len(changed):
            changed[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(changed)


def forged(data: bytes, rng: random.Random) -> bytes:
    """A file that the container has nothing against, however wrong it is inside.

    What is no file of gencodec, or cannot be written, is `mutated` instead.
    """
    try:
        header, metadata, segments = container.read(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            kind = rng.randrange(8)
            if kind < 4:
                number = rng.randrange(len(segments))
                segments[number] = _other_bytes(segments[number], rng)
            elif kind == 4:
                _other_segments(segments, rng)
            elif kind == 5:
                type_ = rng.choice((ChunkType.ALPHA, ChunkType.EXIF, 40))
                metadata[type_] = _other_bytes(metadata.get(type_, b"\x80"), rng)
            else:
                header = _other_header(header, rng)
        chunks = [Chunk(*each) for each in metadata.items()]
        chunks += [Chunk(ChunkType.SEGMENT, segment) for segment in segments]
        return container.write(header, chunks)
    except (FormatError, InputError):
        return mutated(data, rng)


def _other_bytes(data: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randint(0, 2 * len(data) + 8))
    if kind == 1:
        return data + rng.randbytes(4 * rng.randint(1, 8))  # words are what is decoded
    return mutated(data, rng)


def _other_segments(segments: list[bytes], rng: random.Random) -> None:
    one, other = rng.randrange(len(segments)), rng.randrange(len(segments))
    kind = rng.randrange(3)
    if kind == 0:
        segments[one], segments[other] = segments[other], segments[one]
    elif kind == 1:
        segments += [segments[one]] * rng.choice((1, 2, 300))
    elif len(segments) > 1:
        del segments[one]


def _other_header(header: Header, rng: random.Random) -> Header:
    kind = rng.randrange(5)
    if kind == 0:
        return replace(header, quality=rng.choice((0, 1, 9_999, 10_000, rng.randrange(10_001))))
    if kind == 1:
        return replace(header, flags=rng.randrange(8))
    if kind == 2:
        return replace(header, scheme=rng.randrange(1, 5))
    side = rng.choice((1, 15, 16, 17, 64, 65, SIDE, rng.randint(1, SIDE)))
    return replace(header, **{rng.choice(("width", "height")): side})
