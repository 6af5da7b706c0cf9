"""What the pages tell a reader of the first hour to type: their commands, by section, and their files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.test_readme import blocks, commands

TUTORIAL_SECTIONS = (
    "2. Load it",
    "3. Find out what is wrong",
    "4. The schema was wrong: replay",
)
"""The sections of the tutorial up to the first dead letter that is replayed."""

POSTGRES, SQLITE = "postgresql://loader@localhost/shop", "sqlite:///shop.db"
"""The database of the tutorial, and the one that it allows to a reader without it."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A part of a page.

    Attributes:
        commands: What is typed.
        files: What is written down before, by name.
    """

    commands: Sequence[str]
    files: dict[str, str] = field(default_factory=dict)


def sections(page: str, *titles: str) -> str:
    """The text of some sections of a page."""
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    return "".join(parts[parts.index(title) + 1] for title in titles)


def first_rows(checkout: Path) -> tuple[Lesson, Lesson]:
    """What README says: how to install, and how one's own file gets into a table."""
    page = sections((checkout / "README.md").read_text(), "Your first rows")
    installing, *rows = (command.text for command in commands(page))
    return Lesson([installing]), Lesson(rows, dict(blocks(page, "csv")))


def replayed(checkout: Path) -> Lesson:
    """What the tutorial says, up to the first dead letter that is replayed; in SQLite."""
    page = (checkout / "docs" / "tutorial.md").read_text().replace(POSTGRES, SQLITE)
    files = {name: text for kind in ("csv", "json") for name, text in blocks(page, kind) if name}
    chosen = commands(sections(page, *TUTORIAL_SECTIONS))
    return Lesson([command.text for command in chosen], files)
