"""dlt: a resource of parsed lines, merged by its primary key.

    python dlt_merge.py DSN FILE …

Parquet files are what dlt's documentation recommends for loading much into Postgres: they are copied
by ADBC. Its state goes into a folder that is removed at the end.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import dlt
import orjson
from psycopg2.extensions import parse_dsn

PAGE = 10_000


def pages(paths: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The events of all files, in pages as dlt recommends them."""
    for path in paths:
        with open(path, "rb") as file:
            while page := [orjson.loads(line) for line in itertools.islice(file, PAGE)]:
                yield page


def credentials(dsn: str) -> dict[str, Any]:
    """The database, in dlt's words; it asks for a password, even where the server does not."""
    server = parse_dsn(dsn)
    return {
        "host": "localhost",  # a folder is none to dlt, but is to the libraries that it hands this to
        "query": {"host": server["host"]},
        "database": server["dbname"],
        "username": server["user"],
        "password": server.get("password", "none"),
    }


def load(dsn: str, paths: list[str]) -> None:
    """Load all files."""
    events = dlt.resource(
        pages(paths),
        name="events",
        primary_key="event_id",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        columns={
            "event_id": {"data_type": "text"},
            "user_id": {"data_type": "bigint"},
            "type": {"data_type": "text"},
            "occurred_at": {"data_type": "timestamp"},
            "amount": {"data_type": "decimal"},
            "currency": {"data_type": "text"},
            "props": {"data_type": "json"},
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "peer",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(credentials(dsn)),
            dataset_name="public",
        )
        pipeline.run(events, loader_file_format="parquet")


if __name__ == "__main__":
    load(sys.argv[1], sys.argv[2:])
