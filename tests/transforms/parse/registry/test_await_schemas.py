from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.transforms.parse.registry.registries import Schemas
from transforms.batch.backoff import Backoff, forget_outages
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.errors import ServiceUnavailable, SourceRefused
from transforms.parse.registry.await_schemas import Registry, _AwaitFn
from transforms.parse.registry.decoders import Bounds
from transforms.parse.registry.schema import SchemaId, WireSchema
from transforms.steps import passage as passages
from transforms.steps import service as services
from transforms.steps.passage import Passage
from transforms.steps.service import Waits

LONG = WireSchema("AVRO", '"long"')
AWAY = ServiceUnavailable("HTTP 503")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    services.reset()
    yield
    services.reset()
    passages.end()
    forget_outages()


def batch(*numbers: int, keys: Sequence[bytes | None] | None = None) -> RecordBatch:
    raws = [b"\0" + number.to_bytes(4, "big") for number in numbers]
    return RecordBatch(
        Span("kafka://t", "0", 10, 10 + len(raws)),
        JSON,
        [*range(10, 10 + len(raws))],
        raws,
        keys=keys,
    )


def awaiting(
    by_id: dict[SchemaId, WireSchema | Exception], *, keys: bool = False, budget: float = 60.0
) -> tuple[_AwaitFn, Schemas, Registry]:
    schemas = Schemas(by_id)
    waits = Waits(Backoff(0.001, 0.002), budget)
    registry = Registry(schemas, Bounds(1_000, 10), waits, keys)
    step = _AwaitFn(registry)
    step.setup()
    return step, schemas, registry


def held(of: RecordBatch) -> Passage:
    passage = Passage(of, lambda: False, lambda _: None)
    passages.begin(passage)
    return passage


def test_a_batch_passes_whole_and_each_schema_is_looked_up_once() -> None:
    step, schemas, _ = awaiting({1: LONG, 2: LONG})
    whole = batch(1, 2, 1)
    assert step.process(whole) == (whole,)
    assert step.process(whole) == (whole,)
    assert schemas.asked == [1, 2]


def test_what_the_registry_does_not_have_holds_up_nothing() -> None:
    step, _, registry = awaiting({1: LONG})
    whole = batch(1, 9)
    assert step.process(whole) == (whole,)
    assert not services.of(registry).trying


def test_while_it_is_away_the_rest_is_given_back() -> None:
    by_id: dict[SchemaId, WireSchema | Exception] = {1: LONG, 2: AWAY}
    step, _, registry = awaiting(by_id)
    whole = batch(1, 1, 2, 1)
    passage = held(whole)
    (part,) = step.process(whole)
    assert (part.offsets, part.span.end) == ([10, 11], 12)
    assert passage.back_from == 12
    assert services.of(registry).trying
    assert services.allowance() == 1
    by_id[2] = LONG
    rest = batch(1, 1, 2, 1)
    held(rest)
    assert step.process(rest) == (rest,)
    assert not services.of(registry).trying


def test_a_batch_that_needs_no_look_up_does_not_end_the_outage() -> None:
    step, _, registry = awaiting({1: LONG, 2: AWAY})
    held(first := batch(1, 2))
    step.process(first)
    held(second := batch(1))
    assert step.process(second) == (second,)
    assert services.of(registry).trying


def test_nothing_is_taken_where_the_first_message_waits() -> None:
    step, _, _ = awaiting({1: AWAY})
    passage = held(whole := batch(1, 1))
    assert step.process(whole) == ()
    assert passage.back_from == 10


def test_where_no_reader_holds_the_batch_it_waits_itself() -> None:
    class Back(dict[SchemaId, WireSchema | Exception]):
        tries = 0

        def get(self, key: SchemaId, default: object = None) -> WireSchema | Exception:
            self.tries += 1
            return AWAY if self.tries < 4 else LONG

    by_id = Back()
    step, _, _ = awaiting(by_id)
    whole = batch(1)
    assert [part.offsets for part in step.process(whole)] == [[10]]
    assert by_id.tries == 4


def test_an_outage_beyond_the_budget_ends_the_run() -> None:
    step, _, _ = awaiting({1: AWAY}, budget=0.01)
    with pytest.raises(ServiceUnavailable, match=r"schema registry.*HTTP 503"):
        step.process(batch(1))


def test_a_refusal_of_the_credentials_ends_the_run() -> None:
    step, _, _ = awaiting({1: SourceRefused("HTTP 401")})
    with pytest.raises(SourceRefused):
        step.process(batch(1))


def test_schemas_of_keys_are_awaited_where_keys_are_decoded() -> None:
    keys = [b"\0\0\0\0\7x", None]
    for wanted, asked in ((True, [1, 7]), (False, [1])):
        step, schemas, _ = awaiting({1: LONG, 7: LONG}, keys=wanted)
        step.process(batch(1, 1, keys=keys))
        assert schemas.asked == asked


def test_the_registry_does_not_limit_batches() -> None:
    awaiting({})
    allowance = services.allowance()
    assert allowance is not None
    assert allowance > 100_000
