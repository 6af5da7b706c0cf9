from __future__ import annotations

import io
import json
import math
import tracemalloc
import zlib
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest
from fastavro.read import HEADER_SCHEMA

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, drained, failures, read_all
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.typed_rows import decode

FIELDS: dict[str, Any] = {
    "id": "long",
    "text": ["null", "string"],
    "ratio": "double",
    "blob": "bytes",
    "four": {"type": "fixed", "name": "F4", "size": 4},
    "amount": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 3},
    "day": ["null", {"type": "int", "logicalType": "date"}],
    "at": {"type": "int", "logicalType": "time-millis"},
    "seen": {"type": "long", "logicalType": "timestamp-micros"},
    "nanos": {"type": "long", "logicalType": "timestamp-nanos"},
    "local": {"type": "long", "logicalType": "local-timestamp-millis"},
    "uuid": {"type": "string", "logicalType": "uuid"},
    "grade": {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    "either": ["null", "string", "bytes", {"type": "int", "logicalType": "date"}, "double"],
    "map": {
        "type": "map",
        "values": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 1},
    },
    "list": {"type": "array", "items": ["null", "float"]},
    "inner": {
        "type": "record",
        "name": "Inner",
        "fields": [{"name": "when", "type": {"type": "int", "logicalType": "date"}}],
    },
    "again": ["null", "Inner"],
}
SCHEMA = {
    "type": "record",
    "name": "Event",
    "namespace": "org.example",
    "fields": [{"name": name, "type": kind} for name, kind in FIELDS.items()],
}
ROW = {
    "id": 1,
    "text": "é",
    "ratio": math.inf,
    "blob": b"\xff\0",
    "four": b"abcd",
    "amount": Decimal("-1.234"),
    "day": date(2020, 1, 1),
    "at": time(1, 2, 3, 4_000),
    "seen": datetime(2020, 1, 1, tzinfo=UTC),
    "nanos": datetime(2020, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC),
    "local": datetime(1969, 1, 1, 0, 0, 0, 1_000),
    "uuid": "00000000-0000-0000-0000-000000000007",
    "grade": "B",
    "either": date(1, 1, 1),
    "map": {"k": Decimal("1.5")},
    "list": [None, -math.inf],
    "inner": {"when": date(1970, 1, 2)},
    "again": {"when": date(1970, 1, 3)},
}
WRITTEN = {**ROW, "uuid": UUID(int=7), "nanos": 1_577_836_800_123_456_789}


def write(
    path: Path, rows: list[Any], schema: Any = SCHEMA, codec: str = "deflate", **options: Any
) -> FilesSource:
    with path.open("wb") as file:
        fastavro.writer(file, schema, rows, codec, sync_interval=40, **options)
    return FilesSource(str(path))


def values(batches: list[RecordBatch]) -> list[Any]:
    return [value for batch in batches for value in batch.values or ()]


def numbers(path: Path, count: int = 100, codec: str = "null") -> FilesSource:
    schema = {"type": "record", "name": "n", "fields": [{"name": "n", "type": "string"}]}
    return write(path, [{"n": f"number {n}"} for n in range(count)], schema, codec)


NUMBER_41 = b"\x12number 41"
"""With its length, because the marker of a block may begin with a 1, behind the record ``number 4``."""


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_every_type_and_codec_gives_exact_values(tmp_path: Path, codec: str) -> None:
    batches = read_all(write(tmp_path / "a.avro", [WRITTEN] * 3, codec=codec))
    assert values(batches) == [ROW] * 3
    assert batches[-1].span.final


def test_a_replay_gives_exactly_the_record_that_was_read(tmp_path: Path) -> None:
    either = [None, "t", b"\xff", date(1, 1, 1), math.inf]
    rows = [{**WRITTEN, "id": n, "either": value} for n, value in enumerate(either)]
    for batch in read_all(write(tmp_path / "a.avro", rows)):
        assert batch.format.name == "avro"
        assert parse(batch, ParseConfig()) is batch
        assert [decode(raw) for raw in batch.raws] == list(batch.values or ())


def test_batches_are_bounded_and_offsets_are_element_numbers(tmp_path: Path) -> None:
    files = numbers(tmp_path / "a.avro")
    files = FilesSource(files.uri, limits=BatchLimits(records=3))
    batches = read_all(files)
    assert max(len(batch.raws) for batch in batches) == 3
    assert [offset for batch in batches for offset in batch.offsets] == list(range(100))


@pytest.mark.parametrize("start", [0, 1, 3, 4, 50, 99, 100])
def test_reading_goes_on_at_any_element(tmp_path: Path, start: int) -> None:
    files = numbers(tmp_path / "a.avro")
    (split,) = files.splits(MemoryLedger())
    batches = drained(files.open(split, (("", start),), MemoryLedger()))
    assert values(batches) == [{"n": f"number {n}"} for n in range(start, 100)]


