from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline

from tests.fakes import ListSink, ListSource, batch_of
from transforms.batch.record import Span
from transforms.settle import acknowledge
from transforms.settle.acknowledge import Acknowledge
from transforms.settle.sink import Settled


class Noting:
    """Keeps the spans that it takes note of, and says when it was made and flushed."""

    def __init__(self, name: str) -> None:
        self._name = name
        CALLS.append((name, f"made in {os.getpid()}"))

    def note(self, span: Span) -> None:
        CALLS.append((self._name, span))

    def flush(self, timeout: float) -> None:
        CALLS.append((self._name, "flushed"))


CALLS: list[tuple[str, object]] = []


class Acknowledged(ListSource):
    """A source that wants to know what is settled."""

    def acknowledger(self) -> Noting:
        return Noting(self.name)


@pytest.fixture(autouse=True)
def no_calls() -> Iterator[None]:
    acknowledge.ACKNOWLEDGERS.clear()
    CALLS.clear()
    yield
    acknowledge.ACKNOWLEDGERS.clear()


def settled_of(source: str, start: int = 0) -> Settled:
    batch = batch_of(b"1", b"2", source=source, start=start)
    (settled,) = ListSink.fresh("acknowledged").commit([batch])
    return settled


def run(sources: list[ListSource], *settled: Settled) -> None:
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        pipeline | beam.Create(list(settled)) | Acknowledge(sources)


def spans(name: str) -> list[Span]:
    return [call for owner, call in CALLS if owner == name and isinstance(call, Span)]


def test_each_span_is_noted_by_the_source_that_owns_it() -> None:
    first, second = settled_of("memory://a/0"), settled_of("memory://b/0")
    run([Acknowledged("a"), Acknowledged("b")], first, second)
    assert spans("a") == [first.span]
    assert spans("b") == [second.span]


def test_a_source_that_does_not_want_to_know_is_not_told() -> None:
    run([ListSource("a"), Acknowledged("b")], settled_of("memory://a/0"))
    assert spans("a") == []
    assert spans("b") == []


def test_an_attempt_at_a_job_is_not_acknowledged_again() -> None:
    run([Acknowledged("a")], replace(settled_of("memory://a/0"), attempts=1))
    assert spans("a") == []


def test_a_process_has_one_acknowledger_for_each_source_and_flushes_it_at_the_end() -> None:
    source = Acknowledged("a")
    run([source], settled_of("memory://a/0"), settled_of("memory://a/0", start=2))
    run([source], settled_of("memory://a/0", start=4))
    assert [call for _, call in CALLS if str(call).startswith("made")] == [f"made in {os.getpid()}"]
    assert len(spans("a")) == 3
    assert CALLS[-1] == ("a", "flushed")
    acknowledge.flush()
    assert CALLS[-2:] == [("a", "flushed")] * 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_makes_its_own() -> None:
    source = Acknowledged("a")
    acknowledge.ACKNOWLEDGERS.get(source)
    child = os.fork()
    if child == 0:
        code = 2
        try:
            acknowledge.ACKNOWLEDGERS.get(source)
            code = 0 if CALLS[-1] == ("a", f"made in {os.getpid()}") else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
