"""The row that the table has now, or why nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.console.table_row import TableRow, table_row
from sinks.table.config import SqlConfig
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.tested_database import Database

CSV = '{"name": "csv", "columns": ["id", "ssn"]}'


def prepared(database: Database, key: str = "id integer PRIMARY KEY") -> SqlConfig:
    database.run(f"CREATE TABLE events ({key}, ssn text, note text)")
    config = database.sink(key=["id"]).config
    database.run("INSERT INTO events VALUES (1, '123-45-6789', 'is 123-45-6789')")
    return config


def found(config: SqlConfig, **kind: Any) -> TableRow:
    (number,) = store_dead(config, kind)
    return table_row(config.database, number)


def texts(row: TableRow) -> list[str | None]:
    return [cell.text for cell in row.cells]


class TestTableRow:
    @pytest.mark.parametrize(
        "kind",
        [
            {"raw": b'{"id": 1, "ssn": "x"}'},
            {"raw": b"1,x", "format": CSV},
            {"raw": b'[{"id": 1}, {"id": "int64"}]', "format": '{"name": "parquet"}'},
        ],
    )
    def test_the_row_with_the_key_of_the_record(
        self, database: Database, kind: dict[str, Any]
    ) -> None:
        row = found(prepared(database), **kind)
        assert texts(row) == ["1", "123-45-6789", "is 123-45-6789"]
        assert [(cell.name, cell.is_key) for cell in row.cells][:2] == [
            ("id", True),
            ("ssn", False),
        ]

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ({"raw": b'{"id": 2}'}, "the table has no row with this key"),
            ({"raw": b'{"x": 2}'}, "the record has no field for column id of the key"),
            ({"raw": b'{"id": "2; DROP TABLE events"}'}, "does not fit its type"),
            ({"raw": b'{"id": ' + b"9" * 500 + b"}"}, "does not fit its type"),
            ({"raw": b'{"id": {"a": 1}}'}, "does not fit its type"),
            ({"raw": b'{"id": null}'}, "does not fit its type"),
            ({"raw": b"{"}, "the record cannot be read"),
            ({"raw": b"[" * 100_000}, "the record cannot be read"),
            ({"raw": b"[1]"}, "the record is not an object"),
            ({"raw": b"1", "format": '{"name": "text"}'}, "a line of text has no fields"),
            ({"raw": b'{"id": 1}', "mapped": True}, "a mapping makes the row"),
            ({"raw": b'{"id": 1}', "target": "nowhere"}, "there is no such table"),
            ({"raw": b'{"id": 1}', "target": "s3://b/p"}, "was not meant for a table"),
        ],
    )
    def test_why_there_is_none(self, database: Database, kind: dict[str, Any], reason: str) -> None:
        row = found(prepared(database), **kind)
        assert row.cells == ()
        assert reason in row.reason

    def test_steps_make_it_doubtful(self, database: Database) -> None:
        row = found(prepared(database), raw=b'{"id": 1}', pipeline="p", steps='["A"]')
        assert row.cells
        assert row.note

    def test_a_table_with_keys_of_origin_is_asked_by_origin(self, database: Database) -> None:
        config = database.sink("plain").config
        database.run(
            "INSERT INTO plain (ingest_source, ingest_partition, ingest_offset, payload) "
            "VALUES ('file:///a', 'p', 0, '{\"a\": 1}')"
        )
        row = found(config, raw=b"{", target="plain")
        assert texts(row)[:3] == ["file:///a", "p", "0"]

    def test_hidden_columns_and_values_are_masked(self, database: Database) -> None:
        config = prepared(database)
        hidden = '{"paths": [["ssn"]], "versions": []}'
        database.run(f"UPDATE ingest_pipelines SET hidden = '{hidden}'")
        assert texts(found(config, raw=b'{"id": 1, "ssn": "123-45-6789"}')) == [
            "1",
            "***",
            "is ***",
        ]

    def test_a_mapping_that_hides_lets_nothing_be_seen(self, database: Database) -> None:
        config = prepared(database)
        database.run('UPDATE ingest_pipelines SET hidden = \'{"paths": [[]], "versions": []}\'')
        row = found(config, raw=b'{"id": 1}')
        assert row.cells == ()
        assert "a mapping hides fields" in row.reason

    def test_a_job_that_is_gone(self, database: Database) -> None:
        assert table_row(prepared(database).database, 1).reason
