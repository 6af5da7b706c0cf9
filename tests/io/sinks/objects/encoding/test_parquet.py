from __future__ import annotations

import gc
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.events import SCHEMA, events
from sinks.objects.encoding import parquet
from sinks.objects.encoding.columns import Columns
from sinks.objects.encoding.origins import Origins
from transforms.parse.json_text import decode_json

EVENTS = Columns.of(json.dumps(SCHEMA))
VALUES = [decode_json(line.raw) for line in events(500)]
ORIGINS = Origins("file:///events.jsonl", "v1", list(range(0, 95_000, 190)))

TYPED = {
    "properties": {
        "id": {"type": "integer"},
        "large": {"type": "integer", "maximum": 10**30},
        "price": {"type": "number", "multipleOf": 0.01},
        "on": {"type": "boolean"},
        "day": {"type": ["string", "null"], "format": "date"},
        "free": {"type": "object"},
        "mixed": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "to": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "lines": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"n": {"type": "number"}}},
                },
            },
        },
    }
}
RECORDS: list[dict[str, Any]] = [
    {
        "id": 2**63 - 1,
        "large": 10**30,
        "price": Decimal("12.30"),
        "on": True,
        "day": "2026-01-31",
        "free": {"n": Decimal("1.50")},
        "mixed": 7,
        "tags": ["a", None],
        "to": {"city": "x", "lines": [{"n": Decimal("0.1")}, None, {}]},
    },
    {"id": -(2**63), "on": None, "tags": [], "to": {}},
    {"to": None},
]
ROWS: list[dict[str, Any]] = [
    {
        "id": 2**63 - 1,
        "large": Decimal(10**30),
        "price": Decimal("12.30"),
        "on": True,
        "day": date(2026, 1, 31),
        "free": '{"n":1.50}',
        "mixed": "7",
        "tags": ["a", None],
        "to": {"city": "x", "lines": [{"n": 0.1}, None, {"n": None}]},
    },
    {
        **dict.fromkeys(TYPED["properties"]),
        "id": -(2**63),
        "tags": [],
        "to": {"city": None, "lines": None},
    },
    dict.fromkeys(TYPED["properties"]),
]


def encoded(columns: Columns, values: list[Any], metadata: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    origins = Origins("s", "p", range(len(values)))
    result = parquet.encode(columns, values, origins, file, metadata)
    assert (result.rows, result.bytes, result.refused) == (len(values), len(file.getvalue()), [])
    return file.getvalue()


def table(data: bytes) -> Any:
    return pq.read_table(io.BytesIO(data))


def queried(tmp_path: Path, data: bytes, query: str) -> list[dict[str, Any]]:
    """What DuckDB reads from an object."""
    path = tmp_path / "object.parquet"
    path.write_bytes(data)
    with duckdb.connect() as connection:
        cursor = connection.execute(query.format(f"'{path}'"))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_pyarrow_reads_exactly_the_records() -> None:
    columns = Columns.of(json.dumps(TYPED), origin=False)
    assert table(encoded(columns, RECORDS)).to_pylist() == ROWS


def test_duckdb_reads_exactly_the_records(tmp_path: Path) -> None:
    columns = Columns.of(json.dumps(TYPED), origin=False)
    data = encoded(columns, RECORDS)
    assert queried(tmp_path, data, "select * from {}") == ROWS


def test_events_come_back_with_types_and_origins(tmp_path: Path) -> None:
    file = io.BytesIO()
    parquet.encode(EVENTS, VALUES, ORIGINS, file)
    expected = [
        {
            "ingest_source": ORIGINS.source,
            "ingest_partition": ORIGINS.partition,
            "ingest_offset": offset,
            **value,
            "occurred_at": datetime.fromisoformat(value["occurred_at"]),
            "amount": float(value["amount"]),
            "props": json.dumps(value["props"], separators=(",", ":")),
        }
        for value, offset in zip(VALUES, ORIGINS.offsets, strict=True)
    ]
    assert table(file.getvalue()).to_pylist() == expected
    query = "select * replace (epoch_us(occurred_at) as occurred_at) from {}"
    micros = [
        {**row, "occurred_at": int(row["occurred_at"].timestamp() * 1_000_000)} for row in expected
    ]
    assert queried(tmp_path, file.getvalue(), query) == micros


def test_rows_of_a_typed_source_come_back_as_they_were(tmp_path: Path) -> None:
    types: list[tuple[str, Any]] = [
        ("b", pa.binary()),
        ("f", pa.float32()),
        ("d", pa.decimal128(9, 3)),
        ("t", pa.timestamp("us")),
        ("m", pa.map_(pa.string(), pa.int32())),
        ("n", pa.int8()),
    ]
    own = pa.schema(types)
    rows: list[dict[str, Any]] = [
        {
            "b": b"\xff",
            "f": 0.5,
            "d": Decimal("1.125"),
            "t": datetime(2026, 1, 31, 12),
            "m": {"a": 1},
            "n": -5,
        },
        dict.fromkeys(own.names),
    ]
    data = encoded(Columns.of_arrow(own, origin=False), rows)
    expected = [{**row, "payload": None} for row in rows]
    assert table(data).to_pylist() == [{**expected[0], "m": [("a", 1)]}, expected[1]]
    assert queried(tmp_path, data, "select * from {}") == expected


def test_equal_input_makes_equal_bytes() -> None:
    metadata = {"sluice.source": "s"}
    assert encoded(EVENTS, VALUES, metadata) == encoded(EVENTS, VALUES, metadata)


def test_an_object_is_compressed_and_says_what_it_holds() -> None:
    file = pq.ParquetFile(io.BytesIO(encoded(EVENTS, VALUES, {"sluice.source": "s3://b/ü"})))
    assert (file.metadata.metadata or {})[b"sluice.source"].decode() == "s3://b/ü"
    column = file.metadata.row_group(0).column(EVENTS.schema.names.index("ingest_offset"))
    assert column.compression == "ZSTD"
    statistics: Any = column.statistics
    assert (statistics.min, statistics.max) == (0, 499)


def test_batches_are_gathered_into_bounded_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 200)
    file = io.BytesIO()
    target = parquet.ParquetObject(EVENTS, file)
    for start in range(0, 500, 50):
        target.add(VALUES[start : start + 50], Origins("s", "p", range(start, start + 50)))
    assert target.close().rows == 500
    metadata = pq.read_metadata(io.BytesIO(file.getvalue()))
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [200, 200, 100]
    assert table(file.getvalue())["ingest_offset"].to_pylist() == list(range(500))


