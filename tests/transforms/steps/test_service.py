from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from transforms.batch.backoff import Backoff, forget_outages, services_away
from transforms.batch.divide import divided
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.errors import ServiceUnavailable
from transforms.steps import passage as passages
from transforms.steps import service as services
from transforms.steps.passage import Passage
from transforms.steps.service import PROBE, TIMEOUTS, Service, Taken, Waits, parts_taken


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class OneStep:
    name: str

    def service(self) -> Service:
        return Service(self.name, Waits())


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    services.reset()
    forget_outages()
    yield
    services.reset()
    forget_outages()


def of(clock: Clock, budget: float = 60.0) -> Service:
    return Service("Call", Waits(Backoff(1.0, 8.0), budget), clock)


class TestOutage:
    def test_nobody_calls_before_the_wait_is_over_and_then_one_alone(self) -> None:
        clock = Clock()
        service = of(clock)
        assert service.take_turn() == 0.0
        wait = service.away("refused")
        assert 0.5 <= wait <= 1.0
        assert service.take_turn() == pytest.approx(wait)
        clock.now += wait
        assert service.take_turn() == 0.0
        assert service.take_turn() > 0.0, "another has the turn"

    def test_waits_grow_and_the_budget_ends_them(self) -> None:
        clock = Clock()
        service = of(clock, budget=30.0)
        waits: list[float] = []

        def wait_again_and_again() -> None:
            while True:
                waits.append(service.away("refused"))
                clock.now += waits[-1]

        with pytest.raises(ServiceUnavailable, match=r"'Call' has been away for \d+ s \(refused\)"):
            wait_again_and_again()
        assert sum(waits) == pytest.approx(30.0)
        assert max(waits) > 4.0
        assert max(waits) <= 8.0
        assert len(waits) < 15

    def test_calls_of_the_same_moment_count_as_one_try(self) -> None:
        clock = Clock()
        service = of(clock)
        first = service.away("refused")
        clock.now += 0.1
        assert service.away("refused") == pytest.approx(first - 0.1)

    def test_a_turn_that_nobody_uses_goes_on(self) -> None:
        clock = Clock()
        service = of(clock)
        clock.now += service.away("refused")
        assert service.take_turn() == 0.0
        service.leave_turn()
        assert service.take_turn() == 0.0

    def test_an_answer_ends_it(self) -> None:
        clock = Clock()
        service = of(clock)
        service.away("refused")
        assert services_away()
        service.answered()
        assert (service.take_turn(), service.trying, services_away()) == (0.0, False, {})

    def test_during_it_a_batch_has_one_record(self) -> None:
        service = of(Clock())
        service.took(5_000, 0.01)
        service.away("refused")
        assert service.allowance == 1
        service.answered()
        assert service.allowance > 1


class TestTimeouts:
    def test_twenty_in_a_row_mean_that_it_is_away(self) -> None:
        service = of(Clock())
        for _ in range(TIMEOUTS - 1):
            service.answered(in_time=False)
        assert not service.silent
        service.answered(in_time=False)
        assert service.silent

    def test_an_answer_between_them_begins_the_count_anew(self) -> None:
        service = of(Clock())
        for _ in range(3 * TIMEOUTS):
            service.answered(in_time=False)
            service.answered()
        assert not service.silent


class TestAllowance:
    def test_a_batch_has_as_many_records_as_fit_two_seconds(self) -> None:
        service = of(Clock())
        assert service.allowance == PROBE
        service.took(32, 3.2)
        assert service.allowance == 20
        service.took(20, 40.0)
        assert service.allowance == 1

    def test_a_fast_step_has_whole_batches_soon(self) -> None:
        service = of(Clock())
        records = []
        while service.allowance < 5_000:
            records.append(service.allowance)
            service.took(service.allowance, 1e-5 * service.allowance)
        assert len(records) <= 3

    def test_what_calls_side_by_side_can_take_counts_before_it_is_seen(self) -> None:
        service = of(Clock())
        service.took(1, 1.0, capacity=400)
        assert service.allowance == 400

    def test_the_slowest_step_decides(self) -> None:
        assert services.allowance() is None
        services.of(OneStep("A")).took(32, 3.2)
        services.of(OneStep("B")).took(32, 0.1)
        assert services.allowance() == 20


def test_a_service_that_is_away_holds_all_readers_of_the_process() -> None:
    away, fine = services.of(OneStep("A")), services.of(OneStep("B"))
    assert services.turn() == 0.0
    away.away("refused")
    assert services.turn() > 0.0
    assert services.is_away()
    away.answered()
    assert services.turn() == 0.0
    assert fine.take_turn() == 0.0


BATCH = RecordBatch(Span("kafka://t", "0", 0, 4), JSON, [0, 1, 2, 3], [b"{}"] * 4)


def calling(budget: float = 60.0) -> Service:
    return Service("s", Waits(Backoff(0.001, 0.002), budget))


def test_all_is_taken() -> None:
    assert list(parts_taken(BATCH, calling(), lambda batch, _: Taken(batch))) == [BATCH]


def test_the_rest_goes_back_to_the_reader() -> None:
    passages.begin(passage := Passage(BATCH, lambda: False, lambda _: None))
    away = calling()
    take = lambda batch, _: Taken(divided(batch, 2)[0], 2, "HTTP 503")
    try:
        (part,) = parts_taken(BATCH, away, take)
    finally:
        passages.end()
    assert (part.offsets, passage.back_from, away.trying) == ([0, 1], 2, True)


def test_without_a_reader_it_goes_on_by_itself() -> None:
    seen: list[list[int]] = []

    def take(batch: RecordBatch, _: Passage | None) -> Taken:
        seen.append(list(batch.offsets))
        first = batch.offsets[0]
        if len(seen) == 2:
            return Taken(None, first, "HTTP 503")
        return Taken(divided(batch, first + 2)[0], first + 2) if first == 0 else Taken(batch)

    parts = list(parts_taken(BATCH, calling(), take))
    assert [part.offsets for part in parts] == [[0, 1], [2, 3]]
    assert seen == [[0, 1, 2, 3], [2, 3], [2, 3]]


def test_an_outage_ends_with_its_budget() -> None:
    with pytest.raises(ServiceUnavailable):
        list(parts_taken(BATCH, calling(0.01), lambda _, __: Taken(None, 0, "HTTP 503")))
