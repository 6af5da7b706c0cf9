"""The JSON Schema of the records that a schema of a registry describes, for a table of them."""

from __future__ import annotations

import json

from transforms.parse.avro import json_schema as of_avro
from transforms.parse.protobuf import json_schema as of_protobuf
from transforms.parse.registry.schema import AVRO, PROTOBUF, Unusable, WireSchema
from transforms.parse.registry.schema import JSON as JSON_SCHEMA


def table_schema(schema: WireSchema, field: str = "") -> str:
    """The JSON Schema of what ``schema`` describes, as JSON.

    Args:
        schema: Of messages.
        field: The field that holds the records, if they are not the messages themselves.

    Raises:
        Unusable: The schema cannot be read, or describes no records.
    """
    if schema.type == AVRO:
        texts = [text for _, text in schema.references]
        return json.dumps(of_avro.json_schema_of(schema.text, texts, field))
    if schema.type == PROTOBUF:
        return json.dumps(of_protobuf.json_schema_of(schema.text, schema.references, field))
    if schema.type != JSON_SCHEMA:
        raise Unusable(f"schemas of type {schema.type[:40]} are not supported")
    if schema.references:
        raise Unusable("it refers to other schemas, which a table cannot be made of")
    return schema.text
