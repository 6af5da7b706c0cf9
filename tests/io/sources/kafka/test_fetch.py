"""What each error of the client library means to a reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message

from clients.kafka.errors import BROKEN, GONE, LOST, REFUSED, refusal
from sources.kafka.fetch import Fetched, Fetcher
from transforms.batch.splits import BatchLimits
from transforms.errors import SourceUnavailable

DOCS = Path(__file__).parents[4] / "docs" / "failures.md"
PLACE = ("t", 1)


def names(codes: frozenset[int]) -> list[str]:
    return sorted(KafkaError(code).name() for code in codes)


class Queue:
    """Stands for a consumer whose queue has these messages: its errors come from a cluster."""

    def __init__(self, *messages: Message[bytes, bytes]) -> None:
        self._messages = list(messages)
        self.calls: list[str] = []

    def assignment(self) -> list[object]:
        return []

    def pause(self, partitions: list[object]) -> None:
        self.calls.append("pause")

    def resume(self, partitions: list[object]) -> None:
        self.calls.append("resume")

    def consume(self, count: int, timeout: float) -> list[Message[bytes, bytes]]:
        taken, self._messages = self._messages[:count], self._messages[count:]
        return taken


def take(error: KafkaError, group: str | None = None, beside: bytes = b"good") -> Fetched:
    good = Message(topic="t", partition=2, offset=7, value=beside)
    bad = Message(topic="t", partition=1, offset=0, value=b"", error=error)
    queue = Queue(good, bad)
    return Fetcher(lambda report: queue, BatchLimits(), group).take(0)  # type: ignore[arg-type,return-value]


def code_of(name: str) -> int:
    return int(getattr(KafkaError, name))


@pytest.mark.parametrize("name", names(REFUSED))
def test_a_refusal_fails_the_read(name: str) -> None:
    with pytest.raises(SourceUnavailable, match=rf"cannot read t: .*\({name}\)"):
        take(KafkaError(code_of(name)), group="g")


def test_a_refused_group_does_not_matter_where_none_is_used() -> None:
    error = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    assert refusal(error, None) is None
    assert refusal(error, "g") is not None
    assert [each.value() for each in take(error, group=None).messages] == [b"good"]


@pytest.mark.parametrize("name", names(BROKEN))
def test_a_broken_log_fails_the_read(name: str) -> None:
    with pytest.raises(SourceUnavailable, match=rf"cannot read t/1: .*\({name}\)"):
        take(KafkaError(code_of(name)))


def test_an_error_that_is_fatal_to_the_client_fails_the_read() -> None:
    with pytest.raises(SourceUnavailable, match="cannot read t/1"):
        take(KafkaError(KafkaError._FATAL, "fenced", fatal=True))


@pytest.mark.parametrize("name", names(LOST))
def test_a_lost_offset_names_its_partition(name: str) -> None:
    fetched = take(KafkaError(code_of(name)))
    assert (fetched.lost, fetched.news) == ([PLACE], True)
    assert [each.value() for each in fetched.messages] == [b"good"]


@pytest.mark.parametrize("name", names(GONE))
def test_a_topic_that_is_gone_is_looked_for_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.read.drain.wait", pytest.fail)
    fetched = take(KafkaError(code_of(name)))
    assert (fetched.lost, fetched.news) == ([], True)
    assert [each.value() for each in fetched.messages] == [b"good"]


@pytest.mark.parametrize("name", ["_ALL_BROKERS_DOWN", "_TRANSPORT", "LEADER_NOT_AVAILABLE"])
def test_any_other_error_is_waited_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("transforms.read.drain.wait", waits.append)
    fetched = take(KafkaError(code_of(name)))
    assert (fetched.lost, fetched.news) == ([], True)
    assert len(waits) == 1
    assert 0 < waits[0] <= 1
    assert [each.value() for each in fetched.messages] == [b"good"]


def test_the_end_of_a_partition_is_not_an_error() -> None:
    assert take(KafkaError(KafkaError._PARTITION_EOF)).ends == {PLACE: 0}


def test_no_code_has_two_meanings() -> None:
    every = [*REFUSED, *GONE, *LOST, *BROKEN]
    assert len(every) == len(set(every))


def test_every_code_is_in_the_docs() -> None:
    named = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    assert {*names(REFUSED), *names(GONE), *names(LOST), *names(BROKEN)} <= named


def test_a_client_that_is_attended_is_paused_once_and_loses_nothing() -> None:
    messages = [Message(topic="t", partition=1, offset=n, value=b"%d" % n) for n in range(4)]
    queue = Queue(*messages)
    fetcher = Fetcher(lambda report: queue, BatchLimits(), None)  # type: ignore[arg-type,return-value]
    for _ in range(2):
        fetcher.attend()
    assert [each.offset() for each in fetcher.take(0).messages] == [0, 1, 2, 3]
    fetcher.attend()
    assert queue.calls == ["pause", "resume", "pause"]
