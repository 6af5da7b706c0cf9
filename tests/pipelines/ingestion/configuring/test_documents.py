"""A mapping and a schema: in a file of their own, or in the document that has the options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.ingestion.configuring.documents import mapping_of, schema_of
from transforms.errors import ConfigError
from transforms.mapping.reading.document import parsed

SCHEMA = '{"properties": {"id": {"type": "integer", "multipleOf": 0.5}}}'
MAPPING = "- rename: {a: b}\n"
KEYED = "- hash: {a: {hmac: '${env:NO_SUCH_VARIABLE}'}}\n"


def test_a_schema_is_the_same_in_its_file_and_in_a_document(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(SCHEMA)
    inside = schema_of(parsed("properties: {id: {type: integer, multipleOf: 0.5}}", "p.yaml"))
    assert inside is not None
    assert json.loads(inside) == json.loads(str(schema_of(str(path))))
    assert schema_of(None) is None


def test_a_wrong_schema_in_a_document_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^p\.yaml:1:1: not a valid JSON Schema: "):
        schema_of(parsed("type: 5", "p.yaml"))


def test_a_mapping_is_the_same_in_its_file_and_in_a_document(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAPPING)
    inside = mapping_of(parsed(MAPPING, "p.yaml"), remote=False)
    assert inside is not None
    assert inside == mapping_of(str(path), remote=False)
    assert mapping_of(None, remote=False) is None


def test_a_mapping_needs_its_secrets_where_records_are_mapped() -> None:
    assert mapping_of(parsed(KEYED, "p.yaml"), remote=True)
    with pytest.raises(ConfigError, match="NO_SUCH_VARIABLE"):
        mapping_of(parsed(KEYED, "p.yaml"), remote=False)
