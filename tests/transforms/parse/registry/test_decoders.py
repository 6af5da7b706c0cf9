from __future__ import annotations

import pytest

from tests.transforms.parse.registry.registries import Schemas
from transforms.errors import Reject, ServiceUnavailable
from transforms.parse.registry import decoders
from transforms.parse.registry.decoders import Bounds, Decoders, Refusing
from transforms.parse.registry.schema import SchemaId, UnknownSchema, Unusable, WireSchema

BOUNDS = Bounds(1_000, 10)
LONG = WireSchema("AVRO", '"long"')


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_schema_is_looked_up_once() -> None:
    schemas = Schemas({7: LONG})
    kept = Decoders(schemas, BOUNDS)
    assert not kept.has(7)
    assert kept.get(7).one(b"\2", 0) == 1
    assert kept.get(7).many([b"\2", b"\4"], 0) == [1, 2]
    assert kept.has(7)
    assert schemas.asked == [7]


def test_an_unknown_id_is_asked_for_again_after_a_while() -> None:
    by_id: dict[SchemaId, WireSchema | Exception] = {}
    schemas, clock = Schemas(by_id), Clock()
    kept = Decoders(schemas, BOUNDS, clock)
    for _ in range(3):
        with pytest.raises(UnknownSchema):
            kept.get(7)
    assert schemas.asked == [7]
    assert kept.has(7)
    clock.now += decoders.UNKNOWN_SECONDS
    by_id[7] = LONG
    assert not kept.has(7)
    assert kept.get(7).one(b"\2", 0) == 1


def test_a_registry_that_is_away_leaves_nothing_behind() -> None:
    by_id: dict[SchemaId, WireSchema | Exception] = {7: ServiceUnavailable("HTTP 503")}
    kept = Decoders(Schemas(by_id), BOUNDS)
    with pytest.raises(ServiceUnavailable):
        kept.get(7)
    by_id[7] = LONG
    assert kept.get(7).one(b"\2", 0) == 1


@pytest.mark.parametrize(
    "schema",
    [
        *(WireSchema("AVRO", "{"), WireSchema("XML", "<a/>"), WireSchema("JSON", "{")),
        Unusable("the answer is too long"),
    ],
)
def test_a_schema_that_is_of_no_use_refuses_its_messages(schema: WireSchema | Exception) -> None:
    decoder = Decoders(Schemas({7: schema}), BOUNDS).get(7)
    assert isinstance(decoder, Refusing)
    assert decoder.many([b""], 0) is None
    with pytest.raises(Reject) as caught:
        decoder.one(b"", 0)
    assert caught.value.category == "malformed"


def test_what_was_used_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MOST_SCHEMAS", 2)
    schemas = Schemas(dict.fromkeys((1, 2, 3), LONG))
    kept = Decoders(schemas, BOUNDS)
    for number in (1, 2, 1, 3, 1, 2):
        kept.get(number)
    assert schemas.asked == [1, 2, 3, 2]


def test_the_texts_of_schemas_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MOST_CHARACTERS", 25)
    long = WireSchema("AVRO", '"long"' + " " * 10)
    schemas = Schemas(dict.fromkeys((1, 2), long))
    kept = Decoders(schemas, BOUNDS)
    for number in (1, 2, 1):
        kept.get(number)
    assert schemas.asked == [1, 2, 1]


def test_json_is_checked_by_its_schema_unless_it_should_not_be() -> None:
    schemas = Schemas({7: WireSchema("JSON", '{"$ref": "a"}', (("a", '{"type": "string"}'),))})
    with pytest.raises(Reject, match="not of type"):
        Decoders(schemas, BOUNDS).get(7).one(b"1", 0)
    schemas.checks_json = False
    assert Decoders(schemas, BOUNDS).get(7).one(b"1", 0) == 1
