from __future__ import annotations

from typing import Any

import pytest

from pipelines.proposal.draft import Draft, columns_of, keys_of, message_key_of
from pipelines.proposal.sampling.sample import Sample
from pipelines.proposal.sampling.survey import MOST_COLUMNS, Survey
from tests.pipelines.proposal.sampling.columns import ABSENT
from transforms.batch.record import JSON, Format, RecordBatch, Span


def sample(fields: dict[str, list[Any]], format: Format = JSON) -> Sample:  # noqa: A002
    """A sample with these values of each field."""
    records = [
        {name: value for name, value in zip(fields, row, strict=True) if value is not ABSENT}
        for row in zip(*fields.values(), strict=True)
    ]
    survey = Survey(100)
    raws = [b"{}"] * len(records)
    span = Span("kafka://t", "0", 0, len(records))
    survey.add(RecordBatch(span, format, range(len(records)), raws, records))
    return Sample(survey, format, whole=True)


def draft(fields: dict[str, list[Any]], format: Format = JSON, **changes: Any) -> Draft:  # noqa: A002
    """What is proposed for such a sample."""
    taken = sample(fields, format)
    columns, renamed = columns_of(taken)
    said_of: dict[str, Any] = {
        "source": "./orders.jsonl",
        "sink": "sqlite:///orders.db",
        "table": "orders",
        "pipeline": "orders",
        "options": {},
        "remarks": {},
        "sample": taken,
        "columns": columns,
        "renamed": renamed,
        "keys": keys_of(columns, taken.survey.records, "orders"),
        **changes,
    }
    return Draft(**said_of)


def test_columns_are_named_as_the_table_has_them() -> None:
    columns, renamed = columns_of(sample({"id": [1, 2], "ID": [3, 4], "x" * 80: [5, 6]}))
    assert [column.name for column in columns] == ["id", "id_2", "x" * 63]
    assert renamed == {"ID": "id_2", "x" * 80: "x" * 63}


def test_the_key_has_the_new_names() -> None:
    proposal = draft({"Id": [1, 1], "ID": [3, 4]})
    assert proposal.key == ("id_2",)


def test_a_key_that_is_not_sure_is_none() -> None:
    proposal = draft({"who": [f"n{n}" for n in range(30)]})
    assert [one.columns for one in proposal.keys] == [("who",)]
    assert proposal.key == ()


def test_columns_without_a_name_in_the_header_are_text() -> None:
    format_ = Format("csv", ("id", "", "n"))
    columns, _ = columns_of(sample({"id": ["1"], "column_2": ["5"], "n": ["6"]}, format_))
    types = {column.name: column.type.schema["type"] for column in columns}
    assert types == {"id": "integer", "column_2": "string", "n": "integer"}


@pytest.mark.parametrize(
    "names",
    [[f"a{n}" for n in range(MOST_COLUMNS + 1)], ["a", "b" * 1_001], ["\x01" * 300], ["a", ""]],
)
def test_with_too_many_or_too_long_names_records_are_kept_whole(names: list[str]) -> None:
    assert columns_of(sample({name: [1] for name in names})) == ([], {})


@pytest.mark.parametrize(
    ("fields", "newest"),
    [
        ({"id": [1], "updated_at": ["2026-01-02T03:04:05Z"]}, "updated_at"),
        ({"id": [1], "version": [3]}, "version"),
        ({"id": [1], "lastModified": ["2026-01-02"]}, "lastModified"),
        ({"id": [1, 2], "updated_at": ["2026-01-02", None]}, ""),
        ({"id": [1, 2], "version": [3, ABSENT]}, ""),
        ({"id": [1], "version": ["v3"]}, ""),
        ({"id": [1], "created_at": ["2026-01-02"]}, ""),
    ],
)
def test_a_field_that_says_which_record_is_newer_is_found(
    fields: dict[str, list[Any]], newest: str
) -> None:
    assert draft(fields).newest == newest


def test_the_schema_has_the_evidence_as_descriptions() -> None:
    proposal = draft({"id": [1, 2], "note": ["x", ABSENT]})
    assert proposal.json_schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {
                "type": "integer",
                "description": "both are whole numbers of up to 1 digit",
            },
            "note": {
                "type": "string",
                "description": "1 of 2 are text of up to 1 character, 1 absent",
            },
        },
    }


def test_the_reason_for_a_type_follows_the_evidence() -> None:
    columns, _ = columns_of(sample({"a": [{}, 1]}))
    assert columns[0].said == (
        "1 of 2 are objects, 1 whole numbers of up to 1 digit (first: record 2); "
        "mixed, so a column of JSON"
    )


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("id",), ("id",)),
        (("id", "code"), ("id", "code")),
        (("missing",), ()),
        (("score",), ()),
        (("ID",), ()),  # called id_2 in the table
        (("a,b",), ()),
        ((), ()),
        (None, ()),
    ],
)
def test_the_fields_of_the_messages_keys_are_the_key_if_they_can_be(
    names: tuple[str, ...] | None, key: tuple[str, ...]
) -> None:
    taken = sample({"id": [1], "code": ["x"], "score": [0.5], "ID": [1], "a,b": [1]})
    taken.key_names = names
    columns, _ = columns_of(taken)
    assert message_key_of(taken, columns) == key


def test_the_key_of_messages_goes_before_other_candidates() -> None:
    fields: dict[str, list[Any]] = {"id": list(range(30)), "region": ["x"] * 30}
    assert draft(fields).key == ("id",)
    assert draft(fields, message_key=("region",)).key == ("region",)
