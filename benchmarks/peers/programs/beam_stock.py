"""Stock Beam: ReadFromText, Map, and a DoFn with psycopg's executemany … ON CONFLICT DO NOTHING.

    python beam_stock.py DSN GLOB

FnApiRunner is named: Beam's DirectRunner may download another one.
"""

from __future__ import annotations

import sys
from typing import Any

import apache_beam as beam
import orjson
import psycopg
from apache_beam.options.pipeline_options import PipelineOptions

BATCH = 5_000
INSERT = "INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")


def row(line: str) -> tuple[Any, ...]:
    """The row of one line."""
    event = orjson.loads(line)
    return (*(event[name] for name in COLUMNS), orjson.dumps(event["props"]).decode())


class WriteRows(beam.DoFn):
    """Writes rows, at most ``BATCH`` in one transaction."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def setup(self) -> None:
        self._connection = psycopg.connect(self._dsn)

    def start_bundle(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def process(self, element: tuple[Any, ...]) -> None:
        self._rows.append(element)
        if len(self._rows) >= BATCH:
            self._flush()

    def finish_bundle(self) -> None:
        if self._rows:
            self._flush()

    def teardown(self) -> None:
        self._connection.close()

    def _flush(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(INSERT, self._rows)
        self._connection.commit()
        self._rows = []


def load(dsn: str, pattern: str) -> None:
    """Load all files that match ``pattern``."""
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        lines = pipeline | beam.io.ReadFromText(pattern)
        lines | beam.Map(row) | beam.ParDo(WriteRows(dsn))


if __name__ == "__main__":
    load(*sys.argv[1:])
