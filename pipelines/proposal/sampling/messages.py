"""What messages show beside their fields: the envelope that rows are in, and the fields of their keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.envelope.event import Envelope, shape_of
from transforms.envelope.message_key import read_key
from transforms.errors import Reject

_MOST_FIELDS = 8


def envelope_of(values: Iterable[dict[str, Any]]) -> Envelope:
    """The envelope that all of these messages are in; ``none`` if they differ, or there are none.

    One without a payload is in Connect's, whatever Debezium would have put into it.
    """
    shapes = {shape_of(value) for value in values}
    if shapes == {"debezium", "connect"}:
        return "debezium"
    return shapes.pop() if len(shapes) == 1 else "none"


def key_names(batch: RecordBatch, *, decoded: bool) -> tuple[str, ...] | None:
    """The fields that the keys of all messages of a batch have; empty if keys are no records.

    Args:
        batch: Messages.
        decoded: Whether only keys count that name a schema of a registry.

    Returns:
        The names; None if no message has a key.
    """
    keys = batch.keys if batch.key_values is None else batch.key_values
    names: set[tuple[str, ...]] = set()
    for key in keys or ():
        if key is not None:
            names.add(() if decoded and isinstance(key, bytes) else _names(key))
    if not names:
        return None
    return names.pop() if len(names) == 1 else ()


def _names(key: Any) -> tuple[str, ...]:
    try:
        value = read_key(key)
    except Reject:
        return ()
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST_FIELDS:
        return ()
    return tuple(value)
