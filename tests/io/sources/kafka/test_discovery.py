from __future__ import annotations

import pytest

from sources.kafka.cluster import Topics
from sources.kafka.discovery import Discovery
from sources.kafka.starts import Look
from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError, SinkUnavailable, SourceUnavailable

LOOK = Look(Topics({}))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def discovery(clock: Clock) -> Discovery[Look]:
    return Discovery(10.0, 300.0, Backoff(base=2.0, cap=8.0), clock)


def launch(discovery: Discovery[Look], error: BaseException | None = None) -> Look | None:
    def look() -> Look:
        if error is not None:
            raise error
        return LOOK

    assert discovery.due()
    discovery.launch(look)
    return discovery.take(5.0)


class TestDiscovery:
    def test_it_looks_at_once_and_then_at_the_interval(
        self, discovery: Discovery[Look], clock: Clock
    ) -> None:
        assert launch(discovery) is LOOK
        clock.now = 9.9
        assert not discovery.due()
        clock.now = 10.0
        assert discovery.due()

    def test_a_result_is_taken_once(self, discovery: Discovery[Look]) -> None:
        assert launch(discovery) is LOOK
        assert discovery.take() is None

    def test_it_looks_at_once_when_something_has_happened(self, discovery: Discovery[Look]) -> None:
        launch(discovery)
        discovery.soon()
        assert discovery.due()

    def test_while_nobody_answers_it_backs_off_and_cannot_be_hurried(
        self, discovery: Discovery[Look], clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert launch(discovery, SourceUnavailable("no answer from a:1")) is None
        assert "no answer from a:1" in caplog.text
        discovery.soon()
        assert not discovery.due()
        clock.now = 0.99
        assert not discovery.due(), "half of the base at least"
        clock.now = 2.0
        assert launch(discovery, SourceUnavailable("again")) is None
        clock.now = 2.0 + 1.99
        assert not discovery.due(), "twice as long"
        clock.now = 2.0 + 4.0
        assert discovery.due()

    def test_an_answer_ends_the_outage(self, discovery: Discovery[Look], clock: Clock) -> None:
        launch(discovery, SourceUnavailable("x"))
        clock.now = 299
        assert launch(discovery) is LOOK
        clock.now = 400
        assert launch(discovery, SourceUnavailable("x")) is None, "a new outage, a new budget"

    @pytest.mark.parametrize("error", [SourceUnavailable("brokers"), SinkUnavailable("ledger")])
    def test_it_gives_up_after_the_budget(
        self, discovery: Discovery[Look], clock: Clock, error: Exception
    ) -> None:
        launch(discovery, error)
        clock.now = 301
        with pytest.raises(type(error), match=rf"^{error} \(waited 301 s\)$"):
            launch(discovery, error)

    def test_a_refusal_is_not_waited_for(self, discovery: Discovery[Look]) -> None:
        with pytest.raises(SourceUnavailable, match="not allowed"):
            launch(discovery, ConfigError("not allowed"))

    def test_a_defect_is_raised(self, discovery: Discovery[Look]) -> None:
        with pytest.raises(ZeroDivisionError):
            launch(discovery, ZeroDivisionError())
