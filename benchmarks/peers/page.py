"""The part of docs/performance.md that the command writes, between two markers."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BEGIN = "<!-- Written by make bench-peers: begin -->"
END = "<!-- Written by make bench-peers: end -->"


def placed(page: str, section: str) -> str:
    """``page`` with ``section`` in the place of the one of the same heading, or after the others.

    Args:
        page: The text of the page.
        section: A heading of the third level (``### …``) and what belongs to it.

    Raises:
        ValueError: The page has not both markers, once each and in their order.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"{PAGE.name} needs one line {BEGIN!r}, and after it one line {END!r}")
    before, _, rest = page.partition(BEGIN)
    inside, _, after = rest.partition(END)
    heading = section.splitlines()[0]
    sections = [part.strip() for part in re.split(r"(?m)^(?=### )", inside) if part.strip()]
    places = [number for number, part in enumerate(sections) if part.splitlines()[0] == heading]
    if places:
        sections[places[0]] = section.strip()
    else:
        sections.append(section.strip())
    body = "\n\n".join(sections)
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"


def write(sections: list[str], path: Path = PAGE) -> None:
    """Put ``sections`` into the page."""
    text = path.read_text()
    for section in sections:
        text = placed(text, section)
    path.write_text(text)


def check(path: Path = PAGE) -> None:
    """Find out before a long measurement whether its tables can be written.

    Raises:
        ValueError: The page lacks a marker.
    """
    placed(path.read_text(), "### A section")
