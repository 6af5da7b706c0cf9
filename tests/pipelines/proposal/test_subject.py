from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest

from pipelines.proposal.sampling.sample import Sample
from pipelines.proposal.sampling.survey import Survey
from pipelines.proposal.subject import subject_of
from tests.io.clients.registry.servers import Answer, Asked, serving

FIELDS = [{"name": "id", "type": "long"}, {"name": "note", "type": "string", "default": ""}]
SCHEMA = json.dumps({"type": "record", "name": "R", "fields": FIELDS})


def sample(**different: Any) -> Sample:
    survey = Survey(10)
    survey.records = 2
    said: dict[str, Any] = {"envelope": "none", "named": 2}
    return Sample(survey, **said | different)


def answer(asked: Asked) -> Answer:
    subject = asked.path.split("/")[2]
    if subject == "damaged-value":
        return 200, {"id": 2, "schema": "{"}
    if subject == "orders-value":
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
        ("kafka://h:1/orders", sample(envelope="debezium"), "id"),
        ("kafka://h:1/orders,others", sample(), "id"),
        ("kafka://h:1/^orders", sample(), "id"),
        ("./orders.jsonl", sample(), "id"),
    ],
)
def test_where_no_subject_describes_the_records(source: str, said: Sample, column: str) -> None:
    assert asked(source, said, column) == ""


def test_without_a_registry_there_is_none() -> None:
    flags = Namespace(source="kafka://h:1/orders", schema_registry=None)
    assert subject_of(flags, sample(), ["id"]) == ""
