"""The pages about buckets: their commands run with an S3 of the tests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages.page import page, shown
from tests.pipelines.commands import ingested
from tests.pipelines.tables import count_rows, query
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "day": {"type": "string"},
        "type": {"type": "string"},
    },
}
EVENTS = [{"id": number, "day": "2026-11-26", "type": "order"} for number in range(3)]


@pytest.fixture
def tables_are_there() -> bool:
    return True


@pytest.fixture
def endpoint(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    return s3_endpoint


def keys(s3: S3Client, bucket: str, prefix: str = "") -> list[str]:
    """The names in a bucket, without manifests."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [part["Key"] for part in listed if "_manifest" not in part["Key"]]


@pytest.mark.usefixtures("endpoint")
def test_objects_and_compaction(
    s3: S3Client, bucket: str, tmp_path: Path, postgres_url: str
) -> None:
    """What the one page writes, the other one merges."""
    text = "".join(f"{json.dumps(event)}\n" for event in EVENTS)
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "a.jsonl").write_text(text)
    (tmp_path / "event.schema.json").write_text(json.dumps(SCHEMA))
    with (
        mock_cluster() as broker,
        page(
            "docs/objects.md", tmp_path, bucket=bucket, broker=broker, postgres=postgres_url
        ) as opened,
    ):
        opened.runs("sluice ingest")
        (name,) = keys(s3, bucket)
        assert re.fullmatch(r"raw/events/[\w-]+\.parquet", name)
        lines = [line.encode() for line in text.splitlines()]
        produce(broker, "events", [(None, line, number % 2) for number, line in enumerate(lines)])
        opened.runs("sluice ingest")
        written = keys(s3, bucket, "live/")
    assert len(written) >= 2
    name = shown("docs/objects.md", "raw/events/dt=").strip()
    assert {shape(name) for name in written} == {shape(name.replace("raw/", "live/", 1))}
    with page("docs/compaction.md", tmp_path, bucket=bucket, postgres=postgres_url) as opened:
        opened.runs("sluice compact")
        assert keys(s3, bucket, "live/") == written
        opened.runs("sluice compact")
    assert any("/compacted-" in name for name in keys(s3, bucket, "live/"))


def shape(name: str) -> str:
    """The name of an object without its day, hashes and numbers."""
    name = re.sub(r"dt=\d{4}-\d\d-\d\d/", "dt=DAY/", name)
    folder, _, file = name.rpartition("/")
    return f"{folder}/{re.sub('[0-9a-f]+(?=[-.])', 'N', file)}"


@pytest.mark.usefixtures("endpoint")
def test_tables_that_evolve(s3: S3Client, bucket: str, tmp_path: Path, postgres_url: str) -> None:
    s3.put_object(Bucket=bucket, Key="orders/a.jsonl", Body=b'{"id": 1, "total": 5}\n')
    with page("docs/schema-evolution.md", tmp_path, bucket=bucket, postgres=postgres_url) as opened:
        opened.runs("sluice ingest")
        assert query(postgres_url, "SELECT id, total FROM orders") == [("1", 5)]
        s3.put_object(Bucket=bucket, Key="orders/b.jsonl", Body=b'{"id": 2, "colour": "red"}\n')
        opened.runs("sluice ingest")
        assert count_rows(postgres_url, "orders") == 1
        assert opened.runs("sluice dead-letters list")[-1].startswith("1 of 1")


@pytest.mark.usefixtures("endpoint")
def test_files_that_are_gone(s3: S3Client, bucket: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    s3.put_object(Bucket=bucket, Key="2025/a.jsonl", Body=b'{"id": 1}\n')
    ingested(f"s3://{bucket}/2025/*", url)
    s3.delete_object(Bucket=bucket, Key="2025/a.jsonl")
    query(url, "UPDATE ingest_progress SET updated_at = '2020-01-01 00:00:00'")
    with page("docs/files.md", tmp_path, bucket=bucket, database=url) as opened:
        opened.runs("sluice ledger forget")
        assert count_rows(url, "ingest_progress") == 1
        opened.runs("sluice ledger forget")
        assert count_rows(url, "ingest_progress") == 0
    assert query(url, "SELECT reason FROM ingest_audit") == [("lifecycle of the bucket",)]
