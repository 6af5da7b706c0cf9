"""docs/python.md: the names of the Python API, whose signatures and docstrings the site puts there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module

from tests.reference.page import COMMAND, DOCS

PAGE = DOCS / "python.md"
API = (DOCS / "api.md").read_text(encoding="utf-8")

_HEAD = f"""# Python reference

These are all names of the [Python API](api.md), with their parameters and what they raise. `{COMMAND}` makes the list from the tables
of that page, and the site (`make docs`) takes signatures and descriptions from the code. In the repository you see the import paths, and
the methods that the page uses; `help(…)` in Python shows the rest.
"""


def page() -> str:
    """The text of the page."""
    return "\n".join((_HEAD, *_lines()))


def members_of(value: object) -> list[str]:
    """The methods and properties of a class that docs/api.md uses; its fields stand in its docstring."""
    if not isinstance(value, type):
        return []
    used = set(re.findall(r"\.([a-z]\w+)", API))
    own = {field.name for field in fields(value)} if is_dataclass(value) else set[str]()
    return sorted(name for name in vars(value) if name in used - own)


def _lines() -> Iterator[str]:
    """A heading for each part of docs/api.md that has names, and a line for each name."""
    parts = re.split(r"^##+ (.+)$", API, flags=re.MULTILINE)
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        names = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", text, re.MULTILINE)
        if names:
            yield f"## {title}\n"
        for name, module in names:
            value = getattr(import_module(module), name)
            lines = [f"::: {module}.{name}"]
            if isinstance(value, type):
                lines += ["    options:", f"      members: [{', '.join(members_of(value))}]"]
            yield "\n".join(lines) + "\n"
