"""What CSV's text becomes in the columns of a table that is there already."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from sinks.table.cells import with_typed_cells
from sinks.table.config import OnConflict
from sinks.table.target import Column, Target
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.record import Format, RecordBatch, Span
from transforms.parse.columns import csv_columns
from transforms.parse.columns.columnar import ColumnForms
from transforms.parse.parse import ParseConfig, parse
from transforms.route.table_name import TableName

TYPED = ("id", "n", "f", "d", "b", "s", "j")
CREATE = (
    "CREATE TABLE typed (id varchar(20) PRIMARY KEY, n integer, f numeric, d date, b boolean,"
    " s varchar(20), j json)"
)


def csv_batch(
    *rows: bytes, columns: tuple[str, ...] = TYPED, nulls: tuple[str, ...] = ()
) -> RecordBatch:
    """The rows as they come from Parse."""
    batch = RecordBatch(
        Span("file:///t.csv", "v", 0, len(rows)),
        Format("csv", columns, nulls=nulls),
        list(range(len(rows))),
        list(rows),
    )
    return parse(batch, ParseConfig())


def test_an_empty_cell_is_null_except_in_a_text_column(database: Database) -> None:
    database.run(CREATE)
    (settled,) = database.sink("typed", key=("id",)).commit([csv_batch(b"1,,,,,,")])
    assert counts(settled) == {"read": 1, "inserted": 1}
    assert database.rows("SELECT n, f, d, b, s, j FROM typed") == [
        (None, None, None, None, "", None)
    ]


@pytest.mark.parametrize("column", ["n", "f", "d", "b", "j"])
def test_quoted_emptiness_is_refused_by_a_column_that_is_not_text(
    database: Database, column: str
) -> None:
    database.run(CREATE)
    (settled,) = database.sink("typed", key=("id",)).commit(
        [csv_batch(b'1,"",x', b"2,,y", columns=("id", column, "s"))]
    )
    assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
    (dead,) = settled.dead
    assert (dead.stage, dead.category, dead.raw) == ("write", "data", b'1,"",x')
    assert f"column {column}" in dead.message
    assert database.rows("SELECT id FROM typed") == [("2",)]


def test_quoted_emptiness_is_empty_text_in_a_text_column(database: Database) -> None:
    database.run(CREATE)
    database.sink("typed", key=("id",)).commit([csv_batch(b'1,""', columns=("id", "s"))])
    assert database.rows("SELECT s FROM typed") == [("",)]


def test_text_that_stands_for_null_is_null_in_every_column(database: Database) -> None:
    database.run(CREATE)
    (settled,) = database.sink("typed", key=("id",)).commit(
        [csv_batch(b"1,NA,NA,NA,NA,NA,NA", nulls=("NA",))]
    )
    assert counts(settled) == {"read": 1, "inserted": 1}
    assert database.rows("SELECT n, f, d, b, s, j FROM typed") == [(None,) * 6]


@pytest.mark.parametrize(
    ("column", "text"), [("n", b"NA"), ("f", b"1.5x"), ("b", b"maybe"), ("j", b"{a: 1}")]
)
def test_text_that_its_column_cannot_take_is_dead_and_the_column_named(
    database: Database, column: str, text: bytes
) -> None:
    database.run(CREATE)
    (settled,) = database.sink("typed", key=("id",)).commit(
        [csv_batch(b"1," + text, b"2,", columns=("id", column))]
    )
    assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
    assert f"column {column}" in settled.dead[0].message
    assert settled.dead[0].category == "data"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"{""a"": [1, {""b"": null}]}"', {"a": [1, {"b": None}]}),
        (b"7", 7),
        (b'"""a string"""', "a string"),
        (b"true", True),
    ],
)
def test_json_in_a_cell_is_read_as_json(database: Database, text: bytes, value: Any) -> None:
    database.run(CREATE)
    database.sink("typed", key=("id",)).commit([csv_batch(b"1," + text, columns=("id", "j"))])
    ((stored,),) = database.rows("SELECT j FROM typed")
    # In a column of SQLite that is declared JSON a number is a number.
    assert (stored if database.kind == "postgres" else json.loads(str(stored))) == value


def test_text_from_a_json_source_stays_a_json_string(database: Database) -> None:
    database.run(CREATE)
    database.sink("typed", key=("id",)).commit([make_batch([{"id": "1", "j": '{"a": 1}'}])])
    ((stored,),) = database.rows("SELECT j FROM typed")
    assert (stored if database.kind == "postgres" else json.loads(stored)) == '{"a": 1}'


@pytest.mark.parametrize(("text", "value"), [(b"true", True), (b"f", False), (b"YES", True)])
def test_booleans_are_stored_as_booleans(database: Database, text: bytes, value: bool) -> None:
    database.run(CREATE)
    database.sink("typed", key=("id",)).commit([csv_batch(b"1," + text, columns=("id", "b"))])
    assert database.rows("SELECT b FROM typed") == [(value,)]


def test_a_record_with_two_bad_cells_is_one_failure(database: Database) -> None:
    database.run(CREATE)
    (settled,) = database.sink("typed", key=("id",)).commit(
        [csv_batch(b'1,"","{"', columns=("id", "n", "j"))]
    )
    assert counts(settled) == {"read": 1, "dead": 1}


def test_whole_numbers_are_stored_as_numbers(database: Database) -> None:
    database.run(CREATE)
    batch = csv_batch(b"1,007,5", columns=("id", "n", "f"))
    database.sink("typed", key=("id",)).commit([batch])
    assert database.rows("SELECT n, f FROM typed") == [(7, 5)]


USUAL = {
    "n": (b"1", b"-7", b"0", b""),
    "f": (b"1.50", b"2", b"-0.001", b""),
    "d": (b"2026-01-31", b"0001-01-01", b""),
    "b": (b"true", b"false", b""),
    "s": (b"a", b'"a,""b"""', "é".encode(), b"\\N", b"\t", b'""', b""),
    "j": (b'"{""k"":1.50}"', b"[]", b"null", b'"[""\\u00e9""]"', b""),
}
HOSTILE = {
    "n": (b"+1", b"01", b"0x10", b"1.5", b"99999999999", b" 1", b'""'),
    "f": (b"1e5", b"NaN", b"x", b"1" * 50, b'""'),
    "d": (b"now", b"20260131", b"31/01/2026", b"2026-02-30", b"0000-01-01"),
    "b": (b"t", b"TRUE", b"maybe", b" true"),
    "s": (b"\0", b'"a\nb"', b'5" pipe', b"x" * 30, b'"never closed'),
    "j": (b"{a: 1}", b'"{""k"":"', b'"""a"""', b"NaN"),
}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3], ids=["usual", "a few hostile", "many hostile"])
def test_rows_read_by_arrow_become_what_they_become_by_themselves(
    database: Database, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    rng = random.Random(share)
    rows = [
        b",".join(
            [b"%d" % number]
            + [rng.choice((HOSTILE if rng.random() < share else USUAL)[name]) for name in TYPED[1:]]
        )
        for number in range(300)
    ]
    outcomes = []
    for fewest in (len(rows) + 1, 1):
        monkeypatch.setattr(csv_columns, "FEWEST_BY_ARROW", fewest)
        database.run("DROP TABLE IF EXISTS typed")
        database.run(CREATE)
        span = Span(f"file:///{fewest}.csv", "v", 0, len(rows))
        batch = RecordBatch(span, Format("csv", TYPED), range(len(rows)), rows)
        parsed = parse(batch, ParseConfig(columns=ColumnForms()))
        (settled,) = database.sink("typed", key=("id",)).commit([parsed])
        outcomes.append(
            (
                list(map(repr, database.rows("SELECT * FROM typed ORDER BY id"))),
                sorted((dead.raw, dead.category, dead.message) for dead in settled.dead),
                counts(settled),
            )
        )
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2]["inserted"] > 0
    assert bool(outcomes[0][1]) == bool(share)


