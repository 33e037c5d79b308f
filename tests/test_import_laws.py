"""The laws between layers, read from the imports: an arrow that is not listed is a decision.

Rooms are the files and folders right under ``codec/``, ``cli/`` and ``training/``. Imports inside
functions count like others; those under ``TYPE_CHECKING`` do not.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("cli", "codec", "training")
CODEC_ROOMS_AT_MOST, LINES_AT_MOST = 18, 350
FAMILIES = {"autoencoder", "denoiser", "flow", "vqvae"}

# What each room of codec may import of the others. `errors` is for all.
CODEC = {
    "api": {
        "container",
        "denoiser",
        "image",
        "inspection",
        "library",
        "metrics",
        "progress",
        "rate_control",
        "schemes",
        "session",
    },
    "batch": {"api", "image", "library", "progress", "session"},
    "comparison": {"api", "image", "metrics"},
    "container": set(),
    "denoiser": {"container", "image", "library", "session"},
    "entropy": set(),
    "errors": set(),
    "image": {"container"},
    "inspection": {"container", "image", "library", "schemes"},
    "library": {"modelfile", "session"},
    "metrics": set(),
    "modelfile": set(),
    "plugins": {"api", "container", "image"},
    "progress": set(),
    "rate_control": set(),
    "schemes": {"entropy", "image", "library", "modelfile", "progress", "session"},
    "session": set(),
    "viewer": {"library"},
}
TRAINING_MAY_USE = {
    "api",
    "comparison",
    "entropy",
    "errors",
    "image",
    "library",
    "metrics",
    "modelfile",
    "session",
}
# Who may know all families: the tables, and nobody else.
KNOWS_FAMILIES = {"evaluations", "families"}
# A heavy library is imported by one file alone.
SOLE_USERS = {
    "fsspec": {"codec/batch/storage.py"},
    "ray": {"codec/batch/ray_engine.py"},
    "constriction": {"codec/entropy/backend.py"},
    "onnxruntime": {"codec/session.py"},
    "matplotlib": {"codec/comparison/plot.py"},
    "numcodecs": {"codec/plugins/numcodecs.py"},
    "webdataset": {"codec/plugins/webdataset.py"},
    "zarr": {"codec/plugins/zarr.py"},
}


def _name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    _name(path): path
    for layer in LAYERS
    for path in sorted((ROOT / layer).rglob("*.py"))
    if "__pycache__" not in path.parts
}


class _Imports(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[ast.Import | ast.ImportFrom] = []

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.found.append(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.found.append(node)


@cache
def imports(module: str) -> tuple[set[str], set[str]]:
    """Modules of this package, and top-level names of others, that a file imports."""
    path = FILES[module]
    visitor = _Imports()
    visitor.visit(ast.parse(path.read_text("utf-8")))
    package = module.split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    own, foreign = set(), set()
    for node in visitor.found:
        if isinstance(node, ast.Import):
            foreign |= {alias.name.partition(".")[0] for alias in node.names}
            continue
        if node.level == 0:
            foreign.add((node.module or "").partition(".")[0])
            continue
        base = package[: len(package) - node.level + 1]
        target = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
        for alias in node.names:
            name = f"{target}.{alias.name}" if target else alias.name
            if name in FILES:
                own.add(name)
            elif target in FILES:
                own.add(target)
    return own - {module}, foreign


def room(module: str) -> str:
    """``codec.schemes.flow.codec`` is in the room ``schemes``."""
    return [*module.split("."), ""][1]


def within(layer: str) -> list[str]:
    return [name for name in FILES if name.split(".")[0] == layer]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected parts of more than one node (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_the_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_no_circle_of_files() -> None:
    assert circles({name: imports(name)[0] for name in FILES}) == []


def test_no_circle_of_folders() -> None:
    def folder(name: str) -> str:
        return _name(FILES[name].parent / "__init__.py")

    graph: dict[str, set[str]] = {}
    for name in FILES:
        # A folder may use what it holds, and the other way round: the law is for neighbours.
        for other in imports(name)[0]:
            a, b = folder(name), folder(other)
            if a != b and not a.startswith(f"{b}.") and not b.startswith(f"{a}."):
                graph.setdefault(a, set()).add(b)
    assert circles(graph) == []


def test_layers() -> None:
    allowed = {"cli": {"cli", "codec", "training"}, "training": {"training", "codec"}}
    for name in FILES:
        layer = name.split(".")[0]
        used = {other.split(".")[0] for other in imports(name)[0]}
        assert used <= allowed.get(layer, {layer}), name


@pytest.mark.parametrize("name", within("codec"))
def test_arrows_between_rooms_of_codec(name: str) -> None:
    own = room(name)
    if not own:
        assert not imports(name)[0]
        return
    used = {room(other) for other in imports(name)[0]} - {own}
    assert used <= CODEC[own] | {"errors"}


def test_every_allowed_arrow_is_used() -> None:
    used: dict[str, set[str]] = {}
    for name in within("codec"):
        used.setdefault(room(name), set()).update(room(other) for other in imports(name)[0])
    for own, others in CODEC.items():
        assert others <= used[own], own


@pytest.mark.parametrize("name", within("training"))
def test_what_training_uses_of_the_runtime(name: str) -> None:
    for other in imports(name)[0]:
        if other.startswith("codec."):
            of_schemes = other.startswith("codec.schemes.") and other.endswith(".contract")
            assert room(other) in TRAINING_MAY_USE or of_schemes, other


@pytest.mark.parametrize("name", within("training"))
def test_families_stand_apart(name: str) -> None:
    own = room(name)
    for other in imports(name)[0]:
        if other.startswith("training.") and room(other) in FAMILIES and own != room(other):
            assert own in KNOWS_FAMILIES, other


def test_heavy_libraries_have_one_user() -> None:
    for library, expected in SOLE_USERS.items():
        users = {
            FILES[name].relative_to(ROOT).as_posix()
            for name in FILES
            if library in imports(name)[1]
        }
        assert users == expected


def test_no_torch_outside_training() -> None:
    for name in within("codec") + within("cli"):
        assert not imports(name)[1] & {"torch", "compressai", "onnx", "safetensors"}, name


def test_codec_has_few_rooms() -> None:
    rooms = {room(name) for name in within("codec")} - {""}
    assert rooms == CODEC.keys()
    assert len(rooms) <= CODEC_ROOMS_AT_MOST


def test_files_are_short() -> None:
    trees = [*LAYERS, "tests"]
    long = {
        path.relative_to(ROOT).as_posix(): count
        for tree in trees
        for path in (ROOT / tree).rglob("*.py")
        if (count := len(path.read_text("utf-8").splitlines())) > LINES_AT_MOST
    }
    assert long == {}
