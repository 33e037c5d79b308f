"""Which file of a folder becomes which file of another, decided before any work.

Names are relative to their folder, with "/" between its parts on every system.

Example:
    >>> tasks, skipped = plan(["b.jpg", "a/c.png", "d.txt"], PICTURE_SUFFIXES, ".gnc")
    >>> [(task.input, task.output) for task in tasks], skipped
    ([('b.jpg', 'b.gnc'), ('a/c.png', 'a/c.gnc')], ['d.txt'])
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar

__all__ = [
    "MANIFEST",
    "PICTURE_SUFFIXES",
    "Task",
    "both_become",
    "clashing",
    "is_wanted",
    "nothing_to_do",
    "plan",
    "renamed",
    "walk",
]

MANIFEST = "manifest.jsonl"  # what a batch writes beside its outputs

# What counts as a picture when a folder is given; a file named on the command line is always tried.
# fmt: off
PICTURE_SUFFIXES = frozenset({
    ".apng", ".avif", ".avifs", ".bmp", ".dds", ".dib", ".gif", ".heic", ".heif", ".hif", ".icns",
    ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx",
    ".jxl", ".mpo", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".sgi",
    ".tga", ".tif", ".tiff", ".webp",
})
# fmt: on

AnyPath = TypeVar("AnyPath", bound=PurePath)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Task:
    """One input and its output; ``problem``, a sentence, is why there is nothing to do."""

    input: str
    output: str
    problem: str = ""


def plan(
    names: Iterable[str],
    picks: Collection[str],
    suffix: str,
    tag: str = "",
    keep_suffix: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> tuple[list[Task], list[str]]:
    """The tasks of a folder, and the names that are left out for their suffixes.

    Arguments:
        picks: the suffixes that are taken, lower case with their dot.
        suffix, tag, keep_suffix: as for `renamed`.
        include, exclude: as for `is_wanted`.
    """
    tasks: list[Task] = []
    skipped: list[str] = []
    for name in names:
        if not is_wanted(name, include, exclude):
            continue
        path = PurePosixPath(name)
        if path.suffix.lower() not in picks:
            skipped.append(name)
            continue
        tasks.append(Task(name, str(renamed(path, suffix, tag, keep_suffix))))
    problems: dict[Task, str] = {}
    for one, other in clashing((task, os.path.normcase(task.output)) for task in tasks):
        both = both_become(one.input, other.input, other.output)
        problems[one] = problems[other] = f"{both}; rename one, or give --keep-suffix."
    return [replace(task, problem=problems.get(task, "")) for task in tasks], skipped


def renamed(path: AnyPath, suffix: str, tag: str = "", keep_suffix: bool = False) -> AnyPath:
    """What a path becomes where the output is not named.

    Arguments:
        suffix: of the output, with its dot.
        tag: goes between the name and the suffix.
        keep_suffix: the suffix of the input stays before the new one.

    >>> renamed(PurePosixPath("a/b.jpg"), ".png", tag="-denoised")
    PurePosixPath('a/b-denoised.png')
    """
    if keep_suffix:
        return path.with_name(path.name + suffix)
    path = path.with_suffix(suffix)
    return path.with_stem(path.stem + tag) if tag else path


def is_wanted(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a name matches one of ``include`` (where there is one), and none of ``exclude``.

    A pattern without "/" is for the last part of a name, one with it for the whole; "*" stands
    for any characters, "/" among them, "?" for one, "[ab]" for one of these.

    >>> is_wanted("holiday/a.jpg", ["*.jpg"], ["holiday/raw/*"])
    True
    """

    def matches(pattern: str) -> bool:
        return fnmatchcase(name if "/" in pattern else name.rpartition("/")[2], pattern)

    return (not include or any(map(matches, include))) and not any(map(matches, exclude))


def clashing(keyed: Iterable[tuple[Item, str]]) -> Iterator[tuple[Item, Item]]:
    """Items whose key an earlier one has: that one, and they."""
    seen: dict[str, Item] = {}
    for item, key in keyed:
        if key in seen:
            yield seen[key], item
        seen[key] = item


def both_become(one: str, other: str, output: str) -> str:
    """The words for two inputs of one output."""
    return f"{one} and {other} would both become {output}"


def nothing_to_do(name: str, picks: Iterable[str]) -> str:
    """The sentence for a folder without anything that is taken."""
    return f"{name} holds nothing to do; files with these suffixes: {', '.join(sorted(picks))}."


def walk(folder: Path) -> Iterator[Path]:
    """The files below a folder in sorted order, hidden ones and linked folders left out."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(files) if not name.startswith("."))
