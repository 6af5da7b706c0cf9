"""The JSON Schema of the rows in messages whose schema a registry has."""

from __future__ import annotations

import json

from transforms.envelope.event import ABOUT, Envelope
from transforms.parse.registry.schema import JSON as JSON_SCHEMA
from transforms.parse.registry.schema import Unusable, WireSchema
from transforms.parse.registry.table_schema import table_schema

_OF_EVENT = frozenset(("before", "after", "op", "source"))


def row_schema(schema: WireSchema, envelope: Envelope) -> str:
    """The JSON Schema of the rows that are in messages of ``schema``, as JSON.

    Args:
        schema: Of the messages.
        envelope: What the rows are in. Of change events it is the schema of what is in ``after``; of flattened
            ones, the fields that say something of the event are left out.

    Raises:
        Unusable: The schema cannot be read, or describes no rows.
    """
    text = table_schema(schema)
    if envelope not in ("debezium", "auto"):
        return text
    whole = json.loads(text)
    properties = whole.get("properties") if isinstance(whole, dict) else None
    if not isinstance(properties, dict):
        return text
    if properties.keys() >= _OF_EVENT:
        if schema.type == JSON_SCHEMA:
            raise Unusable(
                "it describes change events, of which a table is made only if they are in Avro or Protobuf"
            )
        return table_schema(schema, "after")
    if properties.keys().isdisjoint(ABOUT):
        return text
    rest = {name: each for name, each in properties.items() if name not in ABOUT}
    required = [name for name in whole.get("required", ()) if name not in ABOUT]
    return json.dumps({**whole, "properties": rest, "required": required})
