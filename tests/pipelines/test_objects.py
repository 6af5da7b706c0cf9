"""Objects as people have them: what is passed over, what is left, and what the run says of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.pipelines import commands
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "objects"
    (folder / "_temporary").mkdir(parents=True)
    (folder / "_temporary" / "x.jsonl").write_bytes(b'{"id": 9}\n')
    (folder / "_SUCCESS").touch()
    (folder / "logo.png").write_bytes(b"\x89PNG")
    (folder / "a.jsonl").write_bytes(gzip.compress(b'{"id": 1}\n'))
    (folder / "b").write_bytes(b"id;name\n2;x\n")
    (folder / "skip.csv").write_bytes(b"id\n7\n")
    return folder


def test_one_object_that_cannot_be_read_is_exit_1_until_it_can(
    folder: Path, sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = folder / "loop.jsonl"
    loop.symlink_to("loop.jsonl")
    path = tmp_path / "summary.json"
    more = ("--exclude", "skip*", "--summary_json", str(path))
    assert commands.ingest(f"{folder}/**", sink, *more) == 1
    printed = capsys.readouterr()
    assert "loop.jsonl: Too many levels of symbolic links; run again" in printed.err
    assert "left for a later run: 1 objects" in printed.out
    assert "passed over: 1 objects (kinds that are not read)" in printed.out
    assert "detected: csv in" in printed.out
    assert "detected: gzip in" in printed.out
    summary: dict[str, Any] = json.loads(path.read_text())
    assert (summary["read"], summary["dead"], summary["inserted"]) == (2, 0, 2)
    assert (summary["unavailable"], summary["passed_over"]) == (1, 4)
    loop.unlink()
    loop.write_bytes(b'{"id": 3}\n')
    assert commands.ingested(f"{folder}/**", sink, "--exclude", "skip*")["inserted"] == 1
    assert commands.audit(sink) == 0


def test_an_array_that_only_its_bytes_tell_is_read_element_by_element(
    sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export"
    path.write_bytes(gzip.compress(b'[\n  {"id": 1},\n  {"id": 2, "a": },\n  {"id": 3}\n]\n'))
    assert commands.ingest(str(path), sink) == 0
    printed = capsys.readouterr().out
    assert f"detected: jsonl in {path.as_uri()}" in printed
    assert f"{path.as_uri()}: array" in printed
    assert [int(row[0]) for row in query(sink, "SELECT id FROM events ORDER BY id")] == [1, 3]
    assert commands.audit(sink) == 0


def test_avro_is_written_with_its_values(sink: str, tmp_path: Path) -> None:
    schema = {
        "type": "record",
        "name": "e",
        "fields": [
            {"name": "id", "type": "long"},
            {
                "name": "n",
                "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
            },
            {"name": "d", "type": ["null", {"type": "int", "logicalType": "date"}]},
        ],
    }
    from datetime import date
    from decimal import Decimal

    with (tmp_path / "a.avro").open("wb") as file:
        rows = [{"id": n, "n": Decimal("1.50"), "d": date(2020, 1, n)} for n in (1, 2, 3)]
        fastavro.writer(file, schema, [*rows, {"id": 3, "n": Decimal(1), "d": None}], "snappy")
    query(
        sink,
        "CREATE TABLE events (id integer PRIMARY KEY, n numeric CHECK (n > 1), d date NOT NULL)",
    )
    summary = commands.ingested(tmp_path / "a.avro", sink)
    assert (summary["inserted"], summary["dead"] + summary["duplicates"]) == (3, 1)
    assert [str(row[0]) for row in query(sink, "SELECT d FROM events ORDER BY id")] == [
        "2020-01-01",
        "2020-01-02",
        "2020-01-03",
    ]
