"""The command writes its own part of the page, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.page import BEGIN, END, check, placed, write

TEXT = f"# A page\n\n{BEGIN}\n{END}\n\n## The rest\n"
ONE = "### Files, 10 records\n\nfirst\n"
OTHER = "### Files, 100 records\n\nsecond\n"


def test_a_section_goes_between_the_markers() -> None:
    page = placed(TEXT, ONE)
    assert page == f"# A page\n\n{BEGIN}\n\n{ONE}\n{END}\n\n## The rest\n"


def test_sections_of_other_headings_stay_in_their_order() -> None:
    page = placed(placed(TEXT, ONE), OTHER)
    assert page.index("first") < page.index("second") < page.index("## The rest")


def test_a_section_replaces_the_one_of_its_heading_where_that_stands() -> None:
    page = placed(placed(TEXT, ONE), OTHER)
    again = placed(page, ONE.replace("first", "third"))
    assert again == page.replace("first", "third")


@pytest.mark.parametrize("text", ["# A page\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_a_page_without_both_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="needs one line"):
        write([ONE], page)
    with pytest.raises(ValueError, match="needs one line"):
        check(page)
    assert page.read_text() == text


def test_the_page_of_this_project_has_the_markers() -> None:
    check()
