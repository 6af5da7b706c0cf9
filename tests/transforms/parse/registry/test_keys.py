from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.transforms.parse.registry.registries import Schemas
from transforms.batch.coders import RecordBatchCoder
from transforms.batch.pieces import RECORDS, in_pieces
from transforms.batch.record import JSON, Headers, RecordBatch, Span
from transforms.errors import ServiceUnavailable
from transforms.mapping.map import Mapper
from transforms.mapping.mapping import Mapping
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.registry.decoders import Bounds, Decoders
from transforms.parse.registry.keys import with_key_values
from transforms.parse.registry.schema import WireSchema
from transforms.parse.registry.wire import KEY_HEADER
from transforms.route.conditions.columns import Columns
from transforms.route.conditions.condition import Subject

RECORD = '{"type": "record", "name": "K", "fields": [{"name": "id", "type": "long"}]}'
SCHEMAS = Schemas({1: WireSchema("AVRO", RECORD), 2: WireSchema("AVRO", '"string"')})
KEYS = [b"\0\0\0\0\1\6", b"plain", None, b"\0\0\0\0\2\4ab", b"\0\0\0\0\0\0\0\7", b"\0\0\0\0\1\6\6"]
DECODED = [{"id": 3}, b"plain", None, "ab", b"\0\0\0\0\0\0\0\7", b"\0\0\0\0\1\6\6"]


def batch(
    keys: Sequence[bytes | None] | None, headers: Sequence[Headers] | None = None
) -> RecordBatch:
    count = len(keys or [None])
    span = Span("kafka://t", "0", 0, count)
    return RecordBatch(span, JSON, [*range(count)], [b"{}"] * count, keys=keys, headers=headers)


def decoded(of: RecordBatch) -> RecordBatch:
    return with_key_values(of, Decoders(SCHEMAS, Bounds(1_000, 10)))


def test_keys_that_name_a_schema_are_decoded_and_others_stay() -> None:
    result = decoded(batch(KEYS))
    assert result.key_values == DECODED
    assert result.keys == KEYS
    assert decoded(batch(None)).key_values is None


def test_the_header_of_keys_names_their_schema() -> None:
    headers: list[Headers] = [((KEY_HEADER, b"\0\0\0\0\2"),)]
    assert decoded(batch([b"\4ab"], headers)).key_values == ["ab"]


def test_a_registry_that_is_away_is_not_passed_over() -> None:
    away = Decoders(Schemas({1: ServiceUnavailable("HTTP 503")}), Bounds(1_000, 10))
    with pytest.raises(ServiceUnavailable):
        with_key_values(batch(KEYS), away)


def test_they_travel_with_their_records() -> None:
    whole = decoded(batch(KEYS))
    coder = RecordBatchCoder()
    assert coder.decode(coder.encode(whole)) == whole
    assert whole.keep([0, 3], None).key_values == [{"id": 3}, "ab"]
    assert whole.with_values([1] * 6).key_values == DECODED


def test_a_batch_in_pieces_has_them_all() -> None:
    keys = [b"\0\0\0\0\1\6"] * (RECORDS + 5)
    config = ParseConfig(schemas=SCHEMAS, keys=True)
    result = in_pieces(batch(keys), lambda piece: parse(piece, config))
    assert result.key_values == [{"id": 3}] * len(keys)
    assert parse(batch(keys), replace(config, keys=False)).key_values is None


def test_mappings_and_routes_see_them() -> None:
    whole = decoded(batch(KEYS[:4])).with_values([{} for _ in range(4)])
    mapped = Mapper(Mapping.of([{"set": {"k": "@key"}}])).map(whole)
    assert [value["k"] for value in mapped.values or ()] == [{"id": 3}, "plain", None, "ab"]
    assert Columns(whole).of(Subject("key"))[0] == {"id": 3}
    assert Columns(whole).of(Subject("key"))[3] == "ab"
