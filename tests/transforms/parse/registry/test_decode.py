from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from tests.transforms.parse.registry.registries import Schemas
from transforms.batch.record import JSON, Format, Headers, RecordBatch, Span
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.registry.decode import by_schema, is_of_topic
from transforms.parse.registry.schema import WireSchema
from transforms.parse.registry.wire import VALUE_HEADER

GUID = UUID("12345678-1234-5678-1234-567812345678")
RECORD = '{"type": "record", "name": "R", "fields": [{"name": "n", "type": "%s"}]}'
SCHEMAS = Schemas(
    {
        1: WireSchema("AVRO", RECORD % "long"),
        2: WireSchema("AVRO", RECORD % "string"),
        3: WireSchema("AVRO", '"long"'),
        4: WireSchema("JSON", "{}"),
        GUID: WireSchema("AVRO", RECORD % "long"),
    }
)
CONFIG = ParseConfig(schemas=SCHEMAS)


def wire(number: int, body: bytes) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + body


def batch(raws: Sequence[bytes], headers: Sequence[Headers] | None = None) -> RecordBatch:
    span = Span("kafka://t", "0", 0, len(raws))
    return RecordBatch(span, JSON, range(len(raws)), list(raws), headers=headers)


def read(*raws: bytes, headers: Sequence[Headers] | None = None) -> tuple[Any, list[Any]]:
    """The values, and category and message of each failure, by offset."""
    result = parse(batch(raws, headers), CONFIG)
    failures = [(f.origin.offset, f.category, f.message) for f in result.failures]
    return dict(zip(result.offsets, result.values or (), strict=True)), failures


def test_messages_of_several_schemas_and_of_none_keep_their_order() -> None:
    raws = (wire(1, b"\2"), b'{"n": 5}', wire(2, b"\2x"), wire(1, b"\4"), wire(4, b'{"n": 0}'))
    values, failures = read(*raws)
    assert values == {0: {"n": 1}, 1: {"n": 5}, 2: {"n": "x"}, 3: {"n": 2}, 4: {"n": 0}}
    assert failures == []


def test_a_message_that_does_not_fit_is_dead_alone_with_the_id() -> None:
    values, failures = read(wire(1, b"\2"), wire(1, b"\2\2"), wire(1, b"\4"), wire(3, b"\2"))
    assert values == {0: {"n": 1}, 2: {"n": 2}}
    assert failures == [
        (1, "malformed", "schema id 1: 1 bytes are left over"),
        (3, "not_object", "schema id 3: expected a record, got a single value"),
    ]


def test_an_unknown_id_may_be_known_later() -> None:
    result = parse(batch([wire(99, b"\2"), wire(1, b"\2")]), CONFIG)
    (failure,) = result.failures
    assert (failure.transient, failure.category) == (True, "retry_later")
    assert failure.message == "schema id 99: the registry has no such schema"
    assert failure.raw == wire(99, b"\2")
    assert result.values == [{"n": 1}]


def test_ids_in_headers_and_guids() -> None:
    named: Headers = ((VALUE_HEADER, b"\1" + GUID.bytes),)
    values, failures = read(
        *(b"\2", b"\1" + GUID.bytes + b"\4", b'{"n": 3}', wire(2, b"\2x")),
        headers=[named, (), (("trace", b"\0\0\0\0\1"),), ()],
    )
    assert values == {0: {"n": 1}, 1: {"n": 2}, 2: {"n": 3}, 3: {"n": "x"}}
    assert failures == []


def test_a_header_counts_more_than_the_first_bytes() -> None:
    """A body may begin with any byte, also with zero."""
    named: Headers = ((VALUE_HEADER, wire(2, b"")),)
    values, _ = read(b"\x0c\0\0\0\0\0\0", b"\0\0\0\0\1\2", headers=[named, ()])
    assert values == {0: {"n": "\0\0\0\0\0\0"}, 1: {"n": 1}}


def test_other_bytes_are_read_as_without_a_registry() -> None:
    values, failures = read(b"\0\0\0", b"\1", b"", b'{"n": 1}')
    assert values == {3: {"n": 1}}
    assert [category for _, category, _ in failures] == ["malformed"] * 3


def test_a_message_that_is_too_large_is_not_decoded() -> None:
    config = replace(CONFIG, max_record_bytes=100)
    text = b"\xc8\1" + b"x" * 100
    result = parse(batch([wire(2, text), wire(2, b"\2x")]), config)
    assert [failure.category for failure in result.failures] == ["too_large"]
    assert result.values == [{"n": "x"}]


def test_only_messages_of_topics_name_schemas() -> None:
    topic = batch([b""])
    assert is_of_topic(topic)
    assert not is_of_topic(replace(topic, format=Format("text")))
    assert not is_of_topic(replace(topic, span=Span("file:///a", "1", 0, 1)))


def test_who_names_what() -> None:
    groups = by_schema([wire(1, b"a"), None, b"{}", wire(1, b"b")], None, VALUE_HEADER)
    ((number, (group,)),) = groups.items()
    assert (number, group.indices, group.at) == (1, [0, 3], 5)
