"""Every section of an example is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.shell import EXAMPLES, section


@pytest.mark.parametrize(
    "page", sorted(EXAMPLES.glob("*/README.md")), ids=lambda page: page.parent.name
)
def test_every_section_of_an_example_that_has_commands_is_played(page: Path) -> None:
    tests = (Path(__file__).parent / f"test_{page.parent.name}.py").read_text()
    titles = [
        line.removeprefix("## ") for line in page.read_text().splitlines() if line.startswith("## ")
    ]
    assert section(page)
    assert [title for title in titles if section(page, title) and f'"{title}"' not in tests] == []