def test_a_damaged_block_is_one_failure_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.avro"
    files = numbers(path, codec="deflate")
    data = path.read_bytes()
    marker = data[-16:]
    at = data.find(marker, data.find(marker) + 1) + 20
    path.write_bytes(data[:at] + bytes(8) + data[at + 8 :])
    batches = read_all(files)
    (failure,) = failures(batches)
    read = [int(value["n"].split()[1]) for value in values(batches)]
    lost = sorted(set(range(100)) - set(read))
    assert 0 < len(lost) < 10
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert failure.origin.offset == lost[0]
    assert failure.category == "object_corrupt"
    assert f"elements {lost[0]} to {lost[-1]} are lost" in failure.message
    assert [offset for batch in batches for offset in batch.offsets] == read


def test_an_element_that_cannot_be_decoded_costs_the_rest_of_its_block(tmp_path: Path) -> None:
    path = tmp_path / "a.avro"
    files = numbers(path)
    data = path.read_bytes()
    at = data.index(NUMBER_41)
    path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    batches = read_all(files)
    (failure,) = failures(batches)
    assert failure.origin.offset == 41
    read = [int(value["n"].split()[1]) for value in values(batches)]
    assert set(range(41)) < set(read)
    assert 99 in read


def test_text_that_is_not_utf_8_is_one_dead_record(tmp_path: Path) -> None:
    path = tmp_path / "a.avro"
    files = numbers(path)
    path.write_bytes(path.read_bytes().replace(NUMBER_41, b"\x12number \xff\xff"))
    batches = read_all(files)
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.category) == (41, "malformed")
    assert b"ffff" in failure.raw
    assert len(values(batches)) == 99


def test_a_record_that_is_too_large_is_dead(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "n", "fields": [{"name": "n", "type": "string"}]}
    uri = write(tmp_path / "a.avro", [{"n": "a"}, {"n": "x" * 100_000}, {"n": "b"}], schema).uri
    batches = read_all(FilesSource(uri, max_record_bytes=1_000))
    (failure,) = failures(batches)
    assert (failure.category, failure.origin.offset) == ("too_large", 1)
    assert failure.raw == b'[{"n":"' + b"x" * (65_536 - 7)
    assert "sha256 of all" in failure.message
    assert values(batches) == [{"n": "a"}, {"n": "b"}]


def test_a_type_that_contains_itself_is_read_and_cannot_overflow_the_stack(tmp_path: Path) -> None:
    schema = {
        "type": "record",
        "name": "T",
        "fields": [{"name": "n", "type": "int"}, {"name": "next", "type": ["null", "T"]}],
    }
    path = tmp_path / "a.avro"
    tree = {"n": 1, "next": {"n": 2, "next": None}}
    batches = read_all(write(path, [tree], schema, "null"))
    assert values(batches) == [tree]
    assert decode(batches[0].raws[0]) == tree
    deep = io.BytesIO()
    header: Any = {
        "magic": b"Obj\x01",
        "meta": {"avro.schema": json.dumps(schema).encode()},
        "sync": bytes(range(16)),
    }
    fastavro.schemaless_writer(deep, HEADER_SCHEMA, header)
    body = b"\x02\x02" * 200_000 + b"\x02\x00"
    for number in (1, len(body)):
        fastavro.schemaless_writer(deep, "long", number)
    path.write_bytes(deep.getvalue() + body + bytes(range(16)))
    (failure,) = failures(read_all(FilesSource(str(path))))
    assert failure.category == "object_corrupt"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Obj\x01", "header"),
        (b"Obj\x01\x02\x16avro.schema\x04{}\x00" + bytes(16), "damaged Avro schema"),
        (b'{"id": 1}\n', "does not begin as Avro"),
        (b"Ob", "in the middle of its Avro header"),
        (b"PAR1" + bytes(20), "does not begin as Avro but as Parquet"),
    ],
)
def test_an_object_that_is_no_avro_is_one_failure(
    tmp_path: Path, data: bytes, message: str
) -> None:
    (tmp_path / "a.avro").write_bytes(data)
    batches = read_all(FilesSource(f"{tmp_path}/a.avro"))
    (failure,) = failures(batches)
    assert message in failure.message
    assert batches[-1].span.final


def test_elements_that_are_no_records_are_refused(tmp_path: Path) -> None:
    files = write(tmp_path / "a.avro", ["a", "b"], "string")
    (failure,) = failures(read_all(files))
    assert "no records" in failure.message


def test_an_object_without_elements_is_complete(tmp_path: Path) -> None:
    (batch,) = read_all(write(tmp_path / "a.avro", []))
    assert (batch.read, batch.span.start, batch.span.end, batch.span.final) == (0, 0, 0, True)


