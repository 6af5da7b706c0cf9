"""docs/map.svg shows every wing, and no wing imports one that is not drawn below it."""

from __future__ import annotations

from tests.reference.map_picture import (
    ASIDE,
    BESIDE,
    QUESTIONS,
    ROWS,
    folders_of,
    imports,
    picture,
    places,
)
from tests.test_architecture import FOLDERS
from tests.test_docs import ROOT


def test_every_wing_is_drawn_once_with_its_folders() -> None:
    drawn = [name for row in ROWS for name in row] + [ASIDE]
    assert sorted(drawn) == sorted(FOLDERS) == sorted(QUESTIONS)
    assert picture().count('class="name"') == len(drawn)
    assert {"files +7", "jobs"} <= set(folders_of("sources"))


def test_a_wing_imports_only_those_below_it() -> None:
    """Those of one row do not import each other, and nothing beside it imports what stands aside."""
    assert ("pipelines", "sinks") in imports()
    for wing, other in imports():
        assert wing != ASIDE
        assert places()[wing] < places().get(other, BESIDE), (wing, other)


def test_the_table_of_contributing_asks_the_same() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [question for question in QUESTIONS.values() if question not in text] == []
