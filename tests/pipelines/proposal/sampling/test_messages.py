from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipelines.proposal.sampling.messages import envelope_of, key_names
from transforms.batch.record import JSON, RecordBatch, Span

CHANGE = {"before": None, "after": {"id": 1}, "source": {"lsn": 1}, "op": "c", "ts_ms": 1}
SCHEMA = {"type": "struct", "fields": []}
ROW = {"id": 1, "op": "c", "source": "x"}


@pytest.mark.parametrize(
    ("values", "envelope"),
    [
        ([CHANGE, {**CHANGE, "op": "d"}], "debezium"),
        ([{"schema": SCHEMA, "payload": CHANGE}], "debezium"),
        ([{"id": 1, "__deleted": "false"}], "debezium"),
        ([{"schema": SCHEMA, "payload": {"id": 1}}], "connect"),
        ([{"schema": SCHEMA, "payload": CHANGE}, {"schema": SCHEMA, "payload": None}], "debezium"),
        ([ROW], "none"),
        ([{"schema": "public", "payload": {}}], "none"),
        ([CHANGE, ROW], "none"),
        ([], "none"),
    ],
)
def test_what_all_messages_are_in(values: list[dict[str, Any]], envelope: str) -> None:
    assert envelope_of(values) == envelope


def batch(keys: Sequence[bytes | None] | None) -> RecordBatch:
    raws = [b"{}"] * len(keys or ())
    return RecordBatch(
        Span("kafka://t", "0", 0, len(raws)), JSON, range(len(raws)), raws, keys=keys
    )


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ([b'{"id": 1}', None, b'{"id": 2}'], ("id",)),
        ([b'{"schema": null, "payload": {"a": 1, "b": 2}}'], ("a", "b")),
        ([b'{"id": 1}', b'{"no": 1}'], ()),
        ([b'{"id": 1}', b"7"], ()),
        ([b"\xff"], ()),
        ([b"{}"], ()),
        ([None], None),
        (None, None),
    ],
)
def test_the_fields_of_keys(
    keys: Sequence[bytes | None] | None, names: tuple[str, ...] | None
) -> None:
    assert key_names(batch(keys), decoded=False) == names


def test_keys_that_name_no_schema_may_not_count() -> None:
    keys = batch([b'{"id": 1}'])
    assert key_names(keys, decoded=True) == ()
    assert key_names(replace(keys, key_values=[{"id": 1}]), decoded=True) == ("id",)
