"""docs/python.md: the names of the Python API, whose signatures and docstrings the site puts there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.reference.page import COMMAND, DOCS

PAGE = DOCS / "python.md"

_HEAD = f"""# Python reference

These are all names of the [Python API](api.md), with their parameters and what they raise. `{COMMAND}` makes the list from the tables
of that page, and the site (`make docs`) takes signatures and descriptions from the code. In the repository you see the import paths
alone; `help(…)` in Python shows the rest.
"""


def page() -> str:
    """The text of the page."""
    return "\n".join((_HEAD, *_lines()))


def _lines() -> Iterator[str]:
    """A heading for each part of docs/api.md that has names, and a line for each name."""
    parts = re.split(
        r"^##+ (.+)$", (DOCS / "api.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        names = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", text, re.MULTILINE)
        if names:
            yield f"## {title}\n"
        for name, module in names:
            yield f"::: {module}.{name}\n"
