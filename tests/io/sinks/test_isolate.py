"""Poison rows are found alone, the others all get through, at about twice the work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks import isolate as module
from sinks.isolate import isolate


class Refused(ValueError):
    """Stands for a driver's error; with ``line`` it is one of COPY's."""

    def __init__(self, line: int | None) -> None:
        super().__init__(line)
        if line is not None:
            context = f'COPY t, line {line}, column v: "x"'
            self.diag = type("Diagnostics", (), {"context": context})()


class Table:
    """Takes rows a piece at a time, all or none, and refuses the bad ones."""

    def __init__(self, bad: set[int], *, named: bool) -> None:
        self.bad = bad
        self.named = named
        self.rows: list[int] = []
        self.failed: list[int] = []
        self.work = 0
        self.pieces = 0

    def run(self, start: int, end: int) -> None:
        assert start < end
        self.pieces += 1
        first = next((row for row in range(start, end) if row in self.bad), None)
        self.work += end - start if first is None else first - start + 1
        if first is not None:
            raise Refused(first - start + 1 if self.named else None)
        self.rows.extend(range(start, end))

    def isolate(self, count: int, skip: set[int] | None = None) -> set[int]:
        return isolate(
            count,
            self.run,
            lambda row, error: self.failed.append(row),
            lambda error: isinstance(error, Refused),
            skip=skip or set(),
        )


@given(
    st.integers(0, 300),
    st.sets(st.integers(0, 299)),
    st.sets(st.integers(0, 299)),
    st.booleans(),
)
def test_every_row_is_written_or_fails_once(
    count: int, bad: set[int], skip: set[int], named: bool
) -> None:
    table = Table(bad, named=named)
    failed = table.isolate(count, skip)
    rows = set(range(count)) - skip
    assert table.rows == sorted(rows - bad)
    assert table.failed == sorted(rows & bad)
    assert failed == rows & bad


def test_named_lines_cost_about_twice_the_work() -> None:
    table = Table(set(range(50, 10_000, 100)), named=True)
    table.isolate(10_000)
    assert table.work < 2.2 * 10_000
    assert table.pieces < 400


def test_one_bad_row_without_a_name_costs_a_logarithm_of_pieces() -> None:
    table = Table({7_001}, named=False)
    table.isolate(10_000)
    assert table.pieces < 3 * 14


def test_an_error_that_blames_no_row_is_raised() -> None:
    def run(start: int, end: int) -> None:
        raise ValueError("the table is gone")

    with pytest.raises(ValueError, match="gone"):
        isolate(3, run, lambda row, error: None, lambda error: False)


def test_a_line_beyond_the_piece_is_not_believed() -> None:
    # A trigger that runs a COPY of its own would name a line of that one.
    seen: list[int] = []

    def run(start: int, end: int) -> None:
        if start <= 2 < end:
            raise Refused(999)

    isolate(5, run, lambda row, error: seen.append(row), lambda error: True)
    assert seen == [2]


def test_the_module_knows_copys_context() -> None:
    assert module.line_of(Refused(12)) == 12
    assert module.line_of(Refused(None)) is None
    assert module.line_of(ValueError()) is None
