"""What is read from objects is what was written, and an error of a manifest is named."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mypy_boto3_s3 import S3Client

from benchmarks.routes.event_types import BY_NAME
from benchmarks.routes.expected import differences, expected
from benchmarks.routes.lake import ROOT, Entry, Lake, Manifest
from benchmarks.routes.records import Plan, records

STREAM = list(records(Plan(600, seed=2)))
KIND = BY_NAME["orders"]


@pytest.fixture
def lake(s3: S3Client, s3_endpoint: str, bucket: str) -> Lake:
    return Lake(s3, s3_endpoint, bucket, "raw", ("testing", "testing"))


def stored(lake: Lake, name: str, rows: Sequence[Mapping[str, Any]]) -> Entry:
    """Put one object of Parquet."""
    buffer = io.BytesIO()
    columns = {key: [row[key] for row in rows] for key in KIND.compared}
    columns["placed_at"] = [
        datetime.fromisoformat(at).astimezone(UTC) for at in columns["placed_at"]
    ]
    pq.write_table(pa.table(columns), buffer)
    body = buffer.getvalue()
    answer = lake.client.put_object(Bucket=lake.bucket, Key=f"{lake.prefix}/{name}", Body=body)
    return Entry(name, len(rows), len(body), answer["ETag"].strip('"'))


def orders() -> list[Mapping[str, Any]]:
    return [record.row for record in STREAM if record.event == KIND.event and record.row]


def test_pyarrow_reads_each_record_of_the_objects_that_the_manifest_names(lake: Lake) -> None:
    rows = orders()
    entries = [
        stored(lake, "orders/a.parquet", rows[:20]),
        stored(lake, "orders/b.parquet", rows[20:]),
    ]
    must_be = expected(STREAM, tables=False, objects=True).objects["orders"]
    whole, part = (Manifest(1, "id", tuple(each)) for each in (entries, entries[:1]))
    assert differences("orders", lake.contents(whole, KIND), must_be) == []
    assert differences("orders", lake.contents(part, KIND), must_be) != []


def test_the_segments_of_a_manifest_are_read_too(lake: Lake) -> None:
    entry = {"rows": 1, "bytes": 2, "etag": "e"}
    root = {"number": 7, "sink": "id", "segments": [{"name": "_manifest/1.json"}]}
    for name, value in (
        ("_manifest/1.json", {"objects": [{"name": "orders/a", **entry}]}),
        (ROOT, {**root, "objects": [{"name": "orders/b", **entry}]}),
    ):
        key, body = f"{lake.prefix}/{name}", json.dumps(value).encode()
        lake.client.put_object(Bucket=lake.bucket, Key=key, Body=body)
    manifest = lake.manifest()
    assert manifest.number == 7
    assert sorted(manifest.names) == ["orders/a", "orders/b"]
    assert lake.listing() == {}


def test_an_object_that_is_not_there_or_has_other_content_is_named(lake: Lake) -> None:
    entry = stored(lake, "orders/a.parquet", orders()[:2])
    gone = Entry("orders/gone.parquet", 1, 1, "e")
    other = Entry(entry.name, entry.rows, entry.bytes, "e")
    assert lake.dangling(Manifest(1, "id", (entry,))) == []
    assert [gone.name in line for line in lake.dangling(Manifest(1, "id", (gone,)))] == [True]
    assert [other.name in line for line in lake.dangling(Manifest(1, "id", (other,)))] == [True]
