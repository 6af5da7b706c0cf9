"""Many rows of the program's own tables: every type comes back as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa

from sinks.database.backends.duckdb.rows import columns_of, insert
from sinks.database.columns import BYTES, NAME, TEXT, UUID_TEXT, UtcDateTime
from sinks.database.columns import UUID as UUID_TYPE
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database

ALL = sa.Table(
    "all types",
    sa.MetaData(),
    sa.Column("name", NAME, primary_key=True),
    sa.Column("text", TEXT),
    sa.Column("short", sa.String(3)),
    sa.Column("bytes", BYTES),
    sa.Column("uuid", UUID_TYPE),
    sa.Column("uuid_text", UUID_TEXT),
    sa.Column("json", sa.JSON),
    sa.Column("at", UtcDateTime),
    sa.Column("big", sa.BigInteger),
    sa.Column("small", sa.SmallInteger),
    sa.Column("yes", sa.Boolean),
    sa.Column("real", sa.Double),
)
HASH = UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")
ROW = {
    "name": "a'\"\x00",
    "text": "ü🙂",
    "short": "abc",
    "bytes": bytes(range(256)),
    "uuid": HASH,
    "uuid_text": str(HASH),
    "json": {"a": [1, "\x00"]},
    "at": datetime(2026, 1, 1, 0, 0, 0, 1, UTC),
    "big": 2**63 - 1,
    "small": -1,
    "yes": True,
    "real": 0.1,
}


def test_rows_come_back_as_they_were(duckdb_database: Database) -> None:
    absent = {**dict.fromkeys(ROW), "name": "b", "json": sa.JSON.NULL}
    with transaction(duckdb_database.database, "test") as connection:
        ALL.create(connection)
        assert insert(connection, ALL, columns_of([ROW, absent])) == 2
        first, second = connection.execute(sa.select(ALL).order_by("name"))
    assert first._asdict() == ROW
    assert second._asdict() == {**dict.fromkeys(ROW), "name": "b"}
