from __future__ import annotations

import json
import pickle
from typing import Any

import pyarrow as pa
import pytest

from sinks.objects.encoding.columns import Columns, columns_for
from transforms.batch.record import Format
from transforms.errors import ConfigError

ORIGIN = ["ingest_source", "ingest_partition", "ingest_offset"]


def schema(**properties: Any) -> str:
    return json.dumps({"properties": properties})


def test_without_a_schema_the_record_is_one_column() -> None:
    columns = Columns.of(None)
    assert columns.schema.names == [*ORIGIN, "payload"]
    assert columns.whole


def test_with_a_schema_each_property_is_a_column_after_the_origin() -> None:
    columns = Columns.of(schema(n={"type": "integer"}))
    assert list(zip(columns.schema.names, columns.schema.types, strict=True)) == [
        ("ingest_source", pa.string()),
        ("ingest_partition", pa.string()),
        ("ingest_offset", pa.int64()),
        ("n", pa.int64()),
    ]


def test_columns_of_the_origin_can_be_left_out_or_have_elements() -> None:
    assert Columns.of(schema(n={}), origin=False).schema.names == ["n"]
    assert Columns.of(schema(n={}), elements=True).schema.names == [
        *ORIGIN,
        "ingest_element",
        "ingest_expansion",
        "n",
    ]


def test_unknown_fields_get_a_column_of_their_own() -> None:
    assert Columns.of(schema(n={}), unknown_fields="payload").schema.names == [
        *ORIGIN,
        "n",
        "payload",
    ]


def test_unknown_fields_do_not_go_to_a_column_of_another_type() -> None:
    with pytest.raises(ConfigError, match="payload"):
        Columns.of(schema(payload={"type": "integer"}), unknown_fields="payload")


def test_a_field_with_the_name_of_the_origin_is_refused() -> None:
    with pytest.raises(ConfigError, match="ingest_offset"):
        Columns.of(schema(ingest_offset={"type": "integer"}))


def test_a_word_that_is_none_of_the_three_is_refused() -> None:
    with pytest.raises(ConfigError, match="reject, ignore, payload"):
        Columns.of(schema(n={}), unknown_fields="drop")  # type: ignore[arg-type]


def test_the_header_of_a_csv_file_makes_columns_of_text() -> None:
    columns = columns_for(Columns.of(None, elements=True), Format("csv", ("a", "b")))
    assert columns == Columns.of_text(["a", "b"], elements=True)
    assert columns.schema.names[-3:] == ["a", "b", "payload"]
    assert set(columns.schema.types[-3:]) == {pa.string()}
    assert columns.unknown_fields == "payload"


@pytest.mark.parametrize("name", ["payload", "ingest_offset"])
def test_a_header_with_a_name_of_ours_makes_no_columns(name: str) -> None:
    assert columns_for(Columns.of(None), Format("csv", ("a", name))) == Columns.of(None)


def test_a_header_does_not_name_the_fields_of_mapped_records() -> None:
    assert columns_for(Columns.of(None), Format("csv", ("a",)), mapped=True) == Columns.of(None)


def test_a_schema_decides_before_a_header() -> None:
    columns = Columns.of(schema(n={"type": "integer"}), unknown_fields="ignore")
    assert columns_for(columns, Format("csv", ("a",))) is columns


def test_a_typed_source_keeps_its_types() -> None:
    types: list[tuple[str, Any]] = [("id", pa.int32()), ("at", pa.date32())]
    own = pa.schema(types)
    columns = Columns.of_arrow(own, origin=False)
    assert list(zip(columns.schema.names, columns.schema.types, strict=True)) == [
        *types,
        ("payload", pa.string()),
    ]


def test_columns_travel_to_other_processes() -> None:
    columns = Columns.of(
        schema(n={"type": "number"}, o={"type": "object", "properties": {"a": {}}})
    )
    assert columns.schema  # what is remembered does not travel
    copy = pickle.loads(pickle.dumps(columns))
    assert copy == columns
    assert copy.schema == columns.schema
