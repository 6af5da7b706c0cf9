"""The events are the same rows in each format."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import fastavro
import pyarrow.parquet as pq

from benchmarks.profiling.formats import rewrite
from examples.events import events, write


def test_rows_are_those_of_the_lines_they_are_made_of(tmp_path: Path) -> None:
    (lines,) = write(tmp_path, events(20), 1)
    wanted = [json.loads(line)["event_id"] for line in lines.read_bytes().splitlines()]
    for suffix in ("parquet", "avro", "csv"):
        rewrite(lines, tmp_path / f"events.{suffix}")
    rows = pq.read_table(tmp_path / "events.parquet").to_pylist()
    with (tmp_path / "events.avro").open("rb") as file:
        assert list(fastavro.reader(file)) == rows
    with (tmp_path / "events.csv").open(newline="") as text:
        cells = list(csv.DictReader(text))
    assert [row["event_id"] for row in rows] == wanted
    assert [row["event_id"] for row in cells] == wanted
    assert [json.loads(row["props"]) for row in cells] == [row["props"] for row in rows]
