"""A Parquet row that is retried or replayed is written exactly as a row that was just read."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines import commands
from tests.pipelines.commands import audit, dead_letters
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

TYPES = {
    "b": ("bytea", "BLOB"),
    "f": ("double precision", "REAL"),
    "g": ("real", ""),
    "dec": ("numeric", ""),
    "big": ("numeric", ""),
    "d": ("date", "TEXT"),
    "t": ("time", "TEXT"),
    "naive": ("timestamp", "TEXT"),
    "aware": ("timestamptz", "TEXT"),
    "ns": ("timestamptz", "TEXT"),
    "dur": ("interval", "TEXT"),
    "l": ("jsonb", "JSON"),
    "s": ("jsonb", "JSON"),
    "m": ("jsonb", "JSON"),
    "u": ("uuid", "TEXT"),
    "x": ("text", "TEXT"),
}


def rows(sink: str) -> pa.Table:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901)
    durations: list[Any] = [timedelta(days=-1, microseconds=1), timedelta(hours=30), None]
    columns = {
        "id": pa.array([1, 2, 3]),
        "parent": pa.array([7, 7, 7]),
        "b": pa.array([b"\x00\xff\x10", b"", None]),
        "f": pa.array([math.nan, -0.0, math.inf]),
        "g": pa.array([0.1, -math.inf, None], pa.float32()),
        "dec": pa.array([Decimal("1.50"), Decimal("-0.01"), None], pa.decimal128(9, 2)),
        "big": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "d": pa.array([date(1, 1, 1), date(9999, 12, 31), None]),
        "t": pa.array([time(1, 2, 3), time(1, 2, 3, 4), None]),
        "naive": pa.array([at, datetime(1900, 1, 1), None], pa.timestamp("us")),
        "aware": pa.array([at.replace(tzinfo=UTC)] * 3, pa.timestamp("us", "Asia/Tokyo")),
        "ns": pa.array([1_700_000_000_123_456_789, -1, None], pa.timestamp("ns", "UTC")),
        "l": pa.array([[1, None], [], None]),
        "s": pa.array([{"a": b"\xff", "b": 1.5}, {"a": None, "b": -0.0}, None]),
        "m": pa.array([[("k", date(2026, 1, 2))], [], None], pa.map_(pa.string(), pa.date32())),
        "u": pa.array([bytes(range(16)), bytes(16), None], pa.uuid()),
        "x": pa.array(["é\t\\N", "1.0", None]),
    }
    if sink.startswith("postgresql"):  # SQLite has nothing for a duration
        columns["dur"] = pa.array(durations, pa.duration("us"))
    return pa.table(columns)


def create(sink: str, name: str, constraint: str, table: pa.Table) -> None:
    which = 1 if sink.startswith("sqlite") else 0
    typed = (f"{each} {TYPES[each][which]}" for each in table.column_names[2:])
    columns = ", ".join(["id integer PRIMARY KEY", f"parent integer {constraint}", *typed])
    query(sink, f"CREATE TABLE {name} ({columns})")


def stored(sink: str, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    """Every cell as the database spells it, with its type."""
    if sink.startswith("sqlite"):
        cells = ", ".join(f"typeof({name}), quote({name})" for name in columns)
    else:
        cells = ", ".join(f"{name}::text" for name in columns)
    return query(sink, f"SELECT {cells} FROM {table} ORDER BY id")


def ingested(tmp_path: Path, sink: str, table: str, *more: str) -> dict[str, Any]:
    return commands.ingested(tmp_path / "a.parquet", sink, *more, table=table)


def replay(sink: str) -> None:
    assert dead_letters("replay", "--sink", sink, "--reason", "the constraint was wrong") == 0


def test_a_row_that_waited_for_its_parent_equals_a_fresh_one(sink: str, tmp_path: Path) -> None:
    table = rows(sink)
    pq.write_table(table, tmp_path / "a.parquet")
    query(sink, "CREATE TABLE parents (id integer PRIMARY KEY)")
    create(sink, "fresh", "", table)
    create(sink, "events", "REFERENCES parents (id)", table)
    assert ingested(tmp_path, sink, "fresh")["inserted"] == 3
    first = ingested(tmp_path, sink, "events", "--retry_wait", "0", "--backoff_base", "0.05")
    assert (first["retrying"], first["dead"], first["inserted"]) == (3, 0, 0)
    query(sink, "INSERT INTO parents VALUES (7)")
    again = ingested(tmp_path, sink, "events")
    assert (again["inserted"], again["dead"]) == (3, 0)
    names = table.column_names
    assert stored(sink, "events", names) == stored(sink, "fresh", names)
    assert audit(sink) == 0


def test_a_replayed_row_equals_a_fresh_one(sink: str, tmp_path: Path) -> None:
    table = rows(sink)
    pq.write_table(table, tmp_path / "a.parquet")
    create(sink, "fresh", "", table)
    create(sink, "events", "CHECK (parent > 7)", table)
    assert ingested(tmp_path, sink, "fresh")["inserted"] == 3
    assert ingested(tmp_path, sink, "events")["dead"] == 3
    query(sink, "DROP TABLE events")
    create(sink, "events", "", table)
    replay(sink)
    assert ingested(tmp_path, sink, "events")["inserted"] == 3
    names = table.column_names
    assert stored(sink, "events", names) == stored(sink, "fresh", names)


def test_a_job_that_an_earlier_version_kept_as_plain_json_is_replayed(
    sink: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"id": [1], "n": [1]}), tmp_path / "a.parquet")
    query(sink, "CREATE TABLE events (id integer PRIMARY KEY, n integer CHECK (n > 1))")
    assert ingested(tmp_path, sink, "events")["dead"] == 1
    raw = b'{"id":1,"n":2}'
    value = f"X'{raw.hex()}'" if sink.startswith("sqlite") else f"'\\x{raw.hex()}'"
    query(sink, f"UPDATE ingest_jobs SET raw = {value}")
    replay(sink)
    assert ingested(tmp_path, sink, "events")["inserted"] == 1
    assert query(sink, "SELECT id, n FROM events") == [(1, 2)]


def test_a_row_of_which_an_earlier_version_kept_too_little_is_not_replayed(
    sink: str, tmp_path: Path
) -> None:
    bad = pa.array([b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"id": [1], "x": bad}), tmp_path / "a.parquet")
    query(sink, "CREATE TABLE events (id integer PRIMARY KEY, x text)")
    assert ingested(tmp_path, sink, "events")["dead"] == 1
    raw = b'{"id":1,"x":null}'
    value = f"X'{raw.hex()}'" if sink.startswith("sqlite") else f"'\\x{raw.hex()}'"
    query(sink, f"UPDATE ingest_jobs SET raw = {value}, exception = 'UnreadableRow'")
    replay(sink)
    assert ingested(tmp_path, sink, "events")["inserted"] == 0
    assert query(sink, "SELECT state FROM ingest_jobs") == [("discarded",)]


def test_a_row_that_cannot_be_read_is_dead_again_after_a_replay(sink: str, tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "x": pa.array([b"\xff\xfe", b"ok"]).view(pa.string())})
    pq.write_table(table, tmp_path / "a.parquet")
    query(sink, "CREATE TABLE events (id integer PRIMARY KEY, x text)")
    first = ingested(tmp_path, sink, "events")
    assert (first["inserted"], first["dead"]) == (1, 1)
    for _ in range(2):
        replay(sink)
        assert ingested(tmp_path, sink, "events")["dead"] == 1
        ((category, message, raw),) = query(sink, "SELECT category, message, raw FROM ingest_jobs")
        assert category == "malformed"
        assert "column 'x' (string): not UTF-8" in message
        assert b'"hex":"fffe"' in bytes(raw)
    assert query(sink, "SELECT id, x FROM events") == [(2, "ok")]
    assert audit(sink) == 0


def test_dates_beyond_pythons_go_in_exactly(sink: str, tmp_path: Path) -> None:
    days = [2_932_897, -719_163, -2_440_588, 0]
    moments = [253_402_300_800_000_001, -62_135_596_800_000_001, None, 0]
    table = pa.table(
        {
            "id": [1, 2, 3, 4],
            "d": pa.array(days, pa.int32()).view(pa.date32()),
            "naive": pa.array(moments, pa.int64()).view(pa.timestamp("us")),
            "aware": pa.array(moments, pa.int64()).view(pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    query(
        sink,
        "CREATE TABLE events (id integer PRIMARY KEY, d date, naive timestamp, aware timestamptz)"
        if sink.startswith("postgresql")
        else "CREATE TABLE events (id integer PRIMARY KEY, d text, naive text, aware text)",
    )
    summary = ingested(tmp_path, sink, "events")
    assert (summary["inserted"], summary["dead"]) == (4, 0)
    if sink.startswith("postgresql"):
        numbers = """SELECT d - date '1970-01-01',
            (extract(epoch FROM naive) * 1000000)::bigint,
            (extract(epoch FROM aware) * 1000000)::bigint FROM events ORDER BY id"""
        assert query(sink, numbers) == list(zip(days, moments, moments, strict=True))
    else:
        assert query(sink, "SELECT d, naive, aware FROM events ORDER BY id") == [
            ("10000-01-01", "10000-01-01T00:00:00.000001", "10000-01-01T00:00:00.000001+00:00"),
            (
                "0001-12-31 BC",
                "0001-12-31T23:59:59.999999 BC",
                "0001-12-31T23:59:59.999999+00:00 BC",
            ),
            ("4714-11-24 BC", None, None),
            ("1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00+00:00"),
        ]


@pytest.mark.integration
def test_a_date_that_postgres_has_not_is_dead_with_its_value(
    postgres_url: str, tmp_path: Path
) -> None:
    beyond = pa.array([2**31 - 1], pa.int32()).view(pa.date32())
    pq.write_table(pa.table({"id": [1], "d": beyond}), tmp_path / "a.parquet")
    query(postgres_url, "CREATE TABLE events (id integer PRIMARY KEY, d date)")
    for _ in range(2):
        assert ingested(tmp_path, postgres_url, "events")["dead"] == 1
        ((category, message, raw),) = query(
            postgres_url, "SELECT category, message, raw FROM ingest_jobs"
        )
        assert category == "data"
        assert "5881580-07-11" in message
        assert b"5881580-07-11" in bytes(raw)
        replay(postgres_url)
