"""Records that go straight into columns are those that fastavro decodes, or are left to it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.files.avro.arrow_records import ArrowRecords, Unusual, arrow_records_of
from sources.files.avro.columns import rows_of
from sources.files.avro.decoder import Decoder
from sources.files.parquet.columns.arrow_batch import FEWEST, ArrowBatch, arrow_batch_of

INNER = {
    "type": "record",
    "name": "inner",
    "fields": [
        {"name": "k", "type": "long"},
        {"name": "s", "type": ["null", "string"]},
        {
            "name": "d",
            "type": {"type": "record", "name": "d", "fields": [{"name": "b", "type": "boolean"}]},
        },
    ],
}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 7}
ENUM = {"type": "enum", "name": "e", "symbols": ["a", "bb"]}
INSTANT = {"type": "long", "logicalType": "timestamp-micros"}
TAKEN: dict[str, tuple[Any, list[Any]]] = {
    "long": ("long", [0, -1, 63, 64, -(2**63), 2**63 - 1]),
    "int": ({"type": "int"}, [0, -(2**31), 2**31 - 1]),
    "boolean": ("boolean", [True, False]),
    "double": ("double", [0.1, float("nan"), float("-inf"), 1e300, -0.0]),
    "float": ("float", [0.5, float("nan"), 2.0**-140]),
    "string": ("string", ["", "\0\x01\\", "é\u2028", '"', "x" * 63, "x" * 64, "x" * 9_000]),
    "uuid": ({"type": "string", "logicalType": "uuid"}, ["a"]),
    "null first": (["null", "string"], [None, "a", "x" * 100]),
    "null last": (["long", "null"], [None, 2**40]),
    "always null": (["null", "double"], [None]),
    "decimal": (
        DECIMAL,
        [b"\x01", b"\xff\x00", b"\x80" + b"\0" * 7, b"\0" * 8, b"\x7f" + b"\xff" * 7],
    ),
    "nullable decimal": (["null", DECIMAL], [None, b"\xff"]),
    "instant": (INSTANT, [0, -1, 1_764_244_800_000_001, 253_402_300_799_000_000]),
    "milliseconds": (
        {"type": "long", "logicalType": "timestamp-millis"},
        [0, -1, 1_764_244_800_001],
    ),
    "local": (
        {"type": "long", "logicalType": "local-timestamp-micros"},
        [0, -62_135_596_800_000_000],
    ),
    "local milliseconds": ({"type": "long", "logicalType": "local-timestamp-millis"}, [-1, 1]),
    "date": ({"type": "int", "logicalType": "date"}, [0, -719_162, 2_932_896]),
    "enum": (ENUM, ["a", "bb"]),
    "nullable record": (
        ["null", {**INNER, "name": "other", "fields": INNER["fields"][:2]}],
        [None, {"k": 1, "s": None}, {"k": 2, "s": "x"}],
    ),
    "record": (
        INNER,
        [{"k": 1, "s": None, "d": {"b": True}}, {"k": -9, "s": "\x02", "d": {"b": False}}],
    ),
}
LEFT: dict[str, Any] = {
    "bytes": "bytes",
    "null": "null",
    "time": {"type": "long", "logicalType": "time-micros"},
    "nanoseconds": {"type": "long", "logicalType": "timestamp-nanos"},
    "array": {"type": "array", "items": "long"},
    "map": {"type": "map", "values": "long"},
    "fixed": {"type": "fixed", "name": "f", "size": 4},
    "union": ["null", "long", "string"],
    "one branch": ["long"],
    "record without fields": {"type": "record", "name": "n", "fields": []},
    "record with such a field": {
        "type": "record",
        "name": "n",
        "fields": [{"name": "x", "type": "bytes"}],
    },
}
"""Types that fastavro reads."""

FAR: dict[str, tuple[Any, list[Any]]] = {
    "instant": (INSTANT, [2**62, -(2**63)]),
    "date": ({"type": "int", "logicalType": "date"}, [2**31 - 1]),
    "decimal": (DECIMAL, [b"", b"\x01" * 9]),
}
"""Values that are looked at one by one."""


def schema_of(of_type: Any) -> Any:
    fields = [
        {"name": "id", "type": "long"},
        {"name": "c", "type": of_type},
        {"name": "t", "type": "string"},
    ]
    return {"type": "record", "name": "r", "fields": fields}


def reader_of(schema: Any) -> ArrowRecords | None:
    parsed: Any = fastavro.parse_schema(schema)
    return arrow_records_of(parsed)


class Stored:
    """Records as they are in a file."""

    def __init__(self, of_type: Any, values: Sequence[Any]) -> None:
        schema = schema_of(of_type)
        self.decoder = Decoder(json.dumps(schema).encode())
        decoded = {name: shape.decoded for name, shape in self.decoder.shapes.items()}
        plain = fastavro.parse_schema(
            {**schema, "fields": [{"name": name, "type": each} for name, each in decoded.items()]}
        )
        self.records = [
            {"id": n, "c": values[n % len(values)], "t": f"t{n}"}
            for n in range(max(FEWEST, len(values)))
        ]
        self.data = []
        for record in self.records:
            file = io.BytesIO()
            fastavro.schemaless_writer(file, plain, record)
            self.data.append(file.getvalue())
        self._plain = plain

    def fast(self, blocks: Sequence[tuple[int, bytes]]) -> ArrowBatch | None:
        """What is read by columns; None where it is left to fastavro."""
        assert self.decoder.columns is not None
        with suppress(Unusual):
            batch = self.decoder.columns.read(blocks)
            return arrow_batch_of(batch, self.decoder.encoder, frozenset(), 100_000, 10_000_000)
        return None

    def exact(self, count: int, data: bytes) -> list[Any]:
        """What fastavro reads.

        Raises:
            Exception: Something is wrong with it.
        """
        file = io.BytesIO(data)
        records: list[Any] = [
            fastavro.schemaless_reader(file, self._plain, None) for _ in range(count)
        ]
        assert not file.read()
        rows = rows_of(records, self.decoder.shapes, self.decoder.encoder, recursive=False)
        assert not rows.faults
        return rows.values


@pytest.mark.parametrize("name", TAKEN)
def test_columns_and_kept_bytes_are_those_of_records(name: str) -> None:
    stored = Stored(*TAKEN[name])
    exact = rows_of(stored.records, stored.decoder.shapes, stored.decoder.encoder, recursive=False)
    half = len(stored.data) // 2
    blocks = [(len(each), b"".join(each)) for each in (stored.data[:half], stored.data[half:])]
    fast = stored.fast(blocks)
    assert fast is not None
    if name == "float":  # fastavro has been given what a float cannot hold
        exact.values = stored.exact(len(stored.data), b"".join(stored.data))
    assert repr(list(fast.values)) == repr(exact.values)
    assert list(fast.raws) == exact.raws


@pytest.mark.parametrize("name", LEFT)
def test_other_types_are_left_to_fastavro(name: str) -> None:
    assert reader_of(schema_of(LEFT[name])) is None


@pytest.mark.parametrize("name", FAR)
def test_values_that_are_unusual_are_left_to_fastavro(name: str) -> None:
    of_type, values = FAR[name]
    for value in values:
        stored = Stored(of_type, [value])
        assert stored.fast([(len(stored.data), b"".join(stored.data))]) is None


MIXED = schema_of(
    {
        "type": "record",
        "name": "all",
        "fields": [
            {
                "name": f"f{n}",
                "type": {**of_type, "name": f"n{n}"} if of_type in (ENUM, INNER) else of_type,
            }
            for n, (of_type, _) in enumerate(TAKEN.values())
        ],
    }
)["fields"][1]["type"]


@cache
def mixed() -> Stored:
    """Records with a field of each type."""
    cases = [values for _, values in TAKEN.values()]
    return Stored(
        MIXED,
        [
            {f"f{n}": each[number % len(each)] for n, each in enumerate(cases)}
            for number in range(7)
        ],
    )


@settings(max_examples=300, deadline=None)
@given(
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
    cut=st.floats(0.9, 1.0),
    shift=st.integers(-1, 1),
    more=st.integers(-2, 2),
)
def test_whatever_is_damaged_is_read_as_fastavro_reads_it_or_left_to_it(
    places: list[tuple[float, int]], cut: float, shift: int, more: int
) -> None:
    stored = mixed()
    data = bytearray(b"".join(stored.data))
    for place, byte in places:
        data[int(place * len(data))] = byte
    if cut < 0.95:
        del data[int(cut * len(data)) :]
    half = len(stored.data) // 2
    border = len(b"".join(stored.data[:half])) + shift
    blocks = [(half, bytes(data[:border])), (len(stored.data) - half + more, bytes(data[border:]))]
    fast = stored.fast(blocks)
    if fast is not None:
        exact = [value for block in blocks for value in stored.exact(*block)]
        assert repr(list(fast.values)) == repr(exact)


def test_more_records_than_bytes_are_left_to_fastavro() -> None:
    reader = reader_of(schema_of("long"))
    assert reader is not None
    with pytest.raises(Unusual):
        reader.read([(10**12, b"\0" * 30)])


@pytest.mark.parametrize(
    "data",
    [
        b"\x80" * 10 + b"\0",
        b"\xff" * 9 + b"\x02",
        b"\x80" * 5,
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    ],
)
def test_numbers_beyond_64_bits_are_left_to_fastavro(data: bytes) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "long"}]}
    reader = reader_of(schema)
    assert reader is not None
    with pytest.raises(Unusual):
        reader.read([(1, data)])
