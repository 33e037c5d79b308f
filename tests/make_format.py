"""Writes ``docs/format.md`` from the docstring of ``codec/container/``, its one source.

python tests/make_format.py
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent


def page() -> str:
    """The page, as `format.md` has to be."""
    source = (ROOT / "codec" / "container" / "__init__.py").read_text("utf-8")
    text = ast.get_docstring(ast.parse(source)) or ""
    text, _, example = text.partition("Example:\n")
    lines = [line.removeprefix("    ") for line in example.splitlines()]
    note = (
        "This page is the docstring of `codec/container/`; `python tests/make_format.py` makes it."
    )
    body = text.replace("``", "`").strip()
    code = "\n".join(["```pycon", *lines, "```"])
    return f"# The .gnc format\n\n{note}\n\n{body}\n\n{code}\n"


if __name__ == "__main__":
    (ROOT / "docs" / "format.md").write_text(page(), "utf-8")
