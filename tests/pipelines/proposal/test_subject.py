from __future__ import annotations

import json
from argparse import Namespace
from typing import Any
from uuid import UUID

import pytest

from pipelines.proposal.sampling.sample import Sample
from pipelines.proposal.sampling.survey import Survey
from pipelines.proposal.subject import subject_of
from tests.io.clients.registry.servers import Answer, Asked, serving
from transforms.parse.registry.schema import SchemaId

GUID = UUID("12345678-1234-5678-1234-567812345678")
FIELDS = [{"name": "id", "type": "long"}, {"name": "note", "type": "string", "default": ""}]
SCHEMA = json.dumps({"type": "record", "name": "R", "fields": FIELDS})


def sample(**different: Any) -> Sample:
    survey = Survey(10)
    survey.records = 2
    said: dict[str, Any] = {"envelope": "none", "named": 2}
    return Sample(survey, **said | different)


ROW = json.loads(SCHEMA)
EVENTS = json.dumps(
    {
        "type": "record",
        "name": "Envelope",
        "fields": [
            {"name": "before", "type": ["null", ROW]},
            {"name": "after", "type": ["null", "R"]},
            *({"name": name, "type": "string"} for name in ("source", "op")),
        ],
    }
)
OF_IDS = {
    "7": ["com.shop.Order", "wide", "orders-com.shop.Order"],
    "8": ["orders-com.shop.Order", "com.shop.Order"],
    "9": ["com.shop.Other"],
}


def answer(asked: Asked) -> Answer:
    if asked.path.startswith("/schemas/ids/"):
        subjects = OF_IDS[asked.path.split("/")[3]]
        return 200, [{"subject": subject, "version": 1} for subject in subjects]
    if asked.path.startswith("/schemas/guids/"):
        return 200, [{"id": 7}, "damaged"]
    subject = asked.path.split("/")[2]
    if subject == "changes-value":
        return 200, {"id": 3, "version": 1, "schema": EVENTS}
    if subject == "damaged-value":
        return 200, {"id": 2, "schema": "{"}
    if subject in ("orders-value", "com.shop.Order", "orders-com.shop.Order"):
        return 200, {"id": 1, "version": 1, "schema": SCHEMA}
    return 404, {"error_code": 40401, "message": "Subject not found"}


def asked(source: str, said: Sample, *columns: str) -> str:
    with serving(answer) as registry:
        flags = Namespace(source=source, schema_registry=registry.url, schema_registry_config=[])
        return subject_of(flags, said, columns)


def test_the_subject_of_a_topic() -> None:
    assert asked("kafka://h:1/orders", sample(), "id", "note") == "orders-value"
    assert asked("kafka://h:1/orders", sample(), "id") == "orders-value"


@pytest.mark.parametrize(
    ("source", "said", "column"),
    [
        ("kafka://h:1/others", sample(), "id"),  # no such subject
        ("kafka://h:1/damaged", sample(), "id"),
        ("kafka://h:1/orders", sample(), "older"),  # a field that the schema lacks
        ("kafka://h:1/orders", sample(named=1), "id"),
        ("kafka://h:1/orders", sample(envelope="connect"), "id"),
        ("kafka://h:1/orders,others", sample(), "id"),
        ("kafka://h:1/^orders", sample(), "id"),
        ("./orders.jsonl", sample(), "id"),
    ],
)
def test_where_no_subject_describes_the_records(source: str, said: Sample, column: str) -> None:
    assert asked(source, said, column) == ""


def test_the_rows_in_change_events() -> None:
    said = sample(envelope="debezium")
    assert asked("kafka://h:1/changes", said, "id", "note") == "changes-value"
    assert asked("kafka://h:1/changes", said, "op") == ""
    assert asked("kafka://h:1/orders", said, "id") == "orders-value"  # flattened
    assert asked("kafka://h:1/changes", sample(envelope=None), "id") == ""


def test_without_a_registry_there_is_none() -> None:
    flags = Namespace(source="kafka://h:1/orders", schema_registry=None)
    assert subject_of(flags, sample(), ["id"]) == ""


@pytest.mark.parametrize(
    ("topic", "ids", "column", "subject"),
    [
        ("orders", {9}, "id", "orders-value"),
        ("shop", {7}, "id", "com.shop.Order"),
        ("shop", {GUID}, "id", "com.shop.Order"),
        ("shop", {7, 8}, "note", "com.shop.Order"),
        ("damaged", {7}, "id", "com.shop.Order"),
        ("orders-com.shop", {8}, "id", "orders-com.shop.Order"),  # the topic's own goes before
        ("shop", {7}, "older", ""),
        ("shop", {7, 9}, "id", ""),  # two kinds of records
        ("shop", {9}, "id", ""),
    ],
)
def test_a_subject_that_is_named_by_its_record(
    topic: str, ids: set[SchemaId], column: str, subject: str
) -> None:
    assert asked(f"kafka://h:1/{topic}", sample(schema_ids=ids), column) == subject
