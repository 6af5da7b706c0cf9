"""Whatever its format, of a record that is too large only the head is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.source import FilesSource
from tests.io.sources.reading import failures, raws, read_all

LIMIT = 100_000
ROWS = [{"s": "a"}, {"s": "x" * 900_000}, {"s": "b"}]
HEAD = 64 << 10


def lines(path: Path) -> None:
    path.write_text("\n".join(map(json.dumps, ROWS)))


def array(path: Path) -> None:
    path.write_text(json.dumps(ROWS))


def sequence(path: Path) -> None:
    path.write_text("".join(json.dumps(row, indent=1) for row in ROWS))


def csv(path: Path) -> None:
    path.write_text("\n".join(["s,t", *(f"{row['s']},1" for row in ROWS)]))


def parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(list(ROWS)), path)


def avro(path: Path) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "s", "type": "string"}]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, ROWS, "deflate", sync_interval=10)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.jsonl", lines),
        ("array.json", array),
        ("sequence.json", sequence),
        ("a.csv", csv),
        ("a.parquet", parquet),
        ("a.avro", avro),
    ],
)
def test_of_a_record_that_is_too_large_only_the_head_is_kept(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    batches = read_all(FilesSource(str(tmp_path / name), max_record_bytes=LIMIT))
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("too_large", "RecordTooLarge")
    assert len(failure.raw) == HEAD
    assert b"x" * (HEAD - 100) in failure.raw
    assert "has 900,0" in failure.message
    assert "sha256" in failure.message
    assert len(raws(batches)) == 2


def test_the_hash_is_that_of_the_whole_record(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl")
    (failure,) = failures(read_all(FilesSource(str(tmp_path / "a.jsonl"), max_record_bytes=LIMIT)))
    assert sha256(json.dumps(ROWS[1]).encode()).hexdigest() in failure.message


def test_of_a_long_row_that_cannot_be_read_only_the_head_is_kept(tmp_path: Path) -> None:
    texts = pa.array([b"a", b"\xff" * 80_000]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"n": [1, 2], "s": texts}), tmp_path / "a.parquet")
    batches = read_all(FilesSource(str(tmp_path / "a.parquet"), max_record_bytes=LIMIT))
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("malformed", "RecordTooLarge")
    assert len(failure.raw) == HEAD
    assert "not UTF-8" in failure.message
    assert "sha256" in failure.message
