"""A failure to deliver as a dead letter."""

from __future__ import annotations

from typing import Any

from transforms.batch.record import JSON, Failure, Origin


def failure(raw: bytes = b'{"id": 1}', offset: int = 7, **values: Any) -> Failure:
    """A dead letter from Kafka, unless ``origin`` says otherwise."""
    defaults: dict[str, Any] = {
        "origin": Origin("kafka://orders", "3@IDofTopic", offset),
        "raw": raw,
        "format": JSON,
        "stage": "validate",
        "category": "schema",
        "exception": "Reject",
        "message": "id is not a string",
        "stack": "Traceback: …",
        "event_time": 1_700_000_000.123,
        "key": b"k",
        "headers": (),
    }
    return Failure(**{**defaults, **values})
