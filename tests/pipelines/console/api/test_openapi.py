"""The OpenAPI document says what the operations take and answer."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from pipelines.console.api.openapi import document
from pipelines.console.api.operations import OPERATIONS
from tests.pipelines.console.api.test_routes import OPERATIONS as SAMPLES


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_parameters_have_types_and_bounds() -> None:
    read = document(SAMPLES)["paths"]["/api/items/{id}"]["get"]
    parameters = {parameter["name"]: parameter for parameter in read["parameters"]}
    assert parameters["id"]["in"] == "path"
    assert parameters["id"]["required"]
    assert parameters["limit"]["in"] == "query"
    assert not parameters["limit"]["required"]
    schema = parameters["limit"]["schema"]
    assert (schema["minimum"], schema["maximum"]) == (1, 500)
    assert "requestBody" not in read


def test_every_reference_leads_somewhere_and_errors_are_described() -> None:
    for operations in (SAMPLES, OPERATIONS):
        described = document(operations)
        schemas = described["components"]["schemas"]
        names = {reference.rpartition("/")[2] for reference in references(described)}
        assert names <= schemas.keys()
        for methods in described["paths"].values():
            for operation in methods.values():
                assert {"200", "400", "401", "403", "404", "500", "503"} <= operation[
                    "responses"
                ].keys()


def test_a_write_says_what_it_takes() -> None:
    write = document(SAMPLES)["paths"]["/api/items/{id}"]["post"]
    assert write["requestBody"]["required"]
    assert {"413", "415"} <= write["responses"].keys()
    assert "operator" in write["description"]


def test_the_console_serves_its_own(client: TestClient) -> None:
    answer = client.get("/api/openapi.json").json()
    assert answer["openapi"] == "3.1.0"
    assert {f"/api{one.path}".replace(":path}", "}") for one in OPERATIONS} == answer[
        "paths"
    ].keys()
