from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, drained, failures, raws, read_all
from transforms import notes
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    notes.reset()
    yield
    notes.reset()


def parquet() -> bytes:
    stored = io.BytesIO()
    pq.write_table(pa.table({"n": [1, 2]}), stored)
    return stored.getvalue()


def avro() -> bytes:
    stored = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}
    fastavro.writer(stored, schema, [{"n": 1}, {"n": 2}])
    return stored.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "seen", "records"),
    [
        ("a", b'{"n": 1}\n{"n": 2}\n', "jsonl", 2),
        ("a.log", b'\xef\xbb\xbf {"n": 1}\n', "jsonl", 1),
        ("a.txt", b"id;name\n1;x\n2;y\n", "csv", 2),
        ("a.txt", "id\tname\n1\tx\n".encode("utf-16"), "csv", 1),
        ("a.txt.gz", gzip.compress(b"id,name\n1,x\n", mtime=0), "csv", 1),
        ("a", gzip.compress(b"id,name\n1,x\n", mtime=0), "csv", 1),
        ("part-00000", parquet(), "parquet", 2),
        ("part-00000", avro(), "avro", 2),
        ("a.gz", gzip.compress(avro(), mtime=0), "avro", 2),
        ("data.2026-11-25", b'{"n": 1}\n', "jsonl", 1),
    ],
)
def test_content_tells_what_the_name_does_not(
    tmp_path: Path, name: str, data: bytes, seen: str, records: int
) -> None:
    (tmp_path / name).write_bytes(data)
    files = FilesSource(f"{tmp_path}/*")
    files.check()
    notes.reset()
    batches = read_all(files)
    assert sum(len(batch.raws) for batch in batches) == records
    assert failures(batches) == []
    assert [note.group for note in notes.noted() if note.group in ("jsonl", "csv", seen)] == [seen]


@pytest.mark.parametrize(
    "data",
    [
        b"just some prose\n",
        b"2026-11-25 10:00:00 INFO started, ready\n2026-11-25 INFO x, y\n",
        b"<html><body>no</body></html>",
        b'127.0.0.1 - - [10/Oct] "GET /, HTTP" 200\n',
    ],
)
def test_text_that_is_neither_asks_for_format(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.log").write_bytes(data)
    with pytest.raises(ConfigError, match="give --format"):
        FilesSource(f"{tmp_path}/*").check()
    (failure,) = failures(read_all(FilesSource(f"{tmp_path}/*")))
    assert (failure.category, failure.raw) == ("unknown_format", b"")
    assert "give --format" in failure.message


def test_a_picture_without_a_suffix_is_one_failure(tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(b"\x89PNG\r\n\x1a\n")
    (failure,) = failures(read_all(FilesSource(f"{tmp_path}/*")))
    assert "a picture" in failure.message


def test_reading_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    ledger = MemoryLedger()
    files = FilesSource(f"{tmp_path}/*")
    (split,) = files.splits(ledger)
    (whole,) = drained(files.open(split, (), ledger))
    batches = drained(files.open(split, (("", whole.offsets[1]),), ledger))
    assert raws(batches) == [b'{"n": 2}', b'{"n": 3}']
    assert batches[-1].span.end == 27


def test_a_later_run_goes_on_where_the_ledger_ends(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    ledger = MemoryLedger()
    files = FilesSource(f"{tmp_path}/*", limits=BatchLimits(records=1))
    first, *_ = read_all(files)
    ledger.settle([first])
    batches = read_all(files, ledger)
    assert raws(batches) == [b'{"n": 2}', b'{"n": 3}']
    assert list(files.splits(ledger)) == []
