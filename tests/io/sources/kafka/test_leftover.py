"""Which messages are from a topic as it was before it was deleted."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import pytest
from confluent_kafka import Message

from sources.kafka.cluster import Cluster, Fingerprint, Place, fingerprint
from sources.kafka.leftover import messages_of_old_topic
from sources.kafka.partition import Partition
from tests.io.sources.kafka.messages.test_batches import message
from transforms.errors import SourceUnavailable


class Answers:
    """A cluster whose topic ``t``, if it exists, has these messages now."""

    def __init__(self, *messages: Message[bytes, bytes], exists: bool = True) -> None:
        self.messages = messages
        self.exists = exists
        self.away = False

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        if self.away:
            raise SourceUnavailable("no answer")
        return {"t": "new"} if self.exists else {}

    def records(self, place: Place, start: int, end: int) -> dict[int, Fingerprint]:
        assert place == ("t", 1)
        by_offset = {int(each.offset() or 0): fingerprint(each) for each in self.messages}
        return {offset: text for offset, text in by_offset.items() if start <= offset < end}


def old_offsets(cluster: Answers, *messages: Message[bytes, bytes], at: int = 0) -> list[int]:
    partition = Partition("t", 1, "1@old", at)
    old = messages_of_old_topic(cast("Cluster", cluster), partition, messages)
    return [int(each.offset() or 0) for each in old]


FETCHED = [message(offset, b"%d" % offset) for offset in (4, 5, 6)]


def test_all_are_if_there_is_no_topic_now() -> None:
    assert old_offsets(Answers(*FETCHED, exists=False), *FETCHED) == [4, 5, 6]


def test_all_are_if_the_new_topic_has_others() -> None:
    others = [message(offset, b"other") for offset in (4, 5, 6)]
    assert old_offsets(Answers(*others), *FETCHED) == [4, 5, 6]


def test_from_the_first_that_the_new_topic_has_none_is() -> None:
    assert old_offsets(Answers(*FETCHED[1:]), *FETCHED) == [4]
    assert old_offsets(Answers(*FETCHED), *FETCHED) == []


def test_what_was_given_out_already_is_left_out() -> None:
    assert old_offsets(Answers(exists=False), *FETCHED, at=6) == [6]
    assert old_offsets(Answers(exists=False), *FETCHED, at=7) == []


def test_none_is_used_while_nobody_answers_and_that_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Answers(exists=False)
    cluster.away = True
    assert old_offsets(cluster, *FETCHED) == []
    assert (
        "messages of t/1 that were fetched before it was deleted are not used: no answer"
        in caplog.text
    )
