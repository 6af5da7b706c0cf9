"""Steps with options, as ``EachRecord`` makes them, on batches that a reader has emitted."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.fakes import batch_of
from tests.transforms.steps.test_apply import odd
from tests.waiting import wait_until
from transforms.batch.backoff import Backoff, forget_outages
from transforms.batch.record import Claim, Record, RecordBatch
from transforms.errors import Reject, ServiceUnavailable, SluiceError, StepEnded
from transforms.steps import attempt as attempts
from transforms.steps import each_record as module
from transforms.steps import passage as passages
from transforms.steps import service as services
from transforms.steps.attempt import UserStep, close_steps
from transforms.steps.each_record import _EachRecordFn
from transforms.steps.passage import Passage
from transforms.steps.service import Waits
from transforms.steps.step_options import StepOptions

OPTIONS: list[dict[str, Any]] = [{}, {"concurrency": 4}, {"batch": 3}]
IDS = ["plain", "threads", "batches"]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    services.reset()
    forget_outages()
    yield
    close_steps()
    services.reset()
    forget_outages()


def numbered(count: int) -> RecordBatch:
    """A parsed batch: record i has offset 100 + i and value i."""
    batch = batch_of(*(b"%d" % i for i in range(count)), start=100, final=True)
    return replace(batch, values=list(range(count)))


@dataclass
class Reader:
    """Emits a batch to a step as ``ReadSplits`` does, and sees what comes back."""

    fn: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    waits: Waits = Waits(Backoff(0.01, 0.02), 60.0)  # noqa: RUF009 - frozen
    draining: bool = False
    parts: list[RecordBatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        fn = self.fn if self.options.get("batch") is None else in_groups(self.fn)
        self.step = UserStep(fn, "Call", StepOptions(**self.options), self.waits, str(id(self)))
        self.dofn = _EachRecordFn(self.step)
        self.dofn.setup()

    @property
    def service(self) -> services.Service:
        return services.of(self.step)

    def emit(self, batch: RecordBatch) -> int | None:
        """Returns the offset from which on it was given back."""
        passage = Passage(batch, lambda: self.draining, lambda _: None)
        passages.begin(passage)
        try:
            self.parts += self.dofn.process(batch)
        finally:
            passages.end()
        return passage.back_from

    def alone(self, batch: RecordBatch) -> list[RecordBatch]:
        """What the step makes of a batch where no reader waits on its thread."""
        return list(self.dofn.process(batch))

    def values(self) -> list[Any]:
        return [value for part in self.parts for value in part.values or ()]


def in_groups(fn: Callable[[Record], Any]) -> Callable[[list[Record]], list[Any]]:
    """The same step for lists of records; what it raises for one goes for all of them."""

    def of_many(records: list[Record]) -> list[Any]:
        return [fn(record) for record in records]

    return of_many


@pytest.mark.parametrize("options", [{}, {"concurrency": 4}], ids=["plain", "threads"])
def test_each_outcome_goes_where_it_belongs_however_calls_are_made(options: Any) -> None:
    reader = Reader(odd, options)
    assert reader.emit(numbered(9)) is None
    (part,) = reader.parts
    assert part.values == [0, 4, 8, 12, 16]
    assert part.filtered == (105,)
    assert [(f.origin.offset, f.category, f.transient) for f in part.failures] == [
        *((101, "oddity", False), (103, "retry_later", True), (107, "exception", False)),
    ]
    assert (part.read, part.span) == (9, numbered(9).span)


class Refused(ConnectionRefusedError):
    """Unlike its base class, weak references to it can be made."""


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
def test_what_says_that_a_service_is_away_is_let_go_at_once(options: Any) -> None:
    """Such an error may hold a connection, which nothing closes before the error is gone."""
    raised: list[weakref.ref[Refused]] = []

    def fails(value: Any) -> None:
        failure = Refused(f"at {value}")
        raised.append(weakref.ref(failure))
        try:
            raise failure
        finally:
            del failure  # otherwise this very frame would keep it

    reader = Reader(fails, options)
    gc.disable()
    try:
        reader.emit(numbered(7))
        close_steps()
        assert raised
        wait_until(lambda: not any(reference() for reference in raised), "the errors are gone")
    finally:
        gc.enable()


def test_an_async_function_is_awaited() -> None:
    async def awaited(record: Record) -> Record | None:
        await asyncio.sleep(0)
        return odd(record)

    reader = Reader(awaited, {"concurrency": 4})
    reader.emit(numbered(9))
    assert reader.values() == [0, 4, 8, 12, 16]


def test_an_async_function_needs_no_option() -> None:
    async def awaited(record: Record) -> Record | None:
        return odd(record)

    reader = Reader(awaited)
    reader.emit(numbered(9))
    assert reader.values() == [0, 4, 8, 12, 16]


def test_results_are_in_the_order_of_the_records_whatever_order_they_come_in() -> None:
    turns = threading.Condition()
    ended: list[int] = []

    def last_first(record: Record) -> Record:
        with turns:
            assert turns.wait_for(lambda: len(ended) == 3 - record.value, 60)
            ended.append(record.value)
            turns.notify_all()
        return record

    reader = Reader(last_first, {"concurrency": 4})
    reader.emit(numbered(4))
    assert ended == [3, 2, 1, 0]
    assert reader.values() == [0, 1, 2, 3]


class TestGroups:
    def test_one_bad_record_does_not_take_its_group_down(self) -> None:
        reader = Reader(odd, {"batch": 9})
        reader.emit(numbered(9))
        (part,) = reader.parts
        assert part.values == [0, 4, 8, 12, 16]
        assert len(part.failures) == 3

    def test_a_result_may_be_an_exception(self) -> None:
        def many(records: list[Record]) -> list[Any]:
            return [Reject("no") if r.value == 1 else r for r in records]

        reader = Reader(odd, {"batch": 4})
        reader.dofn = _EachRecordFn(
            UserStep(many, "Call", StepOptions(batch=4), reader.waits, "other")
        )
        reader.emit(numbered(4))
        assert reader.values() == [0, 2, 3]
        assert [f.exception for f in reader.parts[0].failures] == ["Reject"]

    @pytest.mark.parametrize("result", [[1, 2], None, "abc"])
    def test_it_must_return_one_result_for_each(self, result: Any) -> None:
        step = UserStep(lambda _: result, "Call", StepOptions(batch=3), Waits(), "wrong")
        (part,) = _EachRecordFn(step).process(numbered(3))
        assert [failure.exception for failure in part.failures] == ["TypeError"] * 3
        assert "for 3 records" in part.failures[0].message


class TestClient:
    def test_it_is_made_once_in_a_process_and_closed_at_the_end(self) -> None:
        clients: list[object] = []
        closed: list[object] = []

        def connect() -> object:
            clients.append(object())
            return clients[-1]

        def call(record: Record, client: object) -> Record:
            assert client is clients[0]
            return record

        reader = Reader(call, {"setup": connect, "teardown": closed.append, "concurrency": 2})
        reader.emit(numbered(5))
        again = pickle.loads(pickle.dumps(reader.step.token))
        assert replace(reader.step, token=again) == reader.step, "a copy is the same step"
        reader.emit(numbered(5))
        assert (len(clients), closed) == (1, [])
        close_steps()
        assert closed == clients

    def test_a_client_that_cannot_be_made_ends_the_run(self) -> None:
        reader = Reader(lambda record, client: record, {"setup": lambda: 1 / 0})
        with pytest.raises(SluiceError, match=r"setup of step 'Call' failed: ZeroDivisionError: "):
            reader.emit(numbered(1))

    def test_one_that_cannot_connect_is_an_outage(self) -> None:
        def connect() -> object:
            raise ConnectionRefusedError

        reader = Reader(lambda record, client: record, {"setup": connect})
        assert reader.emit(numbered(3)) == 100
        assert reader.service.trying
        assert reader.parts == []


class Away:
    """A service that is away from one record on, until it is back."""

    def __init__(self, since: int, error: Exception | None = None) -> None:
        self.since = since
        self.error = error or ConnectionRefusedError()
        self.back = False
        self.calls = 0

    def __call__(self, record: Record) -> Record:
        self.calls += 1
        if record.value >= self.since and not self.back:
            raise self.error
        return record


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
class TestOutage:
    def test_what_it_answered_is_settled_and_the_rest_given_back(self, options: Any) -> None:
        reader = Reader(Away(6), options)
        assert reader.emit(numbered(9)) == 106
        (part,) = reader.parts
        assert (part.values, part.span.start, part.span.end) == ([0, 1, 2, 3, 4, 5], 100, 106)
        assert (part.failures, part.span.final) == ((), False)
        assert reader.service.trying

    def test_where_it_answered_nothing_nothing_is_settled(self, options: Any) -> None:
        reader = Reader(Away(0, ServiceUnavailable("closed")), options)
        assert reader.emit(numbered(9)) == 100
        assert reader.parts == []

    def test_jobs_are_given_back_as_a_whole(self, options: Any) -> None:
        reader = Reader(Away(6), options)
        jobs = replace(numbered(9), claim=Claim("a", {}, "p"))
        assert reader.emit(jobs) == 100
        assert reader.parts == []

    def test_without_a_reader_it_is_waited_for_in_place(self, options: Any) -> None:
        away = Away(6)
        reader = Reader(away, options)

        def come_back() -> None:
            while not reader.service.trying:
                time.sleep(0.001)
            away.back = True

        thread = threading.Thread(target=come_back)
        thread.start()
        parts = reader.alone(numbered(9))
        thread.join()
        assert [value for part in parts for value in part.values or ()] == list(range(9))
        assert [(part.span.start, part.span.end) for part in parts] == [(100, 106), (106, 109)]
        assert not reader.service.trying

    def test_after_the_budget_the_run_ends(self, options: Any) -> None:
        reader = Reader(Away(0), options, waits=Waits(Backoff(0.001, 0.001), 0.01))
        with pytest.raises(ServiceUnavailable, match=r"step 'Call' has been away .*Refused"):
            reader.alone(numbered(9))


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
class TestTimeouts:
    def test_one_is_tried_again_as_a_job(self, options: Any) -> None:
        reader = Reader(Away(8, TimeoutError("slow")), options)
        assert reader.emit(numbered(9)) is None
        late = [f for part in reader.parts for f in part.failures]
        assert {f.origin.offset for f in late} >= {108}
        assert {(f.category, f.transient) for f in late} == {("timeout", True)}

    def test_twenty_in_a_row_are_an_outage_that_no_record_is_blamed_for(self, options: Any) -> None:
        reader = Reader(Away(6, TimeoutError("slow")), options)
        back_from = reader.emit(numbered(100))
        assert reader.service.trying
        late = [f.origin.offset for part in reader.parts for f in part.failures]
        assert back_from is not None
        assert len(late) < services.TIMEOUTS
        assert all(offset < back_from for offset in late)
        assert reader.values() == list(range(6))


def test_a_server_error_is_tried_again_as_a_job() -> None:
    class Broken(Exception):
        status = 500

    reader = Reader(Away(2, Broken("no")))
    reader.emit(numbered(3))
    (failure,) = reader.parts[0].failures
    assert (failure.category, failure.transient) == ("service_error", True)


@pytest.mark.parametrize(
    "options", [{}, {"concurrency": 1, "timeout": 60}], ids=["plain", "thread"]
)
class TestTime:
    def test_a_batch_is_given_back_once_its_time_is_up(
        self, options: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in (module, attempts):
            monkeypatch.setattr(place, "SECONDS", 0.0)
        reader = Reader(lambda record: record, options)
        back_from = reader.emit(numbered(9))
        assert back_from is not None
        assert 100 < back_from < 109, "something is done each time"
        assert reader.values() == list(range(back_from - 100))

    def test_the_records_of_one_message_stay_together(
        self, options: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in (module, attempts):
            monkeypatch.setattr(place, "SECONDS", 0.0)
        batch = replace(
            numbered(6), offsets=[100, 100, 100, 101, 101, 102], elements=[0, 1, 2, 0, 1, 0]
        )
        reader = Reader(lambda record: record, options)
        assert reader.emit(batch) == 101
        assert reader.values() == [0, 1, 2]


def test_a_drain_waits_for_calls_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_GRACE_SECONDS", 0.0)
    gate = threading.Event()
    reader = Reader(lambda record: record, {"concurrency": 2})

    def hang(record: Record) -> Record:
        if record.value == 1:
            reader.draining = True
            gate.wait(60)
        return record

    reader.dofn = _EachRecordFn(
        UserStep(hang, "Call", StepOptions(concurrency=2), reader.waits, "hang")
    )
    assert reader.emit(numbered(9)) == 101
    gate.set()
    assert reader.values() == [0]


def test_a_step_that_ends_the_program_is_named() -> None:
    def leave(record: Record) -> Record:
        raise SystemExit(3)

    with pytest.raises(StepEnded, match=r"step 'Call' called sys.exit\(3\) at offset 100"):
        Reader(leave, {"concurrency": 2}).emit(numbered(3))
