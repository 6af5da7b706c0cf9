"""How many processes share a limit; test_polling.py has those that a database knows."""

from __future__ import annotations

import pytest

from sinks.control.processes import Process, sharing

ONE = Process("1", frozenset({"kafka://h/a", "/in/*.csv"}))
TWO = Process("2", frozenset({"kafka://h/b"}))


@pytest.mark.parametrize(
    ("own", "source", "number"),
    [
        ((), "", 3),
        (("1",), "", 2),
        (("1", "2"), "", 1),
        ((), "kafka://h/a", 2),
        (("1",), "kafka://h/a", 1),
        ((), "kafka://h/other", 1),
        (("2",), "kafka://a", 2),
    ],
)
def test_this_process_and_the_others_that_read_the_source(
    own: tuple[str, ...], source: str, number: int
) -> None:
    def names(text: str, source: str) -> bool:
        return text.rpartition("/")[2] == source.rpartition("/")[2]

    assert sharing([ONE, TWO], own, source, names) == number


def test_a_process_that_begins_is_alone() -> None:
    assert sharing([], (), "") == 1
