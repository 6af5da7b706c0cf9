from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg2
import pyarrow as pa
import pytest

from sinks.footprints import footprint_of, in_flight, keys_of
from sinks.table.config import OnConflict
from sinks.table.target import Column, Interplay, Target
from tests.io.sinks.routed import LINES, NOTES, ORDERS, keyed, sink_of
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.record import Attempt, Claim, RecordBatch
from transforms.parse.columns.arrow_cells import ArrowCells
from transforms.parse.columns.columnar import Columnar
from transforms.route.table_name import TableName
from transforms.settle.flight import Footprint

ONE = "ABCDEF00-0000-0000-0000-00000000000a"
ANOTHER = "abcdef00-0000-0000-0000-00000000000b"


def target(*columns: tuple[str, str], one_spelling: bool = True) -> Target:
    return Target(
        table=TableName("t"),
        label="t",
        columns=tuple(Column(name, kind, one_spelling=one_spelling) for name, kind in columns),
        generated=frozenset(),
        key=tuple(name for name, _ in columns),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict.parse("ignore"),
        unknown_fields="reject",
        interplay=Interplay(),
    )


def keys(kind: str, *values: object) -> Any:
    return keys_of(target(("id", kind)), [{"id": value} for value in values])


class TestKeys:
    @pytest.mark.parametrize(
        ("kind", "spellings"),
        [
            ("int8", [12, "12"]),
            ("int4", [-1, "-1"]),
            ("text", ["a", "a"]),
            (
                "uuid",
                [
                    ONE,
                    ONE.lower(),
                    ONE.replace("-", ""),
                    UUID(ONE),
                    "abcdef000000-" + "0" * 19 + "a",
                ],
            ),
        ],
    )
    def test_all_spellings_of_a_value_are_one_key(self, kind: str, spellings: list[object]) -> None:
        forms = [keys(kind, spelling) for spelling in spellings]
        assert None not in forms
        assert len(set().union(*forms)) == 1

    @pytest.mark.parametrize(
        ("kind", "cell"),
        [
            ("int8", "007"),
            ("int8", "+7"),
            ("int8", " 7"),
            ("int8", 7.0),
            ("int8", True),
            ("text", 7),
            ("uuid", "{" + ONE + "}"),
            ("uuid", ONE + "\n" + ONE),
        ],
    )
    def test_what_may_be_another_spelling_of_any_value_may_be_any_key(
        self, kind: str, cell: object
    ) -> None:
        assert keys(kind, cell) is None

    @pytest.mark.parametrize("kind", ["numeric", "timestamptz", "citext", "bpchar"])
    def test_a_column_whose_values_have_several_spellings_has_any_key(self, kind: str) -> None:
        assert keys_of(target(("id", kind), one_spelling=False), [{"id": "a"}]) is None

    def test_a_record_without_a_key_is_refused_and_left_out(self) -> None:
        assert keys_of(target(("id", "int8")), [{"id": None}, {}, {"id": 3}]) == {3}
        both = target(("a", "int8"), ("b", "text"))
        whole = keys_of(both, [{"a": 1, "b": "x"}])
        assert keys_of(both, [{"a": 1, "b": None}, {"b": "y"}, {"a": 1, "b": "x"}]) == whole

    def test_a_key_of_several_columns_is_told_apart_by_each(self) -> None:
        both = target(("a", "int8"), ("b", "text"))
        first, second, third = (
            keys_of(both, [{"a": a, "b": b}]) for a, b in ((1, "x"), (1, "y"), ("1", "x"))
        )
        assert first is not None
        assert second is not None
        assert first.isdisjoint(second)
        assert first == third


KEYS = (ONE, ONE.lower(), ANOTHER, "0" * 32, "12", "-0", "012", "a", "A", "ä", "Ä", "a ", "")


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["uuid", "bigint", "text", "varchar", "varchar(1)", "numeric"])
def test_values_that_the_database_takes_for_equal_are_never_told_apart(
    postgres: Database, kind: str
) -> None:
    postgres.run(f"CREATE TABLE events (id {kind} PRIMARY KEY)")
    sink = postgres.sink(key=["id"])
    with closing(postgres.connect()) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for one in KEYS:
            for other in KEYS:
                try:
                    query = f"SELECT CAST(%s AS {kind}) = CAST(%s AS {kind})"
                    cursor.execute(query, (one, other))
                except psycopg2.Error:
                    continue
                if cursor.fetchone() == (True,):
                    assert conflict(
                        sink.footprint([make_batch([{"id": one}])]),
                        sink.footprint([make_batch([{"id": other}], 1)]),
                    )