def block_of(path: Path, schema: Any, body: bytes, count: int = 1) -> FilesSource:
    """An object of one block, which fastavro would not write."""
    stored = io.BytesIO()
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": b"deflate"}
    header: Any = {"magic": b"Obj\x01", "meta": meta, "sync": bytes(range(16))}
    fastavro.schemaless_writer(stored, HEADER_SCHEMA, header)
    data = zlib.compress(body, wbits=-15)
    for number in (count, len(data)):
        fastavro.schemaless_writer(stored, "long", number)
    path.write_bytes(stored.getvalue() + data + bytes(range(16)))
    return FilesSource(str(path))


def varint(number: int) -> bytes:
    stored = io.BytesIO()
    fastavro.schemaless_writer(stored, "long", number)
    return stored.getvalue()


def record(**fields: Any) -> dict[str, Any]:
    kinds = [{"name": name, "type": kind} for name, kind in fields.items()]
    return {"type": "record", "name": "r", "fields": kinds}


def test_an_element_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.files.avro.elements.MEMORY", 8 << 20)
    monkeypatch.setattr("sources.files.avro.decoder.MEMORY", 8 << 20)
    item = {"type": "record", "name": "i", "fields": [{"name": "n", "type": "int"}]}
    schema = record(id="int", a={"type": "array", "items": item})
    bad = varint(200_000) + bytes(200_001)
    body = b"\x02\x00" + b"\x04" + bad + b"\x06\x02\x0e\x00"
    files = block_of(tmp_path / "a.avro", schema, body, count=3)
    tracemalloc.start()
    batches = read_all(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.category) == (1, "too_large")
    assert "its values take too much memory" in failure.message
    assert values(batches) == [{"id": 1, "a": []}, {"id": 3, "a": [{"n": 7}]}]
    assert peak < 20 << 20, "all of it takes about 40 MiB"


LONG = record(id="long", text=["null", "string"], blob="bytes", tail="string")
LIMIT = 2_000_000


def long_rows(size: int) -> list[dict[str, Any]]:
    return [
        {"id": 1, "text": "a", "blob": b"", "tail": "t"},
        {"id": 2, "text": "é" * (size // 2), "blob": b"\xff", "tail": "u"},
        {"id": 3, "text": None, "blob": b"b" * 1_500_000, "tail": "v"},
    ]


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "xz"])
@pytest.mark.parametrize("held", [32 << 20, 1_000])
@pytest.mark.parametrize("start", [0, 2])
def test_a_record_in_a_long_block_is_read_up_to_the_limit_and_costs_no_other(
    tmp_path: Path, codec: str, held: int, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.files.avro.codecs.BLOCK_BYTES", held)
    size = 3_000_000
    path = tmp_path / "a.avro"
    rows = long_rows(size)
    with path.open("wb") as file:
        fastavro.writer(file, LONG, [*rows, *rows], codec, sync_interval=1 << 30)
    files = FilesSource(str(path), max_record_bytes=LIMIT + 100)
    (split,) = files.splits(MemoryLedger())
    batches = drained(files.open(split, (("", start),), MemoryLedger()))
    bad = failures(batches)
    assert [each.origin.offset for each in bad] == [each for each in (1, 4) if each >= start]
    assert {(each.category, each.exception) for each in bad} == {("too_large", "RecordTooLarge")}
    text = rows[1]["text"].encode()
    assert f"column 'text' has {size:,} bytes with the sha256 {sha256(text).hexdigest()}" in (
        bad[0].message
    )
    assert bad[0].raw.startswith('[{"id":2,"blob":"/w==","tail":"u","text":"éé'.encode())
    assert len(bad[0].raw) <= 64 << 10
    assert values(batches) == [
        row for number, row in enumerate([*rows, *rows]) if number >= start and row["id"] != 2
    ]
    assert batches[-1].span.final
    assert batches[-1].span.end == 6


def test_a_symbol_that_is_not_there_costs_its_record_alone(tmp_path: Path) -> None:
    schema = record(id="int", kind={"type": "enum", "name": "k", "symbols": ["A", "B"]})
    body = b"\x02\x00" + b"\x04\x0e" + b"\x06\x02"
    batches = read_all(block_of(tmp_path / "a.avro", schema, body, count=3))
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.category) == (1, "malformed")
    assert failure.raw.startswith(b'[{"id":2},{},{"kind":')
    assert "'kind'" in failure.message
    assert values(batches) == [{"id": 1, "kind": "A"}, {"id": 3, "kind": "B"}]


