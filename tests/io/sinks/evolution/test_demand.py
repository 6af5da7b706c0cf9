from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg2
import pytest

from sinks import targets
from sinks.evolution.refusals import refusals_of
from sinks.evolution.survey import MOST_AT_ONCE
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.tested_database import Database, make_batch
from transforms.settle.commit import WriteConfig, commit
from transforms.settle.flight import Aside, Footprint, Line, flights_to
from transforms.settle.sink import Settled


def write(sink: SqlSink, *values: Mapping[str, Any], start: int = 0) -> Settled:
    """What a commit of one batch made of ``values``."""
    (settled,) = sink.commit([make_batch(values, start)])
    return settled


def columns(database: Database, table: str = "events") -> dict[str, str]:
    """The types of the columns of a table, as the database declares them."""
    if database.kind == "mariadb":
        query = (
            "SELECT column_name, column_type FROM information_schema.columns "
            f"WHERE table_schema = DATABASE() AND table_name = '{table}'"
        )
    elif database.kind != "postgres":
        query = f"SELECT name, lower(type) FROM pragma_table_info('{table}')"
    else:
        query = (
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
        )
    return dict(database.rows(query))


def shown(cell: Any) -> str:
    """A cell as text, a number without zeros at its end."""
    return str(cell.normalize() if isinstance(cell, Decimal) else cell)


def entries(database: Database) -> list[tuple[Any, ...]]:
    return database.rows(
        "SELECT actor, reason, filter, count FROM ingest_audit WHERE action = 'evolve' ORDER BY id"
    )


def existing(
    database: Database, declared: str = "id integer PRIMARY KEY", **options: Any
) -> SqlSink:
    """A sink of a table that is there already."""
    database.run(f"CREATE TABLE events ({declared})")
    return database.sink(**{"key": ["id"], "evolve": "add", "schema_wait": 60.0, **options})


