"""Poison rows are found alone, the others all get through, at about twice the work."""

from __future__ import annotations

from typing import Any, ClassVar

import psycopg2
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sinks.database.engine import dispose_engines, engine_of
from sinks.sql import SqlSink
from sinks.table.evidence import MOST_DOUBTS, Evidence
from sinks.table.isolate import Blame, copy_line_of, isolate
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database, make_batch


def evidence() -> Evidence:
    """That of a commit to a table of which nothing is known yet."""
    return Evidence(("sqlite:///x.db", EVENTS))


def blame(error: BaseException) -> Blame:
    return "row" if isinstance(error, Refused) else "doubtful"


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

    def run(self, start: int, end: int) -> int:
        assert start < end
        self.pieces += 1
        first = next((row for row in range(start, end) if row in self.bad), None)
        self.work += end - start if first is None else first - start + 1
        if first is not None:
            raise Refused(first - start + 1 if self.named else None)
        self.rows.extend(range(start, end))
        return end - start

    def isolate(
        self, count: int, skip: set[int] | None = None, suspects: set[int] | None = None
    ) -> set[int]:
        return isolate(
            count,
            self.run,
            lambda row, error: self.failed.append(row),
            blame,
            evidence(),
            skip=skip or set(),
            suspects=lambda error, start, end: {
                row for row in suspects or () if start <= row < end
            },
        )


@given(
    st.integers(0, 300),
    st.sets(st.integers(0, 299)),
    st.sets(st.integers(0, 299)),
    st.booleans(),
    st.sets(st.integers(0, 299)),
)
def test_every_row_is_written_or_fails_once(
    count: int, bad: set[int], skip: set[int], named: bool, suspects: set[int]
) -> None:
    table = Table(bad, named=named)
    failed = table.isolate(count, skip, suspects)
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


def test_bad_rows_that_are_suspected_cost_two_pieces_each() -> None:
    bad = set(range(50, 10_000, 100))
    table = Table(bad, named=False)
    table.isolate(10_000, suspects=bad)
    assert table.pieces == 1 + len(bad) + len(bad) + 1
    assert table.work < 2.1 * 10_000


def test_an_error_that_blames_no_row_is_raised() -> None:
    def run(start: int, end: int) -> int:
        raise ValueError("the table is gone")

    with pytest.raises(ValueError, match="gone"):
        isolate(3, run, lambda row, error: None, lambda error: "nobody", evidence())


class Doubtful:
    """Takes rows a piece at a time, and raises an error that may be the table's for bad ones."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.failed: list[int] = []
        self.pieces = 0

    def run(self, start: int, end: int) -> int:
        self.pieces += 1
        if self.bad & set(range(start, end)):
            raise ValueError("a function failed")
        return end - start

    def isolate(self, count: int) -> None:
        rows = evidence()
        isolate(count, self.run, lambda row, error: self.failed.append(row), blame, rows)
        rows.check()


def test_a_doubtful_error_is_that_of_the_rows_if_others_pass() -> None:
    table = Doubtful({0, 1, 40})
    table.isolate(100)
    assert table.failed == [0, 1, 40]


def test_a_doubtful_error_of_every_row_is_no_rows() -> None:
    few = Doubtful({0, 1})
    with pytest.raises(ValueError, match="function"):
        few.isolate(2)
    many = Doubtful(set(range(10_000)))
    with pytest.raises(ValueError, match="function"):
        many.isolate(10_000)
    assert many.pieces < 8 * MOST_DOUBTS + 2 * LOGARITHM


def test_a_line_beyond_the_piece_is_not_believed() -> None:
    # A trigger that runs a COPY of its own would name a line of that one.
    seen: list[int] = []

    def run(start: int, end: int) -> int:
        if start <= 2 < end:
            raise Refused(999)
        return end - start

    isolate(5, run, lambda row, error: seen.append(row), blame, evidence())
    assert seen == [2]


def test_the_module_knows_copys_context() -> None:
    assert copy_line_of(Refused(12)) == 12
    german = ValueError()
    german.diag = type("Diagnostics", (), {"context": "COPY t, Zeile 7, Spalte v: »x«"})()  # type: ignore[attr-defined]
    assert copy_line_of(german) == 7
    assert copy_line_of(Refused(None)) is None
    assert copy_line_of(ValueError()) is None


ROWS = 5_000
LOGARITHM = 13  # of 5,000, to base 2


class Counting(psycopg2.extensions.cursor):
    """Notes the statements that move rows, as the sink sends them to the server."""

    seen: ClassVar[list[str]] = []

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002
        text = query.decode() if isinstance(query, bytes) else str(query)
        if text.split("; ")[-1].startswith(("WITH ", "INSERT INTO events")):  # after savepoints
            self.seen.append(text)
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self.seen.append(str(sql))
        super().copy_expert(sql, file, size)


def count_statements(database: Database, sink: SqlSink) -> list[str]:
    """The statements that the sink will send over connections made from now on."""
    dispose_engines()

    def count(connection: Any, record: object) -> None:
        connection.cursor_factory = Counting

    sa.event.listen(engine_of(sink.config.database), "connect", count)
    Counting.seen.clear()
    return Counting.seen


@pytest.mark.integration
class TestOnPostgres:
    """One poison row among 5,000, wherever it stands."""

    @pytest.mark.parametrize("poison", [0, 1, 2_499, 3_333, 4_999])
    @pytest.mark.parametrize(
        ("declared", "value", "staged", "limit"),
        [
            # COPY names the line: the rows before it once more, then ever larger pieces.
            pytest.param("integer CHECK (v > 0)", -1, False, 10, id="line-named"),
            # Foreign keys are checked at the end of the statement, which names no line: the rows are
            # staged then, and the database is asked which of them do not meet it.
            pytest.param("integer REFERENCES parents", 404, False, 5, id="copy"),
            pytest.param("integer REFERENCES parents", 404, True, 2 * LOGARITHM, id="staged"),
            pytest.param(
                "integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED",
                404,
                False,
                2 * LOGARITHM,
                id="deferred",
            ),
            # The database is asked which rows do not meet it, once it has refused all of them: that
            # takes a COPY, an INSERT and a ROLLBACK.
            pytest.param("integer CHECK (v > 0)", -1, True, 5 + 3, id="staged-check"),
        ],
    )
    def test_a_poison_row_costs_a_logarithm_of_statements(
        self,
        postgres: Database,
        poison: int,
        declared: str,
        value: int,
        staged: bool,
        limit: int,
    ) -> None:
        postgres.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)",
            "INSERT INTO parents VALUES (1)",
            f"CREATE TABLE events (id integer PRIMARY KEY, v {declared})",
        )
        sink = postgres.sink(key=["id"])
        if staged:  # a key that is there already sends the next batch through the staging table
            for source in ("before", "again"):
                sink.commit([make_batch([{"id": -1, "v": 1}], source=source)])
        seen = count_statements(postgres, sink)
        rows = [{"id": i, "v": value if i == poison else 1} for i in range(ROWS)]
        (settled,) = sink.commit([make_batch(rows)])
        (failure,) = (*settled.dead, *settled.retry)
        assert failure.origin.offset == poison
        assert settled.counts.inserted == ROWS - 1
        assert postgres.rows("SELECT count(*) FROM events WHERE id >= 0") == [(ROWS - 1,)]
        assert 2 <= len(seen) <= limit
        assert ("sluice_direct" in seen[0]) == (not staged), "at first"
        is_named = "CHECK" in declared
        assert any("ON CONFLICT" in each for each in seen) == (staged or not is_named)
