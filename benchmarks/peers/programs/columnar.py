"""The columnar loader: pyarrow reads JSON lines, ADBC copies them in binary.

    python columnar.py DSN FILE …

Blocks of 8 MiB become Arrow tables; each is copied into a staging table by the driver's bulk
ingestion (binary COPY) and merged from there, one transaction a block.
"""

from __future__ import annotations

import sys
from typing import Any

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.json

# Bulk ingestion copies a column as the type that Arrow has for it, so what Arrow has no type for
# (uuid, jsonb), or Postgres another one (numeric), is staged otherwise and cast by the INSERT.
STAGING = """CREATE TEMP TABLE staging (event_id text, user_id bigint, type text,
occurred_at timestamptz, amount double precision, currency text, k bigint, s text)"""
MERGE = """INSERT INTO events SELECT event_id::uuid, user_id, type, occurred_at, amount::numeric,
currency, jsonb_build_object('k', k, 's', s) FROM staging ON CONFLICT DO NOTHING"""
FIELDS: list[pa.Field[Any]] = [
    pa.field("event_id", pa.string()),
    pa.field("user_id", pa.int64()),
    pa.field("type", pa.string()),
    pa.field("occurred_at", pa.timestamp("us", tz="UTC")),
    pa.field("amount", pa.float64()),
    pa.field("currency", pa.string()),
    pa.field("props", pa.struct([pa.field("k", pa.int64()), pa.field("s", pa.string())])),
]
READ = pyarrow.json.ReadOptions(block_size=8 << 20)
PARSE = pyarrow.json.ParseOptions(explicit_schema=pa.schema(FIELDS))


def load(dsn: str, paths: list[str]) -> None:
    """Load all files."""
    with adbc_driver_postgresql.dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(STAGING)
        connection.commit()
        for path in paths:
            with pyarrow.json.open_json(path, read_options=READ, parse_options=PARSE) as reader:
                for batch in reader:
                    props = batch.column("props")
                    assert isinstance(props, pa.StructArray)
                    columns = {name: batch.column(name) for name in batch.schema.names[:-1]}
                    columns |= {"k": props.field("k"), "s": props.field("s")}
                    cursor.adbc_ingest(
                        "staging", pa.record_batch(columns), mode="append", temporary=True
                    )
                    cursor.execute(MERGE)
                    cursor.execute("TRUNCATE staging")
                    connection.commit()


if __name__ == "__main__":
    load(sys.argv[1], sys.argv[2:])
