from __future__ import annotations

import pytest

from tests.services.registry import SchemaRegistry


def test_it_gives_back_what_was_registered(schema_registry: SchemaRegistry) -> None:
    number = schema_registry.register("service-value", '{"type": "fixed", "name": "F", "size": 3}')
    answer = schema_registry.call(f"/schemas/ids/{number}")
    assert answer["schema"] == '{"type": "fixed", "name": "F", "size": 3}'
    assert schema_registry.call("/subjects/service-value/versions") == [1]


def test_it_keeps_references(schema_registry: SchemaRegistry) -> None:
    schema_registry.register("service.Id", '{"type": "fixed", "name": "Id", "size": 3}')
    schema = '{"type": "record", "name": "R", "fields": [{"name": "id", "type": "Id"}]}'
    number = schema_registry.register("service-ref-value", schema, "AVRO", [("Id", "service.Id")])
    references = schema_registry.call(f"/schemas/ids/{number}")["references"]
    assert references == [{"name": "Id", "subject": "service.Id", "version": 1}]


def test_what_it_refuses_is_named(schema_registry: SchemaRegistry) -> None:
    with pytest.raises(RuntimeError, match="/subjects/service-bad/versions: 422"):
        schema_registry.register("service-bad", '{"type": "unheard of"}')
