"""Values arrive by COPY as they are, or their record stands alone with its error."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from sources.files.parquet.arrow_rows import encoder_of
from sources.files.parquet.columns.arrow_batch import arrow_batch_of
from tests.io.sinks.tested_database import Database, counts, make_batch

KEYED = "CREATE TABLE events (id integer PRIMARY KEY, name text)"


VALUES: list[tuple[str, Any, str]] = [
    (
        "uuid",
        "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    ),
    ("uuid", uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    ("bigint", 2**63 - 1, "9223372036854775807"),
    ("bigint", Decimal("1E+2"), "100"),
    ("bigint", Decimal("3.0"), "3"),
    (
        "numeric",
        Decimal("123456789012345678901234567890.12345"),
        "123456789012345678901234567890.12345",
    ),
    ("numeric", 10**30, "1" + "0" * 30),
    ("numeric", "1.10", "1.10"),
    ("numeric", float("nan"), "NaN"),
    ("double precision", 0.1, "0.1"),
    ("boolean", True, "true"),
    ("boolean", "false", "false"),
    ("text", True, "true"),
    ("text", 1, "1"),
    ("text", {"a": [1]}, '{"a":[1]}'),
    ("timestamptz", "2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05+00"),
    (
        "timestamptz",
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
        "2026-01-02 03:04:05.000006+00",
    ),
    ("date", datetime.date(2026, 1, 2), "2026-01-02"),
    ("time", datetime.time(3, 4), "03:04:00"),
    ("bytea", b"\x00\xff\\", "\\x00ff5c"),
    (
        "jsonb",
        {"a": 'q"\\\t\n', "b": Decimal("1.50")},
        '{"a": "q\\"\\\\\\t\\n", "b": 1.50}',
    ),
    ("jsonb", "text", '"text"'),
    ("jsonb", 10**30, "1" + "0" * 30),
    (
        "text[]",
        ["a", None, 'q"\\', "NULL", "", "x,y\t"],
        '{a,NULL,"q\\"\\\\","NULL","","x,y\t"}',
    ),
    ("integer[]", [[1, 2], [3, Decimal("4.0")]], "{{1,2},{3,4}}"),
    ("jsonb[]", [{"a": 1}, [2]], '{"{\\"a\\": 1}",[2]}'),
    ("text[]", [], "{}"),
    ("inet", "10.0.0.1", "10.0.0.1/32"),
]
"""Declared type, value as parsed, and how PostgreSQL shows it."""


REFUSED: list[tuple[str, Any, Any, str]] = [
    ("integer", 1, "x", "22P02"),
    ("integer", 1, Decimal("1.5"), "22P02"),
    ("integer", 1, 2**40, "22003"),
    ("varchar(3)", "abc", "long", "22001"),
    ("timestamptz", "2026-01-01", "yesterday-ish", "22007"),
    ("numeric(4,2)", 1, 1000, "22003"),
    ("jsonb", 1, "\x00", "22P05"),
    ("integer NOT NULL", 1, None, "23502"),
    ("integer CHECK (v > 0)", 1, -1, "23514"),
    ("integer REFERENCES parents", 1, 404, "23503"),
    ("integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED", 1, 404, "23503"),
]
"""Declared type, a good value, a bad one, and the SQLSTATE that the bad one gets."""


class TestTypes:
    def test_values_arrive_as_they_are(self, postgres: Database) -> None:
        names = [f"v{i}" for i in range(len(VALUES))]
        columns = ", ".join(
            f"{name} {declared}" for name, (declared, _, _) in zip(names, VALUES, strict=True)
        )
        postgres.run(f"CREATE TABLE events (id integer PRIMARY KEY, {columns})")
        sink = postgres.sink(key=["id"])
        full = {name: value for name, (_, value, _) in zip(names, VALUES, strict=True)}
        values = [{"id": 1, **full}, {"id": 2, **dict.fromkeys(names)}, {"id": 3, **full}]
        (settled,) = sink.commit([make_batch(values)])
        assert [dead.message for dead in settled.dead] == []
        shown = ", ".join(f"{name}::text" for name in names)
        rows = postgres.rows(
            f"SELECT {shown} FROM set_config('TimeZone', 'UTC', false), events ORDER BY id"
        )
        expected = tuple(shown for _, _, shown in VALUES)
        assert rows == [expected, (None,) * len(VALUES), expected]

    @pytest.mark.parametrize("there", [False, True], ids=["straight", "staged"])
    def test_what_the_database_refuses_stands_alone(self, postgres: Database, there: bool) -> None:
        postgres.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1)"
        )
        for number, (declared, good, bad, sqlstate) in enumerate(REFUSED):
            postgres.run(f"CREATE TABLE t{number} (id integer PRIMARY KEY, v {declared})")
            sink = postgres.sink(f"t{number}", key=["id"])
            if there:  # a key that is there already sends the batch through the staging table
                sink.commit([make_batch([{"id": 0, "v": good}], source="before")])
            values = [{"id": i, "v": bad if i in (3, 7) else good} for i in range(10)]
            (settled,) = sink.commit([make_batch(values)])
            became = "retry" if sqlstate == "23503" else "dead"  # the parent may still come
            expected = {"read": 10, "inserted": 8, became: 2}
            if there:
                expected = {"read": 10, "inserted": 7, "duplicates": 1, became: 2}
            assert (declared, counts(settled)) == (declared, expected)
            refused = (*settled.dead, *settled.retry)
            reasons = [(failure.origin.offset, failure.sqlstate) for failure in refused]
            assert (declared, reasons) == (declared, [(3, sqlstate), (7, sqlstate)])

    @pytest.mark.parametrize("text", ["a\x00b", "\x00"])
    def test_nul_in_text_is_data_that_cannot_be_stored(self, postgres: Database, text: str) -> None:
        postgres.run(KEYED)
        sink = postgres.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": text}, {"id": 3}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        assert (settled.dead[0].category, settled.dead[0].origin.offset) == ("data", 1)

    def test_a_generated_column_cannot_be_given(self, postgres: Database) -> None:
        postgres.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY,"
            " d integer GENERATED ALWAYS AS (id * 2) STORED)"
        )
        sink = postgres.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1}, {"id": 2, "d": 4}, {"id": 3, "n": 1}])])
        assert counts(settled) == {"read": 3, "inserted": 1, "dead": 2}
        assert "generated by the database" in settled.dead[0].message
        assert postgres.rows("SELECT * FROM events") == [(1, 1, 2)]

    def test_a_misleading_table_name_puts_no_blame_on_good_rows(self, postgres: Database) -> None:
        postgres.run('CREATE TABLE "t, line 1, x" (id integer PRIMARY KEY, v integer)')
        sink = postgres.sink("t, line 1, x", key=["id"])
        values = [{"id": i, "v": "x" if i == 3 else "1"} for i in range(5)]
        (settled,) = sink.commit([make_batch(values)])
        assert [dead.origin.offset for dead in settled.dead] == [3]

    def test_a_trigger_may_refuse_a_record(self, postgres: Database) -> None:
        postgres.run(
            KEYED,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.name = 'bad' THEN RAISE EXCEPTION 'no % here', NEW.id; END IF; RETURN NEW; "
            "END $$",
            "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        sink = postgres.sink(key=["id"])
        values = [{"id": i, "name": "bad" if i == 2 else "good"} for i in range(5)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 5, "inserted": 4, "dead": 1}
        (dead,) = settled.dead
        assert (dead.category, dead.sqlstate) == ("trigger", "P0001")
        assert dead.message == "no 2 here"

    def test_a_message_shows_no_other_row(self, postgres: Database) -> None:
        postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer)")
        sink = postgres.sink(key=["id"])
        values: list[dict[str, Any]] = [
            {"id": 1, "v": "private-1"},
            {"id": 2, "v": 5},
            {"id": 3, "v": "private-3"},
        ]
        (settled,) = sink.commit([make_batch(values)])
        first, second = settled.dead
        assert "private-1" in first.message
        assert "column v" in first.message
        assert "private-3" not in first.message + first.stack
        assert "private-1" not in second.message + second.stack


_FIELDS: dict[str, Any] = {
    "id": pa.int64(),
    "at": pa.timestamp("us", "UTC"),
    "name": pa.string(),
}
ARROW = pa.schema(_FIELDS)
TABLE = """CREATE TABLE events (id integer PRIMARY KEY, at timestamptz NOT NULL,
name varchar(5) CHECK (name <> 'bad'))"""
AT = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def rows_with(places: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Fifty rows, with other cells at some places."""
    return [{"id": n, "at": AT, "name": "a", **places.get(n, {})} for n in range(50)]