@pytest.mark.parametrize("held", [32 << 20, 0])
def test_a_block_with_fewer_elements_than_it_says_is_one_failure(
    tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.files.avro.codecs.BLOCK_BYTES", held)
    files = block_of(tmp_path / "a.avro", record(id="int"), b"\x02\x04", count=1_000)
    batches = read_all(files)
    (failure,) = failures(batches)
    assert "elements 2 to 999 are lost" in failure.message
    assert values(batches) == [{"id": 1}, {"id": 2}]
    assert batches[-1].span.end == 1_000


@pytest.mark.parametrize("held", [32 << 20, 0])
def test_a_block_with_more_data_than_elements_puts_its_last_element_in_doubt(
    tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.files.avro.codecs.BLOCK_BYTES", held)
    files = block_of(tmp_path / "a.avro", record(id="int"), b"\x02\x04\x06\x08", count=3)
    batches = read_all(files)
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.category) == (2, "object_corrupt")
    assert "1 more bytes behind" in failure.message
    assert decode(failure.raw) == {"id": 3}, "a replay writes it"
    assert values(batches) == [{"id": 1}, {"id": 2}]


def test_a_block_that_expands_hugely_is_read_in_bounded_memory(tmp_path: Path) -> None:
    size = 100 << 20
    body = b"\x02" + varint(size) + bytes(size) + b"\x04\x02x"
    files = block_of(tmp_path / "a.avro", record(id="int", text="string"), body, count=2)
    del body
    tracemalloc.start()
    batches = read_all(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (failure,) = failures(batches)
    assert "column 'text' has 104,857,600 bytes" in failure.message
    assert values(batches) == [{"id": 2, "text": "x"}]
    assert peak < 70 << 20


def test_records_nested_in_items_cannot_fill_the_memory(tmp_path: Path) -> None:
    nested: Any = "boolean"
    for depth in range(50):
        fields = [{"name": "f", "type": nested}]
        nested = {"type": "record", "name": f"n{depth}", "fields": fields}
    schema = record(a={"type": "array", "items": nested})
    count = 100_000
    files = block_of(tmp_path / "a.avro", schema, varint(count) + bytes(count + 1))
    tracemalloc.start()
    (failure,) = failures(read_all(files))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "too much memory" in failure.message
    assert peak < 150 << 20, "all of it takes 1 GB"


def test_a_long_block_of_short_elements_is_read(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "n", "fields": [{"name": "n", "type": "string"}]}
    path = tmp_path / "a.avro"
    rows = [{"n": "x" * 1_000 + str(n)} for n in range(3_000)]
    with path.open("wb") as file:
        fastavro.writer(file, schema, rows, "deflate", sync_interval=4 << 20)
    assert values(read_all(FilesSource(str(path)))) == rows


def told(batches: list[RecordBatch]) -> list[Any]:
    """What is said of each record and each failure, in whatever batches it comes."""
    good = [
        (offset, repr(value), bytes(raw))
        for batch in batches
        for offset, value, raw in zip(batch.offsets, batch.values or (), batch.raws, strict=True)
    ]
    bad = [
        (each.origin.offset, each.category, each.message, each.raw)
        for batch in batches
        for each in batch.failures
    ]
    return [good, bad, batches[-1].span.end, batches[-1].span.final, batches[-1].span.content]


@pytest.mark.parametrize(
    "damage", ["nothing", "bytes", "cut", "a long text", "no UTF-8", "a far year"]
)
def test_several_blocks_at_once_are_read_as_one_record_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "text", "type": ["null", "string"]},
        ],
    }
    rows = [{"id": n, "at": n, "text": f"text {n}"} for n in range(500)]
    if damage == "a long text":
        rows[250]["text"] = "x" * 5_000
    if damage == "a far year":
        rows[250]["at"] = 2**60
    path = tmp_path / "a.avro"
    write(path, rows, schema, "null")
    data = path.read_bytes()
    if damage == "bytes":
        data = data.replace(b"text 250", b"\xff" * 8).replace(b"\x0ctext 99", b"\x7ctext 99")
    if damage == "no UTF-8":
        data = data.replace(b"text 250", b"text \xff50")
    path.write_bytes(data[:-100] if damage == "cut" else data)
    files = FilesSource(str(path), limits=BatchLimits(records=100), max_record_bytes=2_000)
    fast = read_all(files)
    monkeypatch.setattr("sources.files.avro.decoder.arrow_records_of", lambda schema: None)
    slow = read_all(files)
    assert told(fast) == told(slow)
    assert len(fast) < len(slow)
    assert bool(told(slow)[1]) == (damage not in ("nothing", "a far year"))


def test_a_position_within_a_block_is_gone_on_from(tmp_path: Path) -> None:
    files = numbers(tmp_path / "a.avro")
    ledger = MemoryLedger()
    batches = read_all(FilesSource(files.uri, limits=BatchLimits(records=3)), ledger)
    ledger.settlements.clear()
    ledger.coverages.clear()
    ledger.settle(batches[:1])
    rest = read_all(files, ledger)
    assert [offset for batch in rest for offset in batch.offsets] == list(range(3, 100))
