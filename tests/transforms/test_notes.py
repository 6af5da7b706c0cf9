from __future__ import annotations

from collections.abc import Iterator

import pytest

from transforms import notes
from transforms.notes import Note


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    notes.reset()
    yield
    notes.reset()


def test_objects_of_a_group_are_counted_and_the_first_three_named() -> None:
    for n in range(1_005):
        notes.note("detected", "csv", f"file:///{n}")
    notes.note("detected", "jsonl", "file:///x")
    first, second = notes.noted()
    assert first == Note("detected", "csv", 1_005, ("file:///0", "file:///1", "file:///2"))
    assert str(first) == "file:///0, file:///1, file:///2 and 1,002 more"
    assert str(second) == "file:///x"


def test_groups_are_bounded() -> None:
    for n in range(1_000):
        notes.note("detected", str(n), "x")
    assert len(notes.noted()) == 100


def test_what_would_move_the_cursor_is_escaped() -> None:
    notes.note("passed_over", "", "s3://b/\x1b[2J\u202eé")
    assert notes.noted()[0].names == ("s3://b/\\x1b[2J\\u202eé",)


def test_a_new_run_begins_without_notes() -> None:
    notes.note("passed_over", "", "x")
    notes.reset()
    assert notes.noted() == []