def test_large_rows_are_written_before_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 10_000)
    file = io.BytesIO()
    target = parquet.ParquetObject(Columns.of(None), file)
    for number in range(4):
        target.add([{"text": "x" * 6_000}], Origins("s", "p", [number]))
    target.close()
    assert pq.read_metadata(io.BytesIO(file.getvalue())).num_row_groups == 2


def test_an_object_that_is_given_up_leaves_its_closed_file_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 200)

    def interrupted() -> None:
        with (tmp_path / "x").open("wb") as file, parquet.ParquetObject(EVENTS, file) as target:
            target.add(VALUES, ORIGINS)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    gc.collect()  # what cannot be raised there is an error of this test


def test_refused_records_are_named_and_the_others_written() -> None:
    file = io.BytesIO()
    values = [*VALUES[:2], {**VALUES[2], "user_id": "x"}, VALUES[3]]
    result = parquet.encode(EVENTS, values, Origins("s", "p", range(4)), file)
    assert [(index, str(error)) for index, error in result.refused] == [
        (2, "field user_id: 'x' is not an integer")
    ]
    assert table(file.getvalue())["ingest_offset"].to_pylist() == [0, 1, 3]


@pytest.mark.parametrize("values", [[], [{"user_id": "x"}]])
def test_without_a_row_nothing_is_written(values: list[Any]) -> None:
    file = io.BytesIO()
    result = parquet.encode(EVENTS, values, Origins("s", "p", range(len(values))), file)
    assert (result.rows, result.bytes, file.getvalue()) == (0, 0, b"")


def test_engines_read_folders_and_objects_together(tmp_path: Path) -> None:
    for kind in ("click", "view"):
        folder = tmp_path / f"type={kind}"
        folder.mkdir()
        values = [value for value in VALUES if value["type"] == kind]
        (folder / "a.parquet").write_bytes(encoded(EVENTS, values))
    with duckdb.connect() as connection:
        counts = connection.execute(
            f"select type, count(*) from read_parquet('{tmp_path}/*/*.parquet', "
            "hive_partitioning = true) group by type order by type"
        ).fetchall()
    kinds = [value["type"] for value in VALUES]
    assert counts == [("click", kinds.count("click")), ("view", kinds.count("view"))]
    with_folders = pq.read_table(tmp_path, partitioning=None)
    assert with_folders.num_rows == kinds.count("click") + kinds.count("view")


def test_times_are_utc_for_every_reader() -> None:
    assert table(encoded(EVENTS, VALUES[:1]))["occurred_at"][0].as_py() == datetime(
        2026, 1, 1, tzinfo=UTC
    )
