"""Rows in MariaDB: what one record at a time would have come to, with the counts of that.

Briefly here; ``make oracle`` tries many more cases.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sinks.database.engine import retried, transaction
from sinks.table.mariadb.writer import MariadbWriter
from sinks.table.schema import NewColumn
from tests.io.sinks.table.one_by_one import Column
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.retry_policy import FOREIGN_KEY
from transforms.route.table_name import TableName

Counts = Counter[str]

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "6"))
_numbers = itertools.count()
K, N, AT = (Column(name, "integer", (1, 2)) for name in ("k", "n", "at"))


def written(
    mariadb: Database, *records: Mapping[str, Any], table: str = "t", **options: Any
) -> Any:
    """What became of ``records``, written in one commit."""
    sink = mariadb.sink(table, **{"key": ["k"], **options})
    (settled,) = sink.commit([make_batch(records, source=f"file:///{next(_numbers)}")])
    return settled


class TestCounts:
    def test_keys_are_compared_as_the_collation_does(self, mariadb: Database) -> None:
        mariadb.run(
            "CREATE TABLE t (k varchar(20) PRIMARY KEY, v int)", "INSERT INTO t VALUES ('abc', 1)"
        )
        records = [
            {"k": "ABC", "v": 2},
            {"k": "abc ", "v": 3},
            {"k": "q", "v": 1},
            {"k": "Q", "v": 4},
        ]
        assert counts(written(mariadb, *records)) == {"read": 4, "inserted": 1, "duplicates": 3}
        settled = written(mariadb, *records, on_conflict="update")
        assert counts(settled) == {"read": 4, "updated": 4}
        assert mariadb.rows("SELECT k, v FROM t ORDER BY k") == [("abc", 3), ("q", 4)]

    def test_newest_counts_what_it_changes(self, mariadb: Database) -> None:
        mariadb.run(
            "CREATE TABLE t (k int PRIMARY KEY, v varchar(9), at datetime(6))",
            "INSERT INTO t VALUES (1, 'old', '2024-01-01'), (2, 'old', NULL)",
        )
        records = [
            {"k": 1, "v": "later", "at": "2024-01-02T00:00:00Z"},
            {"k": 1, "v": "earlier", "at": "2024-01-01T23:00:00Z"},
            {"k": 1, "v": "same", "at": "2024-01-02T02:00:00+02:00"},
            {"k": 2, "v": "first", "at": "2020-01-01T00:00:00Z"},
            {"k": 3, "v": "new", "at": None},
        ]
        settled = written(mariadb, *records, on_conflict="newest:at")
        assert counts(settled) == {"read": 5, "inserted": 1, "updated": 2, "duplicates": 2}
        assert mariadb.rows("SELECT k, v FROM t ORDER BY k") == [
            (1, "later"),
            (2, "first"),
            (3, "new"),
        ]

    def test_a_trigger_sees_no_update_that_is_none(self, mariadb: Database) -> None:
        mariadb.run(
            "CREATE TABLE t (k int PRIMARY KEY, v int, seen int NOT NULL DEFAULT 0)",
            "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW SET NEW.seen = OLD.seen + 1",
            "INSERT INTO t (k, v) VALUES (1, 1)",
        )
        written(mariadb, {"k": 1, "v": 2}, {"k": 2, "v": 2}, {"k": 2, "v": 3})
        assert mariadb.rows("SELECT k, v, seen FROM t ORDER BY k") == [(1, 1, 0), (2, 2, 0)]

    def test_another_unique_column_is_not_the_key(self, mariadb: Database) -> None:
        mariadb.run(
            "CREATE TABLE t (k int PRIMARY KEY, mail varchar(20) UNIQUE, v int)",
            "INSERT INTO t VALUES (1, 'a', 1)",
        )
        settled = written(
            mariadb,
            {"k": 2, "mail": "a", "v": 2},
            {"k": 3, "mail": "b", "v": 3},
            on_conflict="update",
        )
        assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
        assert mariadb.rows("SELECT k, v FROM t ORDER BY k") == [(1, 1), (3, 3)]

    def test_a_number_of_the_database_is_no_key(self, mariadb: Database) -> None:
        mariadb.run(
            "CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, k varchar(9) UNIQUE NOT NULL, v int)"
        )
        written(mariadb, {"k": "a", "v": 1}, {"k": "b", "v": 2})
        settled = written(mariadb, {"k": "b", "v": 3}, {"k": "c", "v": 4}, on_conflict="update")
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}
        assert mariadb.rows("SELECT k, v FROM t ORDER BY k") == [("a", 1), ("b", 3), ("c", 4)]


def test_values_are_exact_or_dead(mariadb: Database) -> None:
    mariadb.run(
        "CREATE TABLE t (k int PRIMARY KEY, n decimal(10,2), at timestamp(6) NULL, s varchar(3), "
        "j json, raw longblob, f double)"
    )
    good: list[dict[str, Any]] = [
        {"k": 1, "n": Decimal("12345678.90"), "at": "2024-06-01T12:00:00.000001+02:00"},
        {"k": 2, "s": "\U0001f600\x00\\", "j": {"a": [1, "'"]}, "raw": bytes(range(256)), "f": 0.1},
        {"k": 3, "j": "text", "s": ""},
    ]
    bad: list[dict[str, Any]] = [
        {"k": 10, "n": Decimal("1.005")},
        {"k": 11, "n": Decimal("123456789.1")},
        {"k": 12, "s": "abcd"},
        {"k": 13, "s": "abc "},
        {"k": 14, "s": "\ud800"},
        {"k": 15, "at": "2024-02-30T00:00:00Z"},
        {"k": 16, "at": "2050-01-01T00:00:00Z"},
        {"k": 3_000_000_000},
        {"k": 18, "at": 1700000000},
    ]
    sink = mariadb.sink("t", key=["k"])
    batch = replace(make_batch([]), span=replace(make_batch([]).span, end=12))
    records = [*good, *bad]
    batch = replace(batch, offsets=list(range(12)), raws=[b"{}"] * 12, values=records)
    (settled,) = sink.commit([batch])
    assert {failure.origin.offset for failure in settled.dead} == set(range(3, 12))
    assert {failure.category for failure in settled.dead} == {"data"}
    assert mariadb.rows("SELECT k, n, CAST(at AS char) FROM t WHERE k = 1") == [
        (1, Decimal("12345678.90"), "2024-06-01 10:00:00.000001")
    ]
    assert mariadb.rows("SELECT s, j, raw, f FROM t WHERE k = 2") == [
        ("\U0001f600\x00\\", '{"a":[1,"\'"]}', bytes(range(256)), 0.1)
    ]
    assert mariadb.rows("SELECT j, s FROM t WHERE k = 3") == [('"text"', "")]


def test_a_dead_letter_of_any_size_and_hash_is_kept(mariadb: Database) -> None:
    """Hashes are no UUIDs by the standard, a record may have more than 64 kB, and a text any character."""
    sink = mariadb.sink("t", key=["k"])
    records = [{"x": n} for n in range(40)] + [{"x": "y" * 70_000 + "\U0001f600"}]
    (settled,) = sink.commit([make_batch(records, partition="p" * 1_300)])
    assert counts(settled) == {"read": 41, "dead": 41}
    assert mariadb.rows("SELECT COUNT(*), MAX(LENGTH(raw)) > 70000 FROM ingest_jobs") == [(41, 1)]


def test_a_parent_that_is_not_there_yet_may_be_waited_for(mariadb: Database) -> None:
    mariadb.run(
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "CREATE TABLE t (k int PRIMARY KEY, parent int REFERENCES parents (id))",
    )
    settled = written(mariadb, {"k": 1, "parent": 1}, {"k": 2})
    assert counts(settled) == {"read": 2, "inserted": 1, "retry": 1}
    assert settled.retry[0].category == FOREIGN_KEY


def test_tables_lie_deeper_than_those_that_they_refer_to(mariadb: Database) -> None:
    mariadb.run(
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "CREATE TABLE t (k int PRIMARY KEY, parent int REFERENCES parents (id))",
    )
    with transaction(mariadb.database, "test") as connection:
        tables = [TableName("t", None), TableName("parents", None)]
        assert MariadbWriter().depths(connection, tables) == [1, 0]


def test_two_writers_at_once_lose_no_record(mariadb: Database) -> None:
    """They update the same keys in opposite orders, so that MariaDB undoes one of them now and then."""
    mariadb.run("CREATE TABLE t (k int PRIMARY KEY, v int)")
    mariadb.sink("t", key=["k"], on_conflict="update")
    both = threading.Barrier(2)

    def write(writer: int) -> Counts:
        sink = mariadb.sink("t", key=["k"], on_conflict="update")
        total: Counts = Counter()
        for number in range(5):
            keys = range(200) if writer else reversed(range(200))
            records = [{"k": k, "v": 1_000 * number + k} for k in keys]
            batch = make_batch(records, 200 * number, source=f"file:///{writer}")
            both.wait(60)
            (settled,) = retried(lambda batch=batch: sink.commit([batch]))  # type: ignore[misc]
            total.update(counts(settled))
        return total

    with ThreadPoolExecutor(2) as pool:
        totals = list(pool.map(write, (0, 1)))
    assert sum((Counter(total) for total in totals), Counter()) == {
        "read": 2_000,
        "inserted": 200,
        "updated": 1_800,
    }
    assert mariadb.rows("SELECT k, v FROM t ORDER BY k") == [(k, 4_000 + k) for k in range(200)]


def test_a_column_is_added_once(mariadb: Database) -> None:
    mariadb.run("CREATE TABLE t (k int PRIMARY KEY)")
    with transaction(mariadb.database, "test") as connection:
        for _ in range(2):
            MariadbWriter().add_column(
                connection, TableName("t", None), NewColumn("at", "timestamp")
            )
        description = MariadbWriter().describe(connection, TableName("t", None))
    assert description is not None
    assert [column.type for column in description.columns] == ["int(11)", "datetime(6)"]
