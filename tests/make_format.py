"""Writes ``docs/format.md`` from the docstrings of ``codec/container/`` and ``codec/schemes/``.

python tests/make_format.py
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent


def page() -> str:
    """The page, as `format.md` has to be."""
    text, _, example = _docstring("container").partition("Example:\n")
    lines = [line.removeprefix("    ") for line in example.splitlines()]
    note = (
        "This page is the docstrings of `codec/container/` and `codec/schemes/`;"
        " `python tests/make_format.py` makes it."
    )
    code = "\n".join(["```pycon", *lines, "```"])
    inside = _docstring("schemes").partition("\n\n")[2]
    parts = "# The .gnc format", note, text.strip(), code, "## Inside the segments", inside
    return "\n\n".join(parts) + "\n"


def _docstring(room: str) -> str:
    source = (ROOT / "codec" / room / "__init__.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").replace("``", "`")


if __name__ == "__main__":
    (ROOT / "docs" / "format.md").write_text(page(), "utf-8")
