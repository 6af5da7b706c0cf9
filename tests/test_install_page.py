"""The page that says how to install names what pyproject.toml has."""

from __future__ import annotations

import re

from tests.test_readme import PROJECT, ROOT

PAGE = (ROOT / "docs" / "install.md").read_text()


def test_every_extra_is_on_the_page() -> None:
    _, _, extras = PAGE.partition("## Extras")
    listed = re.findall(r"^\| `(\w+)` \|", extras.partition("\n## ")[0], re.MULTILINE)
    assert listed == sorted(PROJECT["project"]["optional-dependencies"])


def test_the_page_has_the_oldest_python_that_is_allowed() -> None:
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"You need Python {oldest} or newer" in PAGE
