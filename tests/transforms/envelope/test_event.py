"""What change events say."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from transforms.envelope.event import UNAVAILABLE, Envelope, Event, event_of, shape_of
from transforms.errors import Reject

ROW = {"id": 1, "name": "a"}
LSN = {"connector": "postgresql", "lsn": 7, "ts_ms": 99}


def debezium(op: str, **more: Any) -> dict[str, Any]:
    return {"before": None, "after": None, "source": LSN, "ts_ms": 100, **more, "op": op}


@pytest.mark.parametrize("envelope", ["debezium", "auto"])
@pytest.mark.parametrize("wrapped", [False, True])
class TestDebezium:
    def event(self, value: dict[str, Any], envelope: Envelope, wrapped: bool) -> Event:
        schema = {"type": "struct", "fields": []}
        return event_of({"schema": schema, "payload": value} if wrapped else value, envelope)

    @pytest.mark.parametrize("op", ["c", "r", "u"])
    def test_the_row_is_what_it_is_after(self, op: str, envelope: Envelope, wrapped: bool) -> None:
        value = debezium(op, before={"id": 1, "name": "z"}, after=ROW)
        assert self.event(value, envelope, wrapped) == Event("row", ROW, 7)

    def test_a_delete_has_what_the_row_was(self, envelope: Envelope, wrapped: bool) -> None:
        value = debezium("d", before=ROW)
        assert self.event(value, envelope, wrapped) == Event("delete", ROW, 7)
        assert self.event(debezium("d"), envelope, wrapped) == Event("delete", {}, 7)

    @pytest.mark.parametrize(("op", "kind"), [("t", "truncate"), ("m", "message")])
    def test_what_is_no_row(self, op: str, kind: str, envelope: Envelope, wrapped: bool) -> None:
        assert self.event(debezium(op), envelope, wrapped).kind == kind

    @pytest.mark.parametrize(
        "placeholder", ["__debezium_unavailable_value", b"__debezium_unavailable_value"]
    )
    def test_a_value_that_is_not_available_is_left_alone(
        self, envelope: Envelope, wrapped: bool, placeholder: str | bytes
    ) -> None:
        after = {**ROW, "large": placeholder}
        event = self.event(debezium("u", after=after), envelope, wrapped)
        assert event == Event("row", ROW, 7, partial=True)
        with pytest.raises(Reject, match="large") as refused:
            self.event(debezium("c", after=after), envelope, wrapped)
        assert refused.value.category == UNAVAILABLE


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"connector": "postgresql", "lsn": 7, "ts_ms": 9}, 7),
        ({"lsn": 7, "ts_ms": 9}, 7),
        ({"connector": "postgresql", "lsn": None, "ts_ms": 9}, None),
        ({"connector": "mysql", "file": "binlog.3", "pos": 4, "ts_ms": 9}, 9),
        ({}, 100),
        ({"ts_ms": 1 << 63}, 100),
        ({"lsn": True}, 100),
    ],
)
def test_the_position_is_one_comparable_number(source: dict[str, Any], expected: int) -> None:
    assert event_of(debezium("c", after=ROW, source=source), "debezium").position == expected


def test_the_schema_says_what_the_cells_mean() -> None:
    day = {"field": "day", "type": "int32", "name": "io.debezium.time.Date"}
    row = {"type": "struct", "field": "after", "fields": [day]}
    before = {**row, "field": "before"}
    schema = {"type": "struct", "fields": [before, row]}
    for op, name in (("c", "after"), ("d", "before")):
        value = debezium(op, **{name: {"day": 1}})
        event = event_of({"schema": schema, "payload": value}, "debezium")
        assert event.value == {"day": date(1970, 1, 2)}


def test_a_flattened_row_has_its_event_among_its_fields() -> None:
    deleted = {**ROW, "__deleted": "true", "__lsn": 5}
    assert event_of(deleted, "auto") == Event("delete", ROW, 5)
    kept = {**ROW, "__deleted": "false", "__op": "u", "__source_ts_ms": 8}
    assert event_of(kept, "debezium") == Event("row", ROW, 8)
    assert event_of({**ROW, "__op": "d"}, "auto") == Event("delete", ROW)
    placeholder = {**ROW, "big": "__debezium_unavailable_value"}
    assert event_of({**placeholder, "__op": "u"}, "auto") == Event("row", ROW, partial=True)
    with pytest.raises(Reject, match="big"):
        event_of({**placeholder, "__op": "c"}, "auto")


def test_connects_wrapper_alone() -> None:
    assert event_of({"schema": None, "payload": ROW}, "connect") == Event("row", ROW)
    assert event_of({"schema": None, "payload": None}, "connect") == Event("delete", {})
    event = debezium("d", before=ROW)
    assert event_of({"schema": None, "payload": event}, "connect") == Event("row", event)


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        {"op": "c", "after": 1, "source": "x"},
        {"op": "buy", "source": {}, "after": {}},
        {"op": "c", "source": {}, "after": {}, "price": 5},
        {"schema": "public", "payload": {"a": 1}},
        {"schema": None, "payload": {"a": 1}},
        {"schema": {"type": "struct"}, "payload": {}, "id": 1},
        {"__deleted": "perhaps"},
    ],
)
def test_auto_takes_what_only_resembles_an_event_for_a_row(row: dict[str, Any]) -> None:
    assert event_of(row, "auto") == Event("row", row)
    assert shape_of(row) == "none"


def test_what_a_message_looks_like() -> None:
    event = debezium("c", after=ROW)
    schema = {"type": "struct"}
    assert shape_of(event) == shape_of({"schema": schema, "payload": event}) == "debezium"
    assert shape_of({**ROW, "__deleted": "true"}) == "debezium"
    for payload in (ROW, None):
        assert shape_of({"schema": schema, "payload": payload}) == "connect"


@pytest.mark.parametrize(
    ("value", "envelope", "message"),
    [
        (ROW, "debezium", "expected a change event"),
        (ROW, "connect", "expected an object of schema and payload"),
        (debezium("x", after=ROW), "debezium", "unknown op 'x'"),
        (debezium("u"), "debezium", "no row in after"),
        ({"schema": None, "payload": 5}, "connect", "not an object"),
    ],
)
def test_another_shape_is_refused(value: dict[str, Any], envelope: Envelope, message: str) -> None:
    with pytest.raises(Reject, match=message) as refused:
        event_of(value, envelope)
    assert refused.value.category == "envelope"
