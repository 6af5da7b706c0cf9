"""Columns of instants that are numbers, by the command line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.pipelines import commands
from tests.pipelines.tables import query
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = pytest.mark.slow

ingest = partial(commands.ingest, table="t", key="id")

AT = 1_700_000_101
FLAGS = ("--epoch", "tz=ms", "--epoch", "ts=s", "--epoch", "d=us")

SQLITE_ROWS = [(1, "2023-11-14T22:15:01.005Z", "2023-11-14T22:15:01Z", "2023-11-14")]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".avro":
        fields = [{"name": name, "type": ["null", "long"]} for name in rows[0]]
        schema = {"type": "record", "name": "r", "fields": fields}
        with path.open("wb") as file:
            fastavro.writer(file, schema, rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row_of(number: int, tz: int) -> dict[str, Any]:
    return {"id": number, "tz": tz, "ts": AT, "d": AT * 1_000_000}


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet", "t.avro"])
@pytest.mark.parametrize(
    "sink", [pytest.param("postgres", marks=pytest.mark.integration)], indirect=True
)
def test_they_reach_the_columns_of_the_table_and_a_replay_applies_the_option(
    sink: str, tmp_path: Path, name: str
) -> None:
    query(
        sink,
        "CREATE TABLE t (id integer PRIMARY KEY, tz timestamptz, ts timestamp, d date)",
    )
    path = write(tmp_path / name, [row_of(1, AT * 1000 + 5), row_of(2, AT * 10**6)])
    assert ingest(path, sink) == 0
    assert query(sink, "SELECT count(*) FROM t") == [(0,)]
    replay = ["replay", "--sink", sink, "--reason", "the units are known now"]
    assert commands.dead_letters(*replay) == 0
    assert ingest(path, sink, *FLAGS) == 0
    texts = "SELECT id, (tz AT TIME ZONE 'UTC')::text, ts::text, d::text FROM t"
    assert query(sink, texts) == [
        (1, "2023-11-14 22:15:01.005", "2023-11-14 22:15:01", "2023-11-14")
    ]
    ((message,),) = query(sink, "SELECT message FROM ingest_jobs WHERE state = 'discarded'")
    assert f"column tz: {AT * 10**6} ms" in message


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet", "t.avro"])
def test_they_are_what_a_schema_asks_for(tmp_path: Path, name: str) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    schema = tmp_path / "s.json"
    instant = {"type": "string", "format": "date-time"}
    properties = {
        "id": {"type": "integer"},
        "tz": instant,
        "ts": instant,
        "d": {"type": "string", "format": "date"},
    }
    schema.write_text(json.dumps({"properties": properties}))
    path = write(tmp_path / name, [row_of(1, AT * 1000)])
    assert ingest(path, sink, "--schema", str(schema), *FLAGS) == 0
    assert query(sink, "SELECT tz, ts, d FROM t") == [
        ("2023-11-14T22:15:01Z", "2023-11-14T22:15:01Z", "2023-11-14")
    ]


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet", "t.avro"])
def test_they_reach_the_columns_of_a_table_of_sqlite(tmp_path: Path, name: str) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    query(sink, "CREATE TABLE t (id integer PRIMARY KEY, tz timestamp, ts timestamp, d date)")
    path = write(tmp_path / name, [row_of(1, AT * 1000 + 5), row_of(2, AT * 10**6)])
    assert ingest(path, sink, *FLAGS) == 0
    assert query(sink, "SELECT id, tz, ts, d FROM t") == SQLITE_ROWS


@pytest.mark.integration
@pytest.mark.parametrize("sink", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("layout", ["object", "array", "csv"])
def test_they_are_read_from_a_topic(
    kafka_broker: KafkaBroker, topic: Topics, sink: str, layout: str
) -> None:
    query(sink, "CREATE TABLE t (id integer PRIMARY KEY, tz timestamp, ts timestamp, d date)")
    name = topic()
    rows = [row_of(1, AT * 1000 + 5), row_of(2, AT * 10**6)]
    flags = list(FLAGS)
    if layout == "object":
        messages = [json.dumps(row).encode() for row in rows]
    elif layout == "array":
        messages = [json.dumps(rows).encode()]
    else:
        flags += ["--format", "csv", "--csv_columns", "id,tz,ts,d"]
        messages = [",".join(map(str, row.values())).encode() for row in rows]
    kafka_broker.produce(name, [(b"k", message, 0) for message in messages])
    assert ingest(f"kafka://{kafka_broker.bootstrap}/{name}?until=latest", sink, *flags) == 0
    if sink.startswith("sqlite"):
        assert query(sink, "SELECT id, tz, ts, d FROM t") == SQLITE_ROWS
    else:
        assert query(sink, "SELECT id, tz::text, ts::text, d::text FROM t") == [
            (1, "2023-11-14 22:15:01.005", "2023-11-14 22:15:01", "2023-11-14")
        ]
    ((message,),) = query(sink, "SELECT message FROM ingest_jobs WHERE state = 'discarded'")
    assert f"column tz: {AT * 10**6} ms" in message


def test_a_wrong_unit_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "t.jsonl", [row_of(1, AT)])
    assert ingest(path, f"sqlite:///{tmp_path}/t.db", "--epoch", "at=hours") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "--epoch" in line
