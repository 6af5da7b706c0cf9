"""Batches of change events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from transforms.batch.coders import RecordBatchCoder
from transforms.batch.record import JSON, Change, RecordBatch, Span
from transforms.envelope.config import UnwrapConfig
from transforms.envelope.message_key import KeyField
from transforms.envelope.unwrap import Unwrap, Unwrapper
from transforms.parse.json_text import encode_json
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.validate import validate

DEBEZIUM = UnwrapConfig("debezium", "delete", key=("id",))
TOMBSTONES = ParseConfig(tombstones=True)


def event(op: str, row: dict[str, Any] | None, lsn: int) -> dict[str, Any]:
    sides = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
    return {**sides, "op": op, "source": {"lsn": lsn}}


def batch(*messages: tuple[Any, Any]) -> RecordBatch:
    """Messages as they come from a topic: each a value, None for a tombstone, and a key."""
    raws = [b"" if value is None else encode_json(value) for value, _ in messages]
    keys = [None if key is None else encode_json(key) for _, key in messages]
    read = RecordBatch(
        Span("kafka://t", "0", 0, len(raws)), JSON, list(range(len(raws))), raws, keys=keys
    )
    return parse(read, TOMBSTONES)


def unwrapped(config: UnwrapConfig, *messages: tuple[Any, Any]) -> RecordBatch:
    return Unwrapper(config).unwrapped(batch(*messages))


def test_rows_deletes_and_tombstones() -> None:
    result = unwrapped(
        DEBEZIUM,
        (event("c", {"id": 1, "a": 2}, 10), {"id": 1}),
        (event("d", {"id": 1}, 11), {"id": 1}),
        (None, {"id": 1}),
        (event("d", None, 12), {"id": 2}),
    )
    assert result.values == [{"id": 1, "a": 2}, {"id": 1}, {"id": 1}, {"id": 2}]
    assert result.changes == [
        Change(False, 10),
        Change(True, 11),
        Change(True, None),
        Change(True, 12),
    ]
    assert [record.deleted for record in result.records()] == [False, True, True, True]
    assert result.record(1).deleted
    assert result.record(1).with_value({}).deleted


def test_records_that_fail_or_are_left_out_take_their_changes_along() -> None:
    result = unwrapped(
        DEBEZIUM,
        (event("x", {"id": 1}, 1), None),
        (event("m", None, 2), None),
        (event("t", None, 3), None),
        (event("d", {"id": 4}, 4), None),
    )
    assert (result.offsets, result.changes, result.filtered) == ([3], [Change(True, 4)], (1,))
    assert [(f.origin.offset, f.stage, f.category) for f in result.failures] == [
        (0, "envelope", "envelope"),
        (2, "envelope", "truncate"),
    ]


@pytest.mark.parametrize(
    ("on_delete", "failed", "filtered"), [("dead", [0, 1, 2], ()), ("ignore", [], (0, 1, 2))]
)
def test_deletes_about_which_nothing_is_done(
    on_delete: Any, failed: list[int], filtered: tuple[int, ...]
) -> None:
    config = replace(DEBEZIUM, on_delete=on_delete)
    messages = [
        (event("d", {"id": 1}, 1), {"id": 1}),
        (None, {"id": 1}),
        (event("t", None, 1), None),
    ]
    result = unwrapped(config, *messages)
    assert ([f.origin.offset for f in result.failures], result.filtered) == (failed, filtered)


def test_a_condition_says_which_rows_are_gone() -> None:
    config = UnwrapConfig(on_delete="delete", delete_when="{field: state, is: gone}", key=("id",))
    result = unwrapped(config, ({"id": 1, "state": "gone"}, None), ({"id": 2, "state": "x"}, None))
    assert [change.delete for change in result.changes or ()] == [True, False]
    expression = replace(config, delete_when="state == 'gone' && id > `5`")
    result = unwrapped(
        expression, ({"id": 1, "state": "gone"}, None), ({"id": 6, "state": "gone"}, None)
    )
    assert [change.delete for change in result.changes or ()] == [False, True]


def test_the_key_of_the_message_gives_key_columns() -> None:
    config = UnwrapConfig(on_delete="delete", key=("id",), key_fields=(KeyField("id"),))
    result = unwrapped(config, ({"a": 1}, 5), (None, 6), ({"a": 1}, None))
    assert result.values == [{"a": 1, "id": 5}, {"id": 6}]
    assert [failure.message for failure in result.failures] == ["the message has no key"]


def test_deletes_need_not_conform_to_the_schema_of_rows() -> None:
    rows = (event("c", {"id": 1}, 1), None), (event("c", {"id": 2, "a": 1}, 2), None)
    result = unwrapped(DEBEZIUM, *rows, (event("d", {"id": 3}, 3), None))
    checked = validate(result, '{"required": ["a"]}')
    assert (checked.values, checked.changes) == (
        [{"id": 2, "a": 1}, {"id": 3}],
        [Change(False, 2), Change(True, 3)],
    )
    assert [failure.category for failure in checked.failures] == ["schema"]


def test_a_change_that_leaves_columns_as_they_are_may_lack_what_the_schema_requires() -> None:
    large = {"id": 1, "n": 5, "large": "__debezium_unavailable_value"}
    wrong = {**large, "n": "five"}
    events = [event("u", large, 1), event("u", wrong, 2), event("c", {"id": 1, "n": 5}, 3)]
    result = unwrapped(DEBEZIUM, *((each, None) for each in events))
    assert result.values == [{"id": 1, "n": 5}, {"id": 1, "n": "five"}, {"id": 1, "n": 5}]
    assert result.changes == [Change(False, 1, True), Change(False, 2, True), Change(False, 3)]
    schema = '{"required": ["large"], "properties": {"n": {"type": "integer"}}}'
    checked = validate(result, schema)
    assert (checked.values, checked.offsets) == ([{"id": 1, "n": 5}], [0])
    assert [failure.message for failure in checked.failures] == [
        '/n: "five" is not of type "integer"',
        '"large" is a required property',
    ]
    coder = RecordBatchCoder()
    assert coder.decode(coder.encode(result)) == result


def test_the_changes_travel_with_their_batch() -> None:
    result = unwrapped(DEBEZIUM, (event("d", {"id": 1}, 1), None), (event("c", {"id": 1}, 2), None))
    coder = RecordBatchCoder()
    encoded = coder.encode(result)
    assert encoded[0] == 5, "earlier programs must not take deletes for rows"
    assert coder.decode(encoded) == result


def test_in_a_pipeline() -> None:
    def rows_are(batches: list[RecordBatch]) -> None:
        assert [record.deleted for each in batches for record in each.records()] == [False, True]

    read = batch((event("c", {"id": 1}, 1), None), (event("d", {"id": 1}, 2), None))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        assert_that(pipeline | beam.Create([read]) | Unwrap(DEBEZIUM), rows_are)


def test_a_tombstone_whose_key_is_not_decoded_yet_is_tried_again() -> None:
    key = b"\0\0\0\0\7\2"
    read = replace(batch((None, {"id": 1})), keys=[key])
    (failure,) = Unwrapper(DEBEZIUM).unwrapped(read).failures
    assert not failure.transient
    assert "--schema_registry" in failure.message
    (failure,) = Unwrapper(DEBEZIUM).unwrapped(replace(read, key_values=[key])).failures
    assert failure.transient
    assert "schema id 7" in failure.message
    result = Unwrapper(DEBEZIUM).unwrapped(replace(read, key_values=[{"id": 7}]))
    assert result.values == [{"id": 7}]
