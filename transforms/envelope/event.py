"""The row, the kind and the position of one change event. Pure."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Literal

from transforms.envelope.logical import CATEGORY, decoded, field_schemas
from transforms.errors import Reject
from transforms.parse.avro.connect import UNAVAILABLE as PLACEHOLDER

Envelope = Literal["none", "debezium", "connect", "auto"]
"""What surrounds the rows of a source."""

Kind = Literal["row", "delete", "truncate", "message"]
"""A row that is there, one that is gone, all that are gone, or a message beside the rows."""

UNAVAILABLE = "unavailable_value"
"""Category of a new row whose value Debezium did not have."""

_OPERATIONS: dict[str, Kind] = {
    **dict.fromkeys(("c", "r", "u"), "row"),
    "d": "delete",
    "t": "truncate",
    "m": "message",
}
_OF_DEBEZIUM = frozenset(
    ("before", "after", "op", "source", "ts_ms", "ts_us", "ts_ns", "transaction", "message")
)
_DELETED, _OP = "__deleted", "__op"
_LSN, _TIMES = ("__lsn", "__source_lsn"), ("__source_ts_ms", "__ts_ms")
ABOUT = frozenset((_DELETED, _OP, *_LSN, *_TIMES))
"""The fields of a flattened row that say something of its event."""

_PLACEHOLDERS = frozenset((PLACEHOLDER, b64encode(PLACEHOLDER.encode()).decode()))
"""As text, and as bytes in JSON."""

_PLACEHOLDER_BYTES = PLACEHOLDER.encode()
_FLAGS = {"true": True, "false": False}
_WITH_LSN = frozenset(("postgresql",))
"""The connectors whose events have a place in the log of the database."""

_LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class Event:
    """What one message says.

    Attributes:
        kind: Of what.
        value: The row, or, of a delete, what is known of the one that is gone.
        position: Where it lies in the order of all changes; None if the event does not say.
        partial: Whether columns are left out, since Debezium did not have their values.
    """

    kind: Kind
    value: dict[str, Any]
    position: int | None = None
    partial: bool = False


def event_of(value: dict[str, Any], envelope: Envelope) -> Event:
    """The event in a parsed message.

    Args:
        value: The message.
        envelope: What it is in. ``auto`` looks, and takes what looks like no envelope for a row.

    Raises:
        Reject: It is in another envelope, or what is in it cannot be read.
    """
    if envelope == "none":
        return Event("row", value)
    schema = None
    if _is_connect(value, strict=envelope == "auto"):
        schema, payload = value["schema"], value["payload"]
        if payload is None:
            return Event("delete", {})
        if not isinstance(payload, dict):
            raise Reject("the payload is not an object", CATEGORY)
        value = payload
    elif envelope == "connect":
        raise Reject("expected an object of schema and payload (--envelope connect)", CATEGORY)
    if envelope == "connect":
        return Event("row", _row(value, schema))
    if _is_debezium(value, strict=envelope == "auto"):
        return _debezium(value, schema)
    if _is_flat(value):
        return _flat(_row(value, schema))
    if envelope == "debezium":
        raise Reject("expected a change event with op and after (--envelope debezium)", CATEGORY)
    return Event("row", _row(value, schema))


def shape_of(value: dict[str, Any]) -> Envelope:
    """What a parsed message looks like: ``debezium``, ``connect``, or ``none`` of them."""
    if not _is_connect(value, strict=True):
        return "debezium" if _is_debezium(value, strict=True) or _is_flat(value) else "none"
    payload = value["payload"]
    if isinstance(payload, dict) and (_is_debezium(payload, strict=True) or _is_flat(payload)):
        return "debezium"
    return "connect"


def _is_connect(value: dict[str, Any], *, strict: bool) -> bool:
    if value.keys() != {"schema", "payload"}:
        return False
    schema = value["schema"]
    return (isinstance(schema, dict) and "type" in schema) or (schema is None and not strict)


def _is_debezium(value: dict[str, Any], *, strict: bool) -> bool:
    if not isinstance(value.get("op"), str) or not isinstance(value.get("source"), dict):
        return False
    if not strict:
        return True
    return value["op"] in _OPERATIONS and value.keys() <= _OF_DEBEZIUM


def _is_flat(value: dict[str, Any]) -> bool:
    return _flag(value.get(_DELETED)) is not None or value.get(_OP) in ("c", "r", "u", "d")


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else _FLAGS.get(str(value))


def _row(value: Any, schema: Any) -> dict[str, Any]:
    row = decoded(value, schema)
    if not isinstance(row, dict):
        raise Reject("the row is not an object", CATEGORY)
    return row


def _debezium(value: dict[str, Any], schema: Any) -> Event:
    op, source = value["op"], value["source"]
    kind = _OPERATIONS.get(op)
    if kind is None:
        raise Reject(
            f"unknown op {op[:20]!r}; there are {', '.join(_OPERATIONS)} (--envelope)", CATEGORY
        )
    if kind in ("truncate", "message"):
        return Event(kind, {})
    position = _position_of(source, value)
    schemas = field_schemas(schema)
    if kind == "delete":
        before = value.get("before")
        return Event(kind, {} if before is None else _row(before, schemas.get("before")), position)
    after = value.get("after")
    if not isinstance(after, dict):
        raise Reject(f"a change event of op {op!r} has no row in after", CATEGORY)
    missing = [name for name, cell in after.items() if _is_placeholder(cell)]
    if missing and op != "u":
        raise Reject(
            f"Debezium did not have the value of {', '.join(missing)[:200]}, and the row is new; set "
            "REPLICA IDENTITY FULL, or exclude the column in the connector",
            UNAVAILABLE,
        )
    if missing:  # the update leaves these columns as they are
        after = {name: cell for name, cell in after.items() if name not in missing}
    return Event(kind, _row(after, schemas.get("after")), position, bool(missing))


def _is_placeholder(cell: Any) -> bool:
    return (isinstance(cell, str) and cell in _PLACEHOLDERS) or (
        isinstance(cell, bytes) and cell == _PLACEHOLDER_BYTES
    )


def _position_of(source: dict[str, Any], value: dict[str, Any]) -> int | None:
    """The place in the log of the database where that is one number, otherwise the time.

    Postgres always has the first: a time could not be compared with it.
    """
    lsn = _number(source.get("lsn"))
    if lsn is not None or source.get("connector") in _WITH_LSN:
        return lsn
    moment = _number(source.get("ts_ms"))
    return _number(value.get("ts_ms")) if moment is None else moment


def _flat(row: dict[str, Any]) -> Event:
    """A row with what the event says of it among its fields (``ExtractNewRecordState``)."""
    op = row.get(_OP)
    deleted = _flag(row.get(_DELETED))
    position = next(
        (number for name in (*_LSN, *_TIMES) if (number := _number(row.get(name))) is not None),
        None,
    )
    missing = [name for name, cell in row.items() if _is_placeholder(cell)]
    if missing and op in ("c", "r"):
        raise Reject(
            f"Debezium did not have the value of {', '.join(missing)[:200]}, and the row is new",
            UNAVAILABLE,
        )
    value = {name: cell for name, cell in row.items() if name not in ABOUT | {*missing}}
    gone = deleted if deleted is not None else op == "d"
    return Event("delete" if gone else "row", value, position, bool(missing) and not gone)


def _number(value: Any) -> int | None:
    """A whole number that the state of a key can hold."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_LARGEST <= value < _LARGEST:
        return None
    return value
