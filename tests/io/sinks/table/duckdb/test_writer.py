"""Rows in DuckDB: what one record at a time would have come to, with the counts of that.

Briefly here; ``make oracle`` tries many more cases.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings

from sinks.database.engine import engine_of, transaction
from sinks.sql import SqlSink
from sinks.table.duckdb.writer import DuckdbWriter
from sinks.table.schema import NewColumn
from sinks.table.target import Column as TargetColumn
from tests.io.sinks.table.one_by_one import SQLITE, Case, Column, Outcome, cases
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.retry_policy import FOREIGN_KEY, RetryPolicy
from transforms.errors import Contention
from transforms.route.table_name import TableName

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "3"))
_numbers = itertools.count()
K, N, AT = (Column(name, "integer", (1, 2)) for name in ("k", "n", "at"))


def written(
    database: Database, *records: Mapping[str, Any], table: str = "t", **options: Any
) -> Any:
    """What became of ``records``, written in one commit."""
    sink = database.sink(table, **{"key": ["k"], **options})
    (settled,) = sink.commit([make_batch(records, source=f"file:///{next(_numbers)}")])
    return settled


def case(mode: str, *records: dict[str, Any], constraint: str = "CHECK (n > 0)") -> Case:
    return Case((K, N, AT), ("k",), [constraint], mode, [[list(records)]])


def in_duckdb(case: Case) -> Case:
    """``case`` without the name ``at``, which is a reserved word."""

    def renamed(record: Mapping[str, Any]) -> dict[str, Any]:
        return {name.replace("at", "ts"): value for name, value in record.items()}

    return replace(
        case,
        columns=[
            replace(
                column,
                name=column.name.replace("at", "ts"),
                declared=column.declared.replace("REFERENCES parents", "REFERENCES parents (id)"),
            )
            for column in case.columns
        ],
        constraints=[re.sub(r"\bat\b", "ts", text) for text in case.constraints],
        mode=case.mode.replace("newest:at", "newest:ts"),
        commits=[[[renamed(r) for r in batch] for batch in commit] for commit in case.commits],
    )


def apply(connection: Any, table: str, case: Case) -> Outcome:
    """The reference: one record at a time, each in a transaction of its own."""
    outcome = Outcome()
    for offset, record in enumerate(case.records):
        try:
            effective = _apply(connection, table, case, record)
        except (duckdb.Error, KeyError):
            outcome.refused.add(offset)
        else:
            if not effective:
                outcome.either.add(offset)
    return outcome


def _apply(connection: Any, table: str, case: Case, record: Mapping[str, Any]) -> bool:
    key = [record[name] for name in case.key]
    if None in key:
        raise KeyError
    where = " AND ".join(f"{name} = ?" for name in case.key)
    newest = case.mode.startswith("newest")
    kind = next((c.declared.split()[0] for c in case.columns if c.name == "ts"), "")
    wins = f"ts IS NULL OR coalesce(CAST(? AS {kind}) > ts, false)" if newest else "true"
    there = connection.execute(
        f"SELECT {wins} FROM {table} WHERE {where}", [record.get("ts"), *key] if newest else key
    ).fetchone()
    if there is None:
        marks = ", ".join(["?"] * len(record))
        statement = f"INSERT INTO {table} ({', '.join(record)}) VALUES ({marks})"
        connection.execute(statement, list(record.values()))
        return True
    changes = [name for name in record if name not in case.key]
    if case.mode == "ignore" or not there[0]:
        return False
    if changes:
        statement = f"UPDATE {table} SET {', '.join(f'{n} = ?' for n in changes)} WHERE {where}"
        connection.execute(statement, [*(record[name] for name in changes), *key])
    return True


def test_rows_and_refused_records_are_those_of_one_at_a_time(duckdb_database: Database) -> None:
    duckdb_database.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1), (2)"
    )
    duckdb_database.sink("prepared", key=["id"])
    with closing(duckdb_database.connect()) as connection:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @example(case("ignore", {"k": 1, "n": -1}, {"k": 1, "n": 5}))
        @example(case("update", {"k": 1, "n": -1}, {"k": 1, "n": 5}, {"k": 1}))
        @example(
            case(
                "newest:at", {"k": 1, "n": -1, "at": 9}, {"k": 1, "n": 5, "at": 2}, {"k": 1, "n": 6}
            )
        )
        @example(
            case(
                "update",
                {"k": 1, "n": 1},
                {"k": 1, "n": 2},
                {"k": 2, "n": 1},
                constraint="UNIQUE (n)",
            )
        )
        @given(cases(SQLITE))
        def compare(case: Case) -> None:
            _compare(duckdb_database, connection, in_duckdb(case))

        compare()


def _compare(database: Database, connection: Any, case: Case) -> None:
    table = f"t{next(_numbers)}"
    for name in (table, f"{table}_expected"):
        for statement in case.ddl(name):
            connection.execute(statement)
    try:
        expected = apply(connection, f"{table}_expected", case)
        config = database.config(table, key=case.key, on_conflict=case.mode)
        sink = SqlSink(config, RetryPolicy(max_attempts=1), outbox=case.effects)
        refused: set[int] = set()
        inserted = offset = 0
        for commit in case.commits:
            batches = []
            for values in commit:
                batches.append(make_batch(values, offset, source=f"file:///{table}"))
                offset += len(values)
            for settled in sink.commit(batches, isolate=case.isolate):
                refused |= {failure.origin.offset for failure in (*settled.dead, *settled.retry)}
                inserted += settled.counts.inserted
                assert settled.counts.duplicates >= 0
        rows = {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in (table, f"{table}_expected")
        }
        assert rows[table] == rows[f"{table}_expected"]
        assert refused - expected.either == expected.refused - expected.either
        assert inserted == len(rows[table])
    finally:
        for name in (table, f"{table}_expected"):
            connection.execute(f"DROP TABLE {name}")


class TestCounts:
    def test_newest_counts_what_it_changes(self, duckdb_database: Database) -> None:
        duckdb_database.run(
            "CREATE TABLE t (k int PRIMARY KEY, v varchar, ts timestamptz)",
            "INSERT INTO t VALUES (1, 'old', '2024-01-01 00:00:00+00'), (2, 'old', NULL)",
        )
        records = [
            {"k": 1, "v": "later", "ts": "2024-01-02T00:00:00Z"},
            {"k": 1, "v": "earlier", "ts": "2024-01-01T23:00:00Z"},
            {"k": 1, "v": "same", "ts": "2024-01-02T02:00:00+02:00"},
            {"k": 2, "v": "first", "ts": "2020-01-01T00:00:00Z"},
            {"k": 3, "v": "new", "ts": None},
        ]
        settled = written(duckdb_database, *records, on_conflict="newest:ts")
        assert counts(settled) == {"read": 5, "inserted": 1, "updated": 2, "duplicates": 2}
        assert duckdb_database.rows("SELECT k, v FROM t ORDER BY k") == [
            (1, "later"),
            (2, "first"),
            (3, "new"),
        ]

    def test_keys_are_equal_whatever_they_are_spelt_like(self, duckdb_database: Database) -> None:
        duckdb_database.run("CREATE TABLE t (k decimal(9,2), l double, v int, PRIMARY KEY (k, l))")
        records: list[dict[str, Any]] = [
            {"k": 1, "l": 0.0, "v": 1},
            {"k": "1.0", "l": -0.0, "v": 2},
            {"k": Decimal("1.00"), "l": 0, "v": 3},
            {"k": 1, "l": float("nan"), "v": 4},
            {"k": 1.0, "l": float("nan"), "v": 5},
        ]
        settled = written(duckdb_database, *records, key=["k", "l"], on_conflict="update")
        assert counts(settled) == {"read": 5, "inserted": 2, "updated": 3}
        assert duckdb_database.rows("SELECT v FROM t ORDER BY v") == [(3,), (5,)]

    def test_another_unique_column_is_not_the_key(self, duckdb_database: Database) -> None:
        duckdb_database.run(
            "CREATE TABLE t (k int PRIMARY KEY, mail varchar UNIQUE, v int)",
            "INSERT INTO t VALUES (1, 'a', 1)",
        )
        settled = written(
            duckdb_database,
            {"k": 2, "mail": "a", "v": 2},
            {"k": 3, "mail": "b", "v": 3},
            {"k": 1, "mail": "a", "v": 4},
            on_conflict="update",
        )
        assert counts(settled) == {"read": 3, "inserted": 1, "updated": 1, "dead": 1}
        assert duckdb_database.rows("SELECT k, v FROM t ORDER BY k") == [(1, 4), (3, 3)]

    def test_changes_are_known_record_by_record(self, duckdb_database: Database) -> None:
        duckdb_database.run(
            "CREATE TABLE t (k uuid PRIMARY KEY, v int CHECK (v < 9), ts timestamp)",
            "INSERT INTO t SELECT '00000000-0000-0000-0000-000000000001', 1, '2024-01-01'",
        )
        records = [
            {
                "k": f"00000000-0000-0000-0000-00000000000{n}",
                "v": v,
                "ts": f"202{v}-01-01T00:00:00Z",
            }
            for n, v in ((1, 3), (2, 5), (3, 9), (1, 5), (4, 6))
        ]
        config = duckdb_database.config("t", key=["k"], on_conflict="newest:ts")
        sink = SqlSink(config, outbox=True)
        sink.prepare()
        (settled,) = sink.commit([make_batch(records)])
        expected = {"read": 5, "inserted": 2, "updated": 1, "dead": 1, "duplicates": 1}
        assert counts(settled) == expected
        query = 'SELECT "offset", operation FROM ingest_outbox ORDER BY 1'
        assert duckdb_database.rows(query) == [(1, "insert"), (3, "update"), (4, "insert")]


def test_values_are_exact_or_dead(duckdb_database: Database) -> None:
    duckdb_database.run(
        "CREATE TABLE t (k int PRIMARY KEY, n decimal(10,2), ts timestamptz, s varchar, "
        "j json, raw blob, f double)"
    )
    good: list[dict[str, Any]] = [
        {"k": 1, "n": Decimal("12345678.90"), "ts": "2024-06-01T12:00:00.000001+02:00"},
        {"k": 2, "s": "\U0001f600\x00\\", "j": {"a": [1, "'"]}, "raw": bytes(range(256)), "f": 0.1},
        {"k": 3, "j": "text", "s": ""},
    ]
    bad: list[dict[str, Any]] = [
        {"k": 10, "n": Decimal("1.005")},
        {"k": 11, "n": Decimal("123456789.1")},
        {"k": 12, "s": "\ud800"},
        {"k": 13, "ts": "2024-02-30T00:00:00Z"},
        {"k": 3_000_000_000},
        {"k": 1.5},
        {"k": 15, "ts": 1700000000},
    ]
    sink = duckdb_database.sink("t", key=["k"])
    batch = replace(make_batch([]), span=replace(make_batch([]).span, end=10))
    records = [*good, *bad]
    batch = replace(batch, offsets=list(range(10)), raws=[b"{}"] * 10, values=records)
    (settled,) = sink.commit([batch])
    assert {failure.origin.offset for failure in settled.dead} == set(range(3, 10))
    assert {failure.category for failure in settled.dead} == {"data"}
    assert duckdb_database.rows("SELECT k, n, epoch_us(ts) FROM t WHERE k = 1") == [
        (1, Decimal("12345678.90"), 1717236000000001)
    ]
    assert duckdb_database.rows("SELECT s, j, raw, f FROM t WHERE k = 2") == [
        ("\U0001f600\x00\\", '{"a":[1,"\'"]}', bytes(range(256)), 0.1)
    ]
    assert duckdb_database.rows("SELECT j, s FROM t WHERE k = 3") == [('"text"', "")]


def test_a_parent_that_is_not_there_yet_may_be_waited_for(duckdb_database: Database) -> None:
    duckdb_database.run(
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "CREATE TABLE t (k int PRIMARY KEY, parent int REFERENCES parents (id))",
    )
    settled = written(duckdb_database, {"k": 1, "parent": 1}, {"k": 2})
    assert counts(settled) == {"read": 2, "inserted": 1, "retry": 1}
    assert settled.retry[0].category == FOREIGN_KEY


def test_a_table_gets_columns_and_what_misfits_is_told(duckdb_database: Database) -> None:
    duckdb_database.run("CREATE TABLE t (k int PRIMARY KEY)")
    writer = DuckdbWriter()
    table = TableName("t")
    with transaction(duckdb_database.database, "test") as connection:
        writer.create(connection, table, [NewColumn("k", "integer")], ["k"])
        statement = writer.add_column(connection, table, NewColumn("v", "json"))
        assert statement == 'ALTER TABLE "t" ADD COLUMN IF NOT EXISTS "v" JSON'
        assert writer.depths(connection, [table]) == [0]
        description = writer.describe(connection, table)
    assert description is not None
    assert [column.type for column in description.columns] == ["integer", "json"]
    number = TargetColumn("k", "integer")
    assert [writer.misfits(number, value) for value in (7, "7", "x", 1.5)] == [
        *(False, False),
        *(True, True),
    ]
    assert writer.widened(number, [2**40]) is None


def test_a_key_that_another_connection_entered_meanwhile_is_no_records_fault(
    duckdb_database: Database,
) -> None:
    duckdb_database.run("CREATE TABLE t (k int PRIMARY KEY, v int)")
    sink = duckdb_database.sink("t", key=["k"])
    batch = make_batch([{"k": 1, "v": 1}, {"k": 2, "v": 2}])
    entered: list[str] = []

    def enter(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith('INSERT INTO "t"') and not entered:
            entered.append("INSERT INTO t VALUES (1, 9)")
            duckdb_database.run(*entered)

    sa.event.listen(engine_of(sink.config.database), "before_cursor_execute", enter)
    with pytest.raises(Contention, match="another connection entered the same rows of t"):
        sink.commit([batch])
    (settled,) = sink.commit([batch])
    assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}
    assert duckdb_database.rows("SELECT * FROM t ORDER BY 1") == [(1, 9), (2, 2)]