def target(columns: Mapping[str, str]) -> Target:
    return Target(
        table=TableName("t"),
        label="t",
        columns=tuple(Column(name, kind) for name, kind in columns.items()),
        generated=frozenset(),
        key=("id",),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict(),
        unknown_fields="reject",
    )


def typed(kind: str, text: bytes, database: str, schema: Any = None) -> Any:
    """What a cell becomes for a column of a type, or the message if it is refused."""
    batch = with_typed_cells(
        target({"id": "text", "c": kind}),
        csv_batch(b"1," + text, columns=("id", "c")),
        typed=database == "postgresql",
        schema=None if schema is None else json.dumps(schema),
    )
    if batch.failures:
        return batch.failures[0].message
    assert batch.values is not None
    return batch.values[0]["c"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", b"-7", -7),
        ("integer", b"12345678901234567890", 12345678901234567890),
        ("decimal(10,2)", b"1.50", Decimal("1.50")),
        ("double", b" 1e3 ", Decimal("1e3")),
        ("varchar(20)", b"7", "7"),
        ("", b"x", "x"),
        ("", b"", None),
        ("datetime", b"", None),
        ("blob", b"", None),
    ],
)
def test_where_the_database_takes_any_text_numbers_are_read(
    kind: str, text: bytes, value: Any
) -> None:
    cell = typed(kind, text, "sqlite")
    assert cell == value
    assert type(cell) is type(value)


@pytest.mark.parametrize("kind", ["int4", "numeric", "_text", "mood", "bool", "interval", "bytea"])
def test_postgres_itself_reads_any_text_that_is_not_empty(kind: str) -> None:
    assert typed(kind, b"x", "postgresql") == "x"
    assert typed(kind, b"", "postgresql") is None
    assert typed(kind, b'""', "postgresql") == ""


@pytest.mark.parametrize("kind", ["text", "varchar", "bpchar", "citext", "name"])
def test_postgres_text_keeps_emptiness(kind: str) -> None:
    assert typed(kind, b"", "postgresql") == ""


def test_a_string_by_the_schema_is_a_string_in_a_json_column() -> None:
    either = {"properties": {"c": {"type": ["string", "integer"]}}}
    assert typed("jsonb", b"7", "postgresql", either) == "7"
    assert typed("jsonb", b"7", "postgresql", {"properties": {"c": {}}}) == 7
