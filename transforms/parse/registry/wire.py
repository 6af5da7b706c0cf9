"""Which schema a message names: in front of its body, or in a header.

A zero byte and four bytes of the schema's number begin a message, or a byte 1 and 16 bytes of its GUID; newer
clients put the same into the header ``__value_schema_id`` or ``__key_schema_id``, and the whole message is the
body (https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from transforms.batch.record import Headers
from transforms.parse.registry.schema import SchemaId

KEY_HEADER = "__key_schema_id"
VALUE_HEADER = "__value_schema_id"

BY_NUMBER = 5
"""How many bytes a number takes, with the byte before it."""

BY_GUID = 17
"""How many bytes a GUID takes, with the byte before it."""

Body = tuple[SchemaId, bytes]
"""The id of a schema and the bytes that were written with it."""


def prefixed(raw: bytes) -> Body | None:
    """The schema that the first bytes of a message name, and the rest; None if they name none.

    >>> prefixed(bytes([0, 0, 0, 0, 7]) + b"body")
    (7, b'body')
    """
    if raw[:1] == b"\0" and len(raw) >= BY_NUMBER:
        return int.from_bytes(raw[1:BY_NUMBER], "big"), raw[BY_NUMBER:]
    if raw[:1] == b"\1" and len(raw) >= BY_GUID:
        return UUID(bytes=raw[1:BY_GUID]), raw[BY_GUID:]
    return None


def in_headers(headers: Headers, name: str, raw: bytes) -> Body | None:
    """The schema that the header ``name`` names, and the whole of ``raw``; None if there is none.

    The message indexes of Protobuf, which follow the id, stand before the body here as they do in front
    of a message.
    """
    for header, held in reversed(headers):
        if header == name and held is not None and (body := prefixed(held)) is not None:
            return body[0], body[1] + raw
    return None


def schema_named(raw: bytes, headers: Sequence[Headers] | None, index: int) -> SchemaId | None:
    """The schema that the message at ``index`` names in ``headers``, or by its first bytes; None if none."""
    body = None if headers is None else in_headers(headers[index], VALUE_HEADER, raw)
    body = body or prefixed(raw)
    return None if body is None else body[0]