class TestAdd:
    def test_a_field_gets_a_column_of_the_type_of_its_values(self, database: Database) -> None:
        sink = existing(database)
        rows = [
            {
                "id": 1,
                "n": 1,
                "x": 0.5,
                "flag": True,
                "tags": ["a"],
                "at": "2026-01-01",
                "no": None,
            },
            {"id": 2, "n": 2, "x": 1, 'we"ird %s': "ü", "mixed": 1},
            {"id": 3, "mixed": "a"},
        ]
        settled = write(sink, *rows)
        assert (settled.counts.inserted, settled.counts.dead, settled.counts.retrying) == (3, 0, 0)
        types = {
            "postgres": ["bigint", "numeric", "boolean", "jsonb", "text", "text", "text"],
            "sqlite": ["bigint", "", "boolean", "json", "text", "text", "text"],
            "mariadb": [
                *("bigint(20)", "decimal(65,30)", "tinyint(1)", "longtext"),
                *("longtext", "longtext", "longtext"),
            ],
            "generic": ["integer", "numeric(38, 10)", "boolean", "json", "text", "text", "text"],
            "duckdb": [
                *("bigint", "decimal(38,10)", "boolean", "json"),
                *("varchar", "varchar", "varchar"),
            ],
        }[database.kind]
        names = ["n", "x", "flag", "tags", "at", 'we"ird %s', "mixed"]
        got = columns(database)
        assert {name: got[name] for name in names} == dict(zip(names, types, strict=True))
        assert "no" not in got
        query = 'SELECT id, n, x, "at", "we""ird %s", mixed FROM events ORDER BY id'
        texts = [tuple(map(shown, row)) for row in database.rows(query)]
        assert texts == [
            ("1", "1", "0.5", "2026-01-01", "None", "None"),
            ("2", "2", "1", "None", "ü", "1"),
            ("3", "None", "None", "None", "None", "a"),
        ]

    def test_the_audit_trail_has_the_statement_and_the_first_origin(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink = existing(database)
        with caplog.at_level(logging.INFO):
            write(sink, {"id": 1}, {"id": 2, "size": 3})
            write(sink, {"id": 3, "size": 4}, start=2)
        ((actor, reason, which, count),) = entries(database)
        assert "process" in actor
        assert reason.startswith("ALTER TABLE")
        assert "size" in reason
        which = json.loads(which) if isinstance(which, str) else which
        assert (which["columns"], which["first"]) == (["size"], "file:///a p:1")
        assert which["run"] == sink.run
        assert count == 1
        assert len([text for text in caplog.messages if "added column size" in text]) == 1

    def test_a_table_without_a_schema_begins_with_its_key(self, database: Database) -> None:
        sink = database.sink(key=["id"], evolve="add")
        write(sink, {"id": "a", "size": 1})
        assert list(columns(database)) == ["id", "size"]
        assert database.rows("SELECT id, size FROM events") == [("a", 1)]

    def test_records_without_a_key_keep_their_origin(self, database: Database) -> None:
        sink = database.sink(evolve="add")
        write(sink, {"size": 1}, {"ingest_offset": 7})
        assert database.rows("SELECT ingest_offset, size FROM events") == [(0, 1)]
        ((message,),) = database.rows("SELECT message FROM ingest_jobs")
        assert "filled by the program itself" in message

    def test_a_schema_says_the_type(self, database: Database) -> None:
        schema = {
            "properties": {"at": {"type": "string", "format": "date"}, "n": {"type": "number"}}
        }
        sink = existing(database, schema=schema)
        write(sink, {"id": 1, "at": "2026-01-01", "n": 1})
        assert columns(database)["at"] == {"sqlite": "text"}.get(database.kind, "date")
        assert (
            columns(database)["n"]
            == {
                "postgres": "numeric",
                "sqlite": "",
                "generic": "numeric(38, 10)",
                "mariadb": "decimal(65,30)",
                "duckdb": "decimal(38,10)",
            }[database.kind]
        )

    def test_a_column_that_somebody_else_has_added_is_taken_as_it_is(
        self, database: Database
    ) -> None:
        sink = existing(database)
        write(sink, {"id": 1})
        database.run("ALTER TABLE events ADD COLUMN size smallint")
        settled = write(sink, {"id": 2, "size": 3}, start=1)
        assert settled.counts.inserted == 1
        assert columns(database)["size"].partition("(")[0] == "smallint"
        assert entries(database) == []


class TestBounds:
    def test_names_that_the_database_would_not_keep_apart_wait(self, database: Database) -> None:
        sink = existing(database)
        settled = write(
            *(
                sink,
                {"id": 1, "ID": 2},
                {"id": 2, "Size": 1},
                {"id": 3, "size": 1},
                {"id": 4, "": 1},
            ),
            {"id": 5, "ok": 1},
        )
        assert (settled.counts.inserted, settled.counts.retrying) == (2, 2)
        assert set(columns(database)) == {"id", "Size", "ok"}
        assert {failure.category for failure in settled.retry} == {"schema_change"}
        # No column could be called so, whoever adds it.
        assert [failure.category for failure in settled.dead] == ["unknown_field"]

    def test_one_commit_adds_so_many_columns(self, database: Database) -> None:
        sink = existing(database)
        wide = {"id": 1, **{f"w{n}": n for n in range(MOST_AT_ONCE + 1)}}
        settled = write(sink, wide, {"id": 2, "size": 1})
        assert (settled.counts.inserted, settled.counts.retrying) == (1, 1)
        assert set(columns(database)) == {"id", "size"}

    def test_a_wait_of_nothing_makes_dead_letters(self, database: Database) -> None:
        sink = existing(database, schema_wait=0.0)
        settled = write(sink, {"id": 1, "ID": 2})
        assert [failure.category for failure in settled.dead] == ["schema_change"]


class TestFreeze:
    def test_an_unknown_field_is_dead_at_once_unless_records_may_wait(
        self, database: Database
    ) -> None:
        sink = existing(database, evolve="freeze", schema_wait=0.0)
        settled = write(sink, {"id": 1, "size": 2}, {"id": 2, "no": None})
        assert [failure.category for failure in settled.dead] == ["unknown_field"] * 2

    def test_it_waits_and_is_written_once_a_person_has_added_the_column(
        self, database: Database
    ) -> None:
        sink = existing(database, evolve="freeze")
        settled = write(sink, {"id": 1, "size": 2})
        (waiting,) = settled.retry
        assert waiting.category == "schema_change"
        assert database.rows("SELECT state, attempt FROM ingest_jobs") == [("scheduled", 0)]
        database.run("ALTER TABLE events ADD COLUMN size integer")
        targets.LOOKS.clear()
        assert write(sink, {"id": 1, "size": 2}, start=1).counts.inserted == 1


class TestWiden:
    def test_types_take_more_and_keep_their_rows(self, postgres: Database) -> None:
        declared = "id smallint PRIMARY KEY, n int4, m int8, x float4, p numeric(4,2), v varchar(3), c char(2)"
        sink = existing(postgres, declared, evolve="widen")
        write(sink, {"id": 1, "n": 1, "m": 1, "x": 0.5, "p": 1.25, "v": "abc", "c": "ab"})
        settled = write(
            sink,
            {
                "id": 70_000,
                "n": 2**40,
                "m": 2**70,
                "x": 1e200,
                "p": 12345.67,
                "v": "abcd",
                "c": "abcd",
            },
            {"id": 2, "n": 5},
            start=1,
        )
        assert (settled.counts.inserted, settled.counts.retrying, settled.counts.dead) == (2, 0, 0)
        assert list(columns(postgres).values()) == [
            *("bigint", "bigint", "numeric", "double precision", "numeric(7,2)", "text", "text")
        ]
        rows = postgres.rows("SELECT n, m, x, p::text, v, c FROM events ORDER BY id")
        assert rows == [
            (1, 1, 0.5, "1.25", "abc", "ab"),
            (5, None, None, None, None, None),
            (2**40, 2**70, 1e200, "12345.67", "abcd", "abcd"),
        ]

    def test_what_no_wider_type_takes_is_dead_at_once(self, postgres: Database) -> None:
        sink = existing(postgres, "id int PRIMARY KEY, n int4, at date, m int4", evolve="widen")
        rows: list[dict[str, Any]] = [
            {"n": "abc"},
            {"at": "soon"},
            {"n": 2**31},
            {"n": "abc", "m": 2**31},
        ]
        settled = write(sink, *({"id": id_, **row} for id_, row in enumerate(rows)))
        assert settled.counts.inserted == 1
        assert [failure.category for failure in settled.dead] == ["data"] * 3
        assert (columns(postgres)["n"], columns(postgres)["m"]) == ("bigint", "integer")

    def test_add_changes_no_type(self, postgres: Database) -> None:
        sink = existing(postgres, "id int PRIMARY KEY, n int4")
        settled = write(sink, {"id": 1, "n": 2**31})
        assert [failure.category for failure in settled.retry] == ["schema_change"]
        assert columns(postgres)["n"] == "integer"

    def test_a_view_keeps_a_type_as_it_is(self, postgres: Database) -> None:
        sink = existing(postgres, "id int PRIMARY KEY, n int4", evolve="widen")
        postgres.run("CREATE VIEW seen AS SELECT n FROM events")
        settled = write(sink, {"id": 1, "n": 2**31, "more": 1}, {"id": 2, "n": 2})
        assert (settled.counts.inserted, settled.counts.retrying) == (1, 1)
        (waiting,) = settled.retry
        assert "used by a view" in waiting.message
        assert columns(postgres)["n"] == "integer"


class TestRefusals:
    def test_a_role_without_the_right_writes_what_fits_and_heals(self, postgres: Database) -> None:
        existing(postgres)
        ((name,),) = postgres.rows("SELECT current_database()")
        role = f"writer_{name}"
        postgres.run(
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        )
        host = postgres.url.rpartition("@")[2]
        limited = SqlSink(
            SqlConfig.of(
                f"postgresql://{role}:x@{host}",
                "events",
                key=["id"],
                evolve="add",
                schema_wait=60.0,
            )
        )
        settled = write(limited, {"id": 1, "size": 2}, {"id": 2})
        assert (settled.counts.inserted, settled.counts.retrying) == (1, 1)
        assert "must be owner of table events [42501]" in settled.retry[0].message
        postgres.run("ALTER TABLE events ADD COLUMN size integer")
        targets.LOOKS.clear()
        assert write(limited, {"id": 1, "size": 2}, start=2).counts.inserted == 1
        postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    def test_a_reader_that_holds_the_table_delays_known_fields_by_two_seconds(
        self, postgres: Database
    ) -> None:
        sink = existing(postgres)
        write(sink, {"id": 0})
        with closing(psycopg2.connect(postgres.url)) as reader:
            reader.cursor().execute("LOCK TABLE events IN ACCESS SHARE MODE")
            settled = write(sink, {"id": 1, "size": 2}, {"id": 2}, start=1)
            assert (settled.counts.inserted, settled.counts.retrying) == (1, 1)
            assert settled.retry[0].snooze is not None
            # A second commit does not ask again at once, so it waits for nobody.
            assert write(sink, {"id": 3, "size": 2}, {"id": 4}, start=3).counts.inserted == 1
            reader.rollback()
        refusals_of(sink.config).forget("size")
        assert write(sink, {"id": 1, "size": 2}, start=5).counts.inserted == 1
        assert postgres.rows("SELECT id, size FROM events WHERE size IS NOT NULL") == [(1, 2)]


class TestAside:
    def test_the_change_waits_until_no_other_commit_is_in_flight(self, postgres: Database) -> None:
        sink = existing(postgres)
        batch = make_batch([{"id": 1, "size": 2}])
        with pytest.raises(Aside):
            sink.commit([batch], turn=lambda is_awaited=None: None)
        assert "size" not in columns(postgres)

        flights = flights_to("test of an aside")
        first, second = (flights.enter(line, Footprint()) for line in (Line(), Line()))
        first.start()
        results: list[list[Settled]] = []
        thread = threading.Thread(
            target=lambda: results.append(commit(sink, [batch], WriteConfig(), second)[0])
        )
        thread.start()
        deadline = threading.Event()
        while not second.alone:
            deadline.wait(0.01)
        assert "size" not in columns(postgres)
        first.leave(settled=True)
        thread.join(60)
        assert results[0][0].counts.inserted == 1
        assert dict(second.counted) == {"columns_added": 1, "columns_widened": 0}


def test_writers_that_meet_new_fields_at_once_add_one_column_each(postgres: Database) -> None:
    sink = existing(postgres)
    barrier = threading.Barrier(4)
    results: list[Settled] = []

    def writes(number: int) -> None:
        fields = {f"f{n}": n for n in range(20)}
        own = SqlSink(sink.config)
        batch = make_batch([{"id": number, **fields}], source=f"file:///{number}")
        barrier.wait()
        results.extend(own.commit([batch]))

    threads = [threading.Thread(target=partial(writes, number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [settled.counts.inserted for settled in results] == [1] * 4
    assert set(columns(postgres)) == {"id", *(f"f{n}" for n in range(20))}
    assert sum(entry[3] for entry in entries(postgres)) == 20
