"""Laws of the container over files that hypothesis makes up; the same ones in every run."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from gencodec.codec import container
from gencodec.codec.container import SEGMENT, Chunk, ChunkType, Header
from gencodec.codec.container.varint import read_varint, write_varint
from gencodec.codec.errors import FormatError
from helpers.hand_made_gnc import DATA

few = settings(derandomize=True, max_examples=100, deadline=None, database=None)

headers = st.builds(
    Header,
    scheme=st.integers(0, 15),
    flags=st.integers(0, 7),
    quality=st.integers(0, 10_000),
    decoder=st.binary(min_size=8, max_size=8),
    width=st.integers(1, 2**20),
    height=st.integers(1, 2**10),
)
payloads = st.binary(max_size=300)
segments = st.lists(payloads, min_size=1, max_size=5)
metadata = st.dictionaries(st.sampled_from(sorted(ChunkType)[:4]), payloads)
unknown = st.sampled_from([kind for kind in range(32, 64) if kind != container.RESOLUTION])
extensions = st.lists(st.tuples(unknown, payloads), max_size=3)
edits = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 12), st.binary(max_size=12)), max_size=3
)


def written(
    header: Header,
    metadata: dict[ChunkType, bytes],
    segments: list[bytes],
    extensions: list[tuple[int, bytes]] | None = None,
) -> bytes:
    chunks = [*metadata.items(), *(extensions or ()), *((SEGMENT, data) for data in segments)]
    return container.write(header, [Chunk(*chunk) for chunk in chunks])


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """With some bytes left out and others put there."""
    for place, count, other in edits:
        at = place % (len(data) + 1)
        data = data[:at] + other + data[at + count :]
    return data


files = st.builds(edited, st.builds(written, headers, metadata, segments), edits) | payloads


@few
@given(headers, metadata, segments, extensions)
def test_what_is_written_is_read(
    header: Header,
    metadata: dict[ChunkType, bytes],
    segments: list[bytes],
    extensions: list[tuple[int, bytes]],
) -> None:
    data = written(header, metadata, segments, extensions)
    assert container.read(data) == (header, metadata, segments)
    assert container.read_header(data[: container.HEADER_BYTES]) == header
    held = {**metadata, **({ChunkType.ALPHA: b""} if ChunkType.ALPHA in metadata else {})}
    assert container.read_metadata(io.BytesIO(data)) == (header, held)
    # Part of it is asked for: the others are told to be there, and nothing more.
    some, payload = len(segments) // 2, segments[len(segments) // 2]
    wanted = [payload if number == some else b"" for number in range(len(segments))]
    assert container.read(data, {some})[2] == wanted


@few
@given(files)
def test_what_can_be_read_has_one_form(data: bytes) -> None:
    """A reader accepts what a writer makes and nothing else, and names no other errors."""
    try:
        header, metadata, segments = container.read(data)
    except FormatError:
        return
    assert written(header, {ChunkType(k): v for k, v in metadata.items()}, segments) == data


@few
@given(headers, metadata, segments, edits)
def test_damage_is_never_other_content(
    header: Header,
    metadata: dict[ChunkType, bytes],
    segments: list[bytes],
    edits: list[tuple[int, int, bytes]],
) -> None:
    data = written(header, metadata, segments)
    try:
        found = container.read(edited(data, edits))
    except FormatError:
        return
    # Segments may be gone, or there twice, as whole chunks; a scheme knows how many it needs.
    assert found[:2] == (header, metadata)
    assert set(found[2]) <= set(segments)


@few
@given(files)
def test_a_look_at_the_head_agrees_with_the_whole(data: bytes) -> None:
    try:
        header, metadata = container.read_metadata(io.BytesIO(data))
    except FormatError:
        try:  # what the look refuses, the reader refuses
            container.read(data)
        except FormatError:
            return
        raise
    assert header == container.read_header(data)
    try:
        whole = container.read(data)
    except FormatError:  # of what the look did not see
        return
    assert whole[1].keys() == metadata.keys()
    assert all(metadata[key] in (whole[1][key], b"") for key in metadata)


@few
@given(st.integers(0, 2**35 - 1), payloads)
def test_varints(value: int, rest: bytes) -> None:
    data = write_varint(value)
    assert read_varint(memoryview(data + rest), 0) == (value, len(data))
    for length in range(len(data)):
        try:
            read_varint(memoryview(data[:length]), 0)
        except FormatError:
            continue
        raise AssertionError(length)


def test_the_examples_reach_both_ends() -> None:
    """Some made-up files can be read and some cannot, or the laws above would say nothing."""
    assert edited(DATA, []) == DATA
    outcomes = set()

    @few
    @given(files)
    def look(data: bytes) -> None:
        try:
            container.read(data)
        except FormatError:
            outcomes.add("refused")
        else:
            outcomes.add("read")

    look()
    assert outcomes == {"refused", "read"}
