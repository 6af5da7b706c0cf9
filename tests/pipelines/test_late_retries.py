"""What a record that waited for its retry does to newer records with its key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest import ingest
from tests.pipelines.tables import query
from transforms.batch.record import Record
from transforms.errors import RetryLater
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

READY: list[bool] = []


@pytest.fixture(autouse=True)
def not_ready() -> Iterator[None]:
    READY.clear()
    yield
    READY.clear()


def wait(record: Record) -> Record:
    """Put the older record off until ``READY``."""
    if record.value["v"] == "older" and not READY:
        raise RetryLater("not yet")
    return record


@pytest.mark.parametrize(
    ("on_conflict", "value"), [("update", "older"), ("newest:t", "newer"), ("ignore", "newer")]
)
def test_only_newest_keeps_a_late_retry_from_overwriting_newer_records(
    sink: str, tmp_path: Path, on_conflict: str, value: str
) -> None:
    query(sink, "CREATE TABLE people (id integer PRIMARY KEY, t integer, v text)")
    path = tmp_path / "people.jsonl"
    path.write_text('{"id":1,"t":1,"v":"older"}\n{"id":1,"t":2,"v":"newer"}\n')
    options: dict[str, Any] = {
        "source": str(path),
        "sink": sink,
        "table": "people",
        "key": "id",
        "on_conflict": on_conflict,
        "retry_wait": 0,
        "backoff_base": 3600,
        "backoff_cap": 3600,
        "no_progress": True,
    }
    steps = [EachRecord(wait, "Wait")]
    assert ingest(steps=steps, argv=[], **options) == 0
    assert query(sink, "SELECT v FROM people") == [("newer",)]
    READY.append(True)
    query(sink, "UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'")
    assert ingest(steps=steps, argv=[], **options) == 0
    assert query(sink, "SELECT v FROM people") == [(value,)]
    assert query(sink, "SELECT state FROM ingest_jobs") == [("completed",)]
