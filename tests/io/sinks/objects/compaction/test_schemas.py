from __future__ import annotations

import decimal

import pyarrow as pa
import pytest

from sinks.objects.compaction.schemas import alike, fitted, unified

INT = pa.schema([("n", pa.int64())])
WIDE = INT.append(pa.field("x", pa.string()))
TEXT = pa.schema([("n", pa.string())])


def of(kind: pa.DataType) -> pa.Schema:
    return pa.schema([("n", kind)])


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (pa.int32(), pa.int64()),
        (pa.uint8(), pa.uint64()),
        (pa.float32(), pa.float64()),
        (pa.string(), pa.large_string()),
        (pa.binary(), pa.large_binary()),
        (pa.null(), pa.timestamp("us", "UTC")),
        (pa.decimal128(5, 2), pa.decimal128(9, 2)),
        (pa.list_(pa.int8()), pa.list_(pa.int64())),
        (pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int64())),
        (pa.struct([("x", pa.int8())]), pa.struct([("x", pa.int64()), ("y", pa.string())])),
    ],
)
def test_a_type_gives_way_to_one_that_takes_all_its_values(
    narrow: pa.DataType, wide: pa.DataType
) -> None:
    for one, other in ((narrow, wide), (wide, narrow)):
        schema = unified(of(one), of(other))
        assert schema is not None
        assert schema.field("n").type == wide


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.int64(), pa.string()),
        (pa.int64(), pa.float64()),
        (pa.int64(), pa.uint64()),
        (pa.timestamp("ms"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.string(), pa.binary()),
        (pa.list_(pa.int64()), pa.list_(pa.string())),
        (pa.struct([("x", pa.int64())]), pa.struct([("x", pa.string())])),
        (pa.map_(pa.int8(), pa.int8()), pa.map_(pa.int64(), pa.int8())),
        (pa.decimal256(76, 0), pa.decimal256(76, 76)),
    ],
)
def test_types_that_would_change_a_value_are_kept_apart(
    one: pa.DataType, other: pa.DataType
) -> None:
    assert unified(of(one), of(other)) is None
    assert unified(of(other), of(one)) is None


def test_decimals_keep_all_digits_before_and_behind_the_point() -> None:
    schema = unified(of(pa.decimal128(5, 2)), of(pa.decimal128(5, 4)))
    assert schema is not None
    assert schema.field("n").type == pa.decimal128(7, 4)
    batch = pa.record_batch([pa.array([decimal.Decimal("123.45")])], ["n"])
    assert fitted(batch, schema).column(0).to_pylist() == [decimal.Decimal("123.4500")]


def test_a_column_that_one_lacks_is_null_in_its_rows() -> None:
    required = INT.append(pa.field("x", pa.string(), nullable=False))
    schema = unified(INT, required)
    assert schema is not None
    assert schema.field("x").nullable
    rows = fitted(pa.record_batch([pa.array([1])], ["n"]), schema).to_pylist()
    assert rows == [{"n": 1, "x": None}]


def test_the_order_of_columns_makes_no_difference() -> None:
    batch = pa.record_batch([pa.array(["a"]), pa.array([1])], ["x", "n"])
    schema = unified(WIDE, batch.schema)
    assert schema is not None
    assert fitted(batch, schema).to_pylist() == [{"n": 1, "x": "a"}]


def test_nested_rows_are_filled_up() -> None:
    narrow = pa.record_batch(
        [pa.array([[{"x": 1}]], pa.list_(pa.struct([("x", pa.int8())])))], ["n"]
    )
    wide = of(pa.list_(pa.struct([("x", pa.int64()), ("y", pa.string())])))
    schema = unified(narrow.schema, wide)
    assert schema is not None
    assert fitted(narrow, schema).to_pylist() == [{"n": [{"x": 1, "y": None}]}]


def test_two_columns_of_one_name_are_merged_only_with_the_same_schema() -> None:
    twice = pa.schema([("n", pa.int64()), ("n", pa.int64())])
    assert unified(twice, twice) == twice
    assert unified(twice, INT) is None
    assert unified(INT, twice) is None


def test_only_metadata_that_both_have_is_kept() -> None:
    one = INT.with_metadata({"table": "t", "from": "a"})
    other = INT.with_metadata({"table": "t", "from": "b"})
    schema = unified(one, other)
    assert schema is not None
    assert schema.metadata == {b"table": b"t"}


def test_metadata_of_one_is_not_said_of_all() -> None:
    ((members, schema),) = alike([("a", INT.with_metadata({"from": "a"})), ("b", INT)])
    assert members == ["a", "b"]
    assert schema.metadata is None


def test_what_fits_together_is_one_set_with_one_schema() -> None:
    sets = alike([("a", INT), ("b", TEXT), ("c", WIDE), ("d", TEXT), ("e", INT)])
    assert [members for members, _ in sets] == [["a", "c", "e"], ["b", "d"]]
    assert [schema.names for _, schema in sets] == [["n", "x"], ["n"]]
