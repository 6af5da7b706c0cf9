"""Many rows of ``ingest_jobs`` in PostgreSQL: a COPY and one INSERT, whatever their number."""

# ruff: noqa: S608 - identifiers are quoted

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.tables import StoredText, jobs
from sinks.text import encoding as text_encoding
from sinks.text.copy_text import copy_data, encoder_of, escape
from sinks.text.quoting import quote
from transforms.parse.json_text import encode_json

_STAGED = "sluice_jobs"

_TYPES = {
    name: "bytea" if isinstance(column.type, sa.LargeBinary) else "json"
    for name, column in jobs.c.items()
    if isinstance(column.type, sa.LargeBinary | sa.JSON)
}


def insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, all with the same columns; those whose origin is there add nothing.

    Args:
        connection: With psycopg2, whose cursors COPY.
        rows: By column.
    """
    columns = ", ".join(map(quote, rows[0]))
    cells = [_encoded(connection.dialect, name, [row[name] for row in rows]) for name in rows[0]]
    data = copy_data(list(map("\t".join, zip(*cells, strict=True))))
    cursor = connection.connection.cursor()
    cursor.execute("SET LOCAL client_min_messages = warning")  # "already exists, skipping"
    cursor.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_STAGED} ON COMMIT DELETE ROWS AS "
        f"SELECT {columns} FROM {quote(jobs.name)} WITH NO DATA"
    )
    cursor.copy_expert(
        f"COPY {_STAGED} ({columns}) FROM STDIN", io.BytesIO(data), size=len(data) + 1
    )
    cursor.execute(
        f"INSERT INTO {quote(jobs.name)} ({columns}) SELECT {columns} FROM {_STAGED} "
        "ON CONFLICT (origin) DO NOTHING"
    )
    cursor.execute(f"TRUNCATE {_STAGED}")


def _encoded(dialect: sa.Dialect, name: str, values: Sequence[Any]) -> Sequence[str]:
    """The values of one column as COPY reads them."""
    kind = _TYPES.get(name, "text")
    if not text_encoding.holds_all(dialect):
        if kind == "json":
            texts = [encode_json(value).decode() for value in values]
            return escape(list(map(text_encoding.ascii_json, texts)))
        if isinstance(jobs.c[name].type, StoredText):
            values = [v if v is None else text_encoding.escaped(dialect, v) for v in values]
    return encoder_of(kind)(values)
