"""Each page that is made from the code is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference.__main__ import PAGES
from tests.reference.page import COMMAND


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_page_is_what_the_code_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), f"run `{COMMAND}`, and commit docs/"