@pytest.mark.parametrize(
    "places",
    [
        {},
        {7: {"name": "bad"}},
        {7: {"name": "too long"}, 30: {"name": "bad"}},
        {3: {"at": None}},
        {3: {"id": 2**40}},
        {9: {"name": "\0"}},
        {9: {"name": "\t\\N\n"}},
        {9: {"id": 8}},
        {9: {"id": None}},
    ],
    ids=range(9),
)
@pytest.mark.parametrize("mode", ["ignore", "update"])
def test_columns_of_arrow_become_the_rows_and_dead_letters_that_records_become(
    postgres: Database, places: dict[int, dict[str, Any]], mode: str
) -> None:
    records = rows_with(places)
    results = []
    for by_columns in (False, True):
        postgres.run("DROP TABLE IF EXISTS events", TABLE)
        batch = make_batch(records, start=100 * by_columns)
        if by_columns:
            whole = pa.RecordBatch.from_pylist(records, ARROW)
            rows = arrow_batch_of(whole, encoder_of(ARROW), frozenset(), 10_000, 1_000_000)
            assert rows is not None
            batch = replace(batch, values=rows.values)
        settled = postgres.sink(key=("id",), on_conflict=mode).commit([batch])
        dead = [
            (each.origin.offset % 100, each.category, each.sqlstate, each.message)
            for each in settled[0].dead
        ]
        results.append((counts(settled[0]), dead, postgres.rows("TABLE events ORDER BY id")))
    assert results[0] == results[1]
    assert len(results[0][2]) == 50 - len(places) or places in ({}, {9: {"name": "\t\\N\n"}})
