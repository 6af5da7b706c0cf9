from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from sinks.objects.encoding.columns import Columns, UnknownFields
from sinks.objects.encoding.origins import Origins
from sinks.objects.encoding.rows import Rows, rows_of

SCHEMA = json.dumps({"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}})


def rows(values: list[Any], unknown_fields: UnknownFields = "reject") -> Rows:
    columns = Columns.of(SCHEMA, unknown_fields=unknown_fields)
    return rows_of(columns, values, Origins("s", "p", list(range(10, 10 + len(values)))))


def fields(encoded: Rows) -> list[dict[str, Any]]:
    dropped = ("ingest_source", "ingest_partition")
    names = [name for name in encoded.batch.schema.names if name not in dropped]
    return list(encoded.batch.select(names).to_pylist())


def test_records_are_rows_with_their_origin() -> None:
    encoded = rows([{"id": 1, "name": "a"}, {"name": "b", "id": 2}])
    assert encoded.batch.to_pylist()[0] == {
        "ingest_source": "s",
        "ingest_partition": "p",
        "ingest_offset": 10,
        "id": 1,
        "name": "a",
    }
    assert fields(encoded)[1] == {"ingest_offset": 11, "id": 2, "name": "b"}
    assert (encoded.indices, encoded.refused) == (None, [])


def test_a_field_that_a_record_lacks_is_null() -> None:
    assert fields(rows([{"id": 1}, {"name": "b"}])) == [
        {"ingest_offset": 10, "id": 1, "name": None},
        {"ingest_offset": 11, "id": None, "name": "b"},
    ]
    assert fields(rows([{"id": 1}])) == [{"ingest_offset": 10, "id": 1, "name": None}]


def test_without_a_schema_the_payload_is_the_record() -> None:
    encoded = rows_of(Columns.of(None, origin=False), [{"a": [1]}, {}], Origins("s", "p", [1, 2]))
    assert encoded.batch.to_pylist() == [{"payload": '{"a":[1]}'}, {"payload": "{}"}]


def test_what_does_not_fit_is_refused_and_the_rest_is_written() -> None:
    values: list[Any] = [{"id": index, "name": "n"} for index in range(1_000)]
    values[0] = {"id": "zero", "name": "n"}
    values[500] = {"id": 500, "name": "\ud800"}
    values[999] = {"id": 1.5, "name": "\ud800"}
    encoded = rows(values)
    good = [index for index in range(1_000) if index not in (0, 500, 999)]
    assert encoded.indices == good
    assert [row["id"] for row in fields(encoded)] == good
    assert [row["ingest_offset"] for row in fields(encoded)] == [10 + index for index in good]
    assert [(index, str(error)) for index, error in encoded.refused] == [
        (0, "field id: 'zero' is not an integer"),
        (500, "field name: the text has half of a surrogate pair, which UTF-8 cannot carry"),
        (999, "field id: 1.5 is not an integer"),
    ]


def test_if_nothing_fits_there_are_no_rows() -> None:
    encoded = rows([{"id": "a"}, {"id": "b"}])
    assert encoded.batch.num_rows == 0
    assert [index for index, _ in encoded.refused] == [0, 1]


def test_a_field_without_a_column_refuses_its_record() -> None:
    encoded = rows([{"id": 1}, {"id": 2, "x": 1, "y": 2}])
    assert [row["id"] for row in fields(encoded)] == [1]
    ((index, error),) = encoded.refused
    assert (index, error.category) == (1, "unknown_field")
    assert "no column for field x, y;" in str(error)


def test_a_field_without_a_column_may_be_left_out() -> None:
    encoded = rows([{"id": 1, "x": 1}, {"id": 2}], "ignore")
    assert [row["id"] for row in fields(encoded)] == [1, 2]
    assert encoded.refused == []


def test_fields_without_a_column_may_be_gathered() -> None:
    values = [{"id": 1, "x": 1, "y": None}, {"id": 2}, {"id": 3, "payload": {"own": 1}, "x": 2}]
    assert [row["payload"] for row in fields(rows(values, "payload"))] == [
        '{"x":1,"y":null}',
        None,
        '{"own":1,"x":2}',
    ]


def test_fields_are_not_gathered_into_a_payload_that_is_no_object() -> None:
    encoded = rows([{"id": 1, "payload": "text", "x": 1}, {"id": 2, "payload": "text"}], "payload")
    assert [row["payload"] for row in fields(encoded)] == ['"text"']
    assert "payload is no object" in str(encoded.refused[0][1])


def test_origins_of_several_records_need_their_columns() -> None:
    several = Origins("s", "p", [1, 1], elements=[0, 1])
    with pytest.raises(ValueError, match="elements=True"):
        rows_of(Columns.of(SCHEMA), [{"id": 1}, {"id": 2}], several)
    encoded = rows_of(Columns.of(SCHEMA, elements=True), [{"id": 1}, {"id": 2}], several)
    assert [row["ingest_element"] for row in encoded.batch.to_pylist()] == [0, 1]


EVERY_TYPE = {
    "i": {"type": "integer"},
    "l": {"type": "integer", "maximum": 2**70},
    "n": {"type": "number"},
    "m": {"type": "number", "multipleOf": 0.01},
    "b": {"type": "boolean"},
    "s": {"type": "string"},
    "t": {"type": "string", "format": "date-time"},
    "d": {"type": "string", "format": "date"},
    "j": {},
    "o": {"type": "object", "properties": {"n": {"type": "number"}, "s": {"type": "string"}}},
    "a": {"type": "array", "items": {"type": "integer"}},
}
VALUES = st.sampled_from(
    [
        *(None, 0, 1, -1, 2**53 + 1, 2**63, 10**40, True, False, 1.5, 0.1, float("nan")),
        *(Decimal("0.10"), Decimal("1.234"), Decimal(2), Decimal("1E+400"), Decimal("NaN")),
        *("", "a", "\ud800", "17", "2026-01-31", "20260131", "2026-01-31T10:15:00Z"),
        *("2026-01-31t10:15:00z", "2026-01-31 10:15", "2026-01-31T10:15:00.1234567Z", b"\xff"),
        *(date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 31)),
        *({}, {"n": 1}, {"n": "x"}, {"z": 1}, [], [1, None], [1, "x"], [2**63], object()),
    ]
)


@drawn(st.lists(st.dictionaries(st.sampled_from([*EVERY_TYPE, "zz"]), VALUES, max_size=4)))
def test_a_record_fares_alone_as_it_does_among_others(values: list[Any]) -> None:
    for unknown_fields in get_args(UnknownFields):
        columns = Columns.of(
            json.dumps({"properties": EVERY_TYPE}), unknown_fields=unknown_fields, origin=False
        )
        together = rows_of(columns, values, Origins("s", "p", range(len(values))))
        written: list[Any] = []
        refused: list[tuple[int, str]] = []
        for index, value in enumerate(values):
            alone = rows_of(columns, [value], Origins("s", "p", [0]))
            written += alone.batch.to_pylist()
            refused += [(index, str(error)) for _, error in alone.refused]
        assert together.batch.to_pylist() == written
        assert [(index, str(error)) for index, error in together.refused] == refused
