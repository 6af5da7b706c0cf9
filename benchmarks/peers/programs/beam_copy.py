"""Beam with COPY by hand: ``beam_stock.py``, whose DoFn copies into a staging table instead.

python beam_copy.py DSN GLOB
"""

from __future__ import annotations

import sys
from typing import Any

import apache_beam as beam
import orjson
import psycopg
from apache_beam.options.pipeline_options import PipelineOptions

BATCH = 10_000
COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")


def row(line: str) -> tuple[Any, ...]:
    """The row of one line."""
    event = orjson.loads(line)
    return (*(event[name] for name in COLUMNS), orjson.dumps(event["props"]).decode())


class CopyRows(beam.DoFn):
    """Writes rows, at most ``BATCH`` in one transaction."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def setup(self) -> None:
        self._connection = psycopg.connect(self._dsn)
        self._connection.execute("CREATE TEMP TABLE staging (LIKE events) ON COMMIT DELETE ROWS")
        self._connection.commit()

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
        with self._connection.cursor().copy("COPY staging FROM STDIN") as copy:
            for values in self._rows:
                copy.write_row(values)
        self._connection.execute("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING")
        self._connection.commit()
        self._rows = []


def load(dsn: str, pattern: str) -> None:
    """Load all files that match ``pattern``."""
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        lines = pipeline | beam.io.ReadFromText(pattern)
        lines | beam.Map(row) | beam.ParDo(CopyRows(dsn))


if __name__ == "__main__":
    load(*sys.argv[1:])