def conflict(one: Footprint | None, other: Footprint | None) -> bool:
    assert one is not None
    assert other is not None
    return one.conflicts(other)


@pytest.mark.integration
class TestTables:
    def footprints(
        self, database: Database, ddl: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> list[Footprint]:
        database.run(*ddl)
        sink = database.sink(key=["id"])
        batches = [make_batch([row], number) for number, row in enumerate(rows)]
        return [footprint_of(sink.config, None, "", [batch]) for batch in batches]

    @pytest.mark.parametrize(
        "ddl",
        [
            ["CREATE TABLE events (id int PRIMARY KEY, n int UNIQUE)"],
            ["CREATE TABLE events (id int PRIMARY KEY, n int, UNIQUE (n) DEFERRABLE)"],
            ["CREATE TABLE events (id int PRIMARY KEY, n int REFERENCES events)"],
            ["CREATE TABLE events (id int PRIMARY KEY, n int, EXCLUDE (n WITH =))"],
            ["CREATE TABLE events (id int PRIMARY KEY, n int)", "CREATE UNIQUE INDEX ON events ((n + 1))"],
            ["CREATE TABLE events (id int PRIMARY KEY, n int) PARTITION BY RANGE (id)",
             "CREATE TABLE events_1 PARTITION OF events DEFAULT"],
            ["CREATE TABLE events (id int PRIMARY KEY, n int)",
             "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
             "CREATE TRIGGER g BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION f()"],
        ],
    )  # fmt: skip
    def test_a_table_in_which_more_than_keys_matter_has_one_commit_at_a_time(
        self, postgres: Database, ddl: Sequence[str]
    ) -> None:
        one, other = self.footprints(postgres, ddl, [{"id": 1, "n": 1}, {"id": 2, "n": 2}])
        assert one.conflicts(other)

    def test_a_plain_table_has_commits_of_different_keys_side_by_side(
        self, postgres: Database
    ) -> None:
        ddl = ["CREATE TABLE events (id int PRIMARY KEY, n int CHECK (n > 0))"]
        rows: list[dict[str, Any]] = [{"id": n, "n": 1} for n in (1, 2, "1")]
        one, other, same = self.footprints(postgres, ddl, rows)
        assert not one.conflicts(other)
        assert one.conflicts(same)

    def test_a_table_that_is_not_known_yet_has_one_commit_at_a_time(
        self, postgres: Database
    ) -> None:
        config = postgres.config("unseen", key=["id"])
        assert footprint_of(config, None, "", [make_batch([{"id": 1}])]).exclusive

    def test_records_without_a_key_are_told_apart_by_their_offsets(
        self, postgres: Database
    ) -> None:
        sink = postgres.sink()
        one, other, again = (
            sink.footprint([make_batch([{"n": 1}] * 5, start)]) for start in (0, 5, 4)
        )
        assert not conflict(one, other)
        assert conflict(one, again)

    def test_a_table_waits_for_the_ones_that_it_refers_to(self, postgres: Database) -> None:
        postgres.run(ORDERS, LINES, NOTES)
        sink = sink_of(postgres, *keyed("orders", "lines", "notes"))

        def of(table: str, number: int) -> Footprint | None:
            batch: RecordBatch = make_batch([{"id": number}], number)
            return sink.footprint([replace(batch, targets=[table])])

        assert conflict(of("orders", 1), of("lines", 2))
        assert conflict(of("lines", 1), of("public.orders", 2))
        assert not conflict(of("orders", 1), of("orders", 2))
        assert not conflict(of("notes", 1), of("lines", 2))
        assert not conflict(of("lines", 1), of("lines", 2))

    def test_commits_to_several_tables_are_kept_apart_by_the_keys_of_each(
        self, postgres: Database
    ) -> None:
        postgres.run(ORDERS, NOTES)
        sink = sink_of(postgres, *keyed("orders", "notes"))

        def of(start: int, *rows: tuple[str, int]) -> Footprint | None:
            batch: RecordBatch = make_batch([{"id": key} for _, key in rows], start)
            return sink.footprint([replace(batch, targets=[table for table, _ in rows])])

        one = of(0, ("orders", 1), ("notes", 5))
        assert conflict(one, of(2, ("notes", 6), ("orders", 1)))
        assert conflict(one, of(2, ("orders", 2), ("notes", 5)))
        assert conflict(one, of(2, ("orders", 2), ("orders", 1)))
        assert not conflict(one, of(2, ("orders", 5), ("notes", 1)))

    def test_a_table_whose_keys_are_not_told_apart_has_one_commit_whatever_the_others_share(
        self, postgres: Database
    ) -> None:
        postgres.run(ORDERS, "CREATE TABLE prices (id numeric PRIMARY KEY)")
        sink = sink_of(postgres, *keyed("orders", "prices"))

        def of(start: int, *rows: tuple[str, int]) -> Footprint | None:
            batch: RecordBatch = make_batch([{"id": key} for _, key in rows], start)
            return sink.footprint([replace(batch, targets=[table for table, _ in rows])])

        one = of(0, ("orders", 1), ("prices", 1))
        assert conflict(one, of(2, ("orders", 2), ("prices", 2)))
        assert not conflict(one, of(2, ("orders", 2)))


def jobs_of(*offsets: int) -> RecordBatch:
    """Jobs of one partition, each with its offset as its key."""
    batch = make_batch([{"id": offset} for offset in offsets], offsets[0])
    attempts: dict[Any, Attempt] = {
        (offset, None, ()): Attempt(offset, 2, 5, "run") for offset in offsets
    }
    span = replace(batch.span, start=offsets[0], end=offsets[-1] + 1)
    return replace(batch, span=span, offsets=list(offsets), claim=Claim(f"{offsets}", attempts, ""))


@pytest.mark.integration
class TestJobs:
    def test_jobs_are_told_apart_by_their_keys_alone_wherever_their_partition_has_them(
        self, postgres: Database
    ) -> None:
        postgres.run(ORDERS)
        sink = postgres.sink("orders", key=["id"])
        one = sink.footprint([jobs_of(1, 5, 9)])
        assert not conflict(one, sink.footprint([jobs_of(2, 6)]))
        assert conflict(one, sink.footprint([jobs_of(5, 6)]))
        fresh = make_batch([{"id": 20}, {"id": 21}], 4)
        assert not conflict(one, sink.footprint([fresh]))
        assert conflict(one, sink.footprint([make_batch([{"id": 9}], 100)]))

    def test_without_a_key_they_are_kept_apart_from_all_offsets_between_them(
        self, postgres: Database
    ) -> None:
        sink = postgres.sink("keyless")
        one = sink.footprint([jobs_of(1, 5, 9)])
        assert conflict(one, sink.footprint([jobs_of(5, 6)]))
        assert conflict(one, sink.footprint([make_batch([{"id": 1}], 5)]))
        assert not conflict(one, sink.footprint([jobs_of(10, 11)]))


def test_a_database_in_which_only_one_can_write_has_one_commit_at_a_time(
    sqlite_database: Database,
) -> None:
    sink = sqlite_database.sink(key=["id"])
    assert in_flight(sink.config.database) == 1
    assert sink.footprint([make_batch([{"id": 1}])]) is None


def test_random_ids_in_usual_spelling_are_told_apart() -> None:
    numbers = random.Random(1)
    ids = [str(UUID(int=numbers.getrandbits(128))) for _ in range(100)]
    assert keys("uuid", *ids) == set(ids)
    assert keys("uuid", *ids, ids[0].upper()) == set(ids)


def test_columns_of_arrow_have_the_keys_of_their_texts() -> None:
    ids = [ONE, ANOTHER]
    cells = ArrowCells(pa.array(ids), lambda part: part.to_pylist())
    values = Columnar({"id": cells}, len(ids), lambda index: {"id": ids[index]})
    by_columns = keys_of(target(("id", "uuid")), values)
    assert by_columns is not None
    assert by_columns == keys("uuid", *ids)
    assert not keys("uuid", ANOTHER.upper()).isdisjoint(by_columns)
    assert keys("uuid", ANOTHER.replace("b", "c")).isdisjoint(by_columns)
    assert keys_of(target(("id", "uuid"), one_spelling=False), values) is None
