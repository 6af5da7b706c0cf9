"""Release only messages of the topics that are meant, not of later topics of the same name.

The client fetches by name: if a topic is deleted and created again, it silently continues at its
old offset in the new topic. So the guard keeps asking for the topics' ids while messages arrive,
and holds messages back until an answer proves that they cannot be from another topic.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from confluent_kafka import Message

from sources.kafka.cluster import Place
from sources.kafka.fetch import Fetched, Fetcher
from sources.kafka.label import id_of
from sources.kafka.partition import Partition
from transforms.background import in_background
from transforms.errors import ConfigError, SourceUnavailable
from transforms.read import drain

LEASE_SECONDS = 0.25
"""How long an answer counts: less than it takes to delete a topic, to create it again and to let
the client notice, which waits for half a second after a failed fetch (``fetch.error.backoff.ms``)."""

_MOST_HELD = 2
_PAUSE_SECONDS = 0.5
_MOST_DRAINED = 64 << 20

Ask = Callable[[Collection[str]], Mapping[str, str]]
"""Returns the present ids of topics; topics that do not exist are absent."""


@dataclass(frozen=True, slots=True)
class _Held:
    at: float
    topics: frozenset[str]
    fetched: Fetched


@dataclass(frozen=True, slots=True)
class _Question:
    at: float
    topics: frozenset[str]
    highs: Sequence[tuple[Partition, int]]
    answer: Future[Mapping[str, str]]


class Guard:
    """Takes from ``fetcher`` and holds back what may be from another topic.

    Args:
        fetcher: Fetches messages by the names of topics.
        ask: Asks for the ids of topics; called on a thread of its own.
        clock: Monotonic seconds.
    """

    def __init__(
        self, fetcher: Fetcher, ask: Ask, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher = fetcher
        self._ask = ask
        self._clock = clock
        self._partitions: dict[Place, Partition] = {}
        self._ids: dict[str, str] = {}
        self._certain_until: dict[str, float] = {}
        self._held: deque[_Held] = deque()
        self._question: _Question | None = None
        self._ask_after = 0.0
        self._doubt = False

    @property
    def doubtful(self) -> bool:
        """Whether a topic may be gone or another one: only a look at the cluster can tell."""
        return self._doubt

    def assign(self, partition: Partition) -> None:
        """Start to fetch a partition at its next offset, and keep its ``seen`` up to date."""
        self._partitions[partition.place] = partition
        self._ids[partition.topic] = id_of(partition.label)
        self._fetcher.assign(partition.place, partition.next)

    def release(self, place: Place) -> None:
        """Stop fetching a partition, and discard what is queued of it."""
        self._partitions.pop(place, None)
        self._ids = {each.topic: id_of(each.label) for each in self._partitions.values()}
        self._fetcher.release(place)

    def high(self, place: Place) -> int:
        """The end of a partition at the last fetch; negative before the first."""
        return self._fetcher.high(place)

    def attend(self) -> None:
        """Serve the client, and fetch nothing until the next ``take``."""
        self._fetcher.attend()

    def close(self) -> None:
        """Close the consumer; may be called twice."""
        self._held.clear()
        self._fetcher.close()

    def confirm(self, at: float, ids: Mapping[str, str]) -> None:
        """Accept ``ids`` from a look at the cluster that began at ``at``, in monotonic seconds."""
        self._doubt = False
        self._extend(self._same(self._ids, ids), at)

    def reopen(self) -> None:
        """Discard what is held and queued, and fetch nothing until partitions are assigned again."""
        self._held.clear()
        self._partitions, self._ids = {}, {}
        self._question = None
        self._doubt = False
        self._fetcher.reopen()

    def drain(self) -> list[Message[bytes, bytes]]:
        """All messages that are held and queued, in order, whichever topic they are from."""
        messages = [each for held in self._held for each in held.fetched.messages]
        self._held.clear()
        size = 0
        while size < _MOST_DRAINED:
            fetched = self._fetcher.take(0)
            if not fetched.messages and not fetched.ends:
                break
            messages += fetched.messages
            size += sum(map(len, filter(None, map(Message.value, fetched.messages))))
        return messages

    def take(self, timeout: float) -> Fetched:
        """What the fetcher has taken, once it is certain to be from the topics that are meant.

        Raises:
            SourceUnavailable: See ``Fetcher.take``.
        """
        if not (any(self._ids.values()) or self._held):
            return self._fetcher.take(timeout)  # brokers without ids: topics cannot be told apart
        deadline = self._clock() + timeout
        news = False
        while True:
            self._take_answer()
            released = self._released()
            if released is not None:
                released.news |= news
                return released
            if len(self._held) < _MOST_HELD and not self._doubt:
                left = 0.0 if self._held else max(0.0, deadline - self._clock())
                fetched = self._fetcher.take(left)
                if fetched.messages or fetched.ends or fetched.lost:
                    self._held.append(_Held(self._clock(), self._topics_of(fetched), fetched))
                    continue
                news |= fetched.news
                if not self._held:
                    return Fetched(news=news)
            self._ask_again()
            left = deadline - self._clock()
            if left <= 0 or self._doubt:
                return Fetched(news=news or self._doubt)
            if self._question is not None:
                wait([self._question.answer], left)
            else:
                drain.wait(min(left, 0.05))

    def _released(self) -> Fetched | None:
        """The oldest fetch held, if it is certain; asks early, so that the next need not wait."""
        if not self._held:
            return None
        first = self._held[0]
        left = min(
            (self._certain_until.get(topic, 0.0) for topic in first.topics if self._ids.get(topic)),
            default=float("inf"),
        )
        if self._doubt or first.at > left:
            return None
        if first.at > left - LEASE_SECONDS / 2:
            self._ask_again()
        return self._held.popleft().fetched

    def _ask_again(self) -> None:
        if self._question is not None or self._clock() < self._ask_after:
            return
        topics = frozenset(
            topic for held in self._held for topic in held.topics if self._ids.get(topic)
        )
        if not topics:
            return
        highs = [
            (partition, self._fetcher.high(partition.place))
            for partition in self._partitions.values()
            if partition.topic in topics
        ]
        # The time is taken first: messages taken before it are older than the answer.
        at = self._clock()
        answer = in_background(lambda: self._ask(sorted(topics)), "kafka-ids")
        self._question = _Question(at, topics, highs, answer)

    def _take_answer(self) -> None:
        """Use the answer, if it has arrived."""
        question = self._question
        if question is None or not question.answer.done():
            return
        self._question = None
        try:
            ids = question.answer.result()
        except (ConfigError, SourceUnavailable):
            # A look at the cluster fails alike, and knows how long to wait.
            self._ask_after = self._clock() + _PAUSE_SECONDS
            return
        same = self._same(question.topics, ids)
        self._doubt = self._doubt or same != question.topics
        self._extend(same, question.at)
        for partition, high in question.highs:
            if partition.topic in same:
                partition.seen = max(partition.seen, high)

    def _extend(self, topics: Collection[str], at: float) -> None:
        for topic in topics:
            until = max(self._certain_until.get(topic, 0.0), at + LEASE_SECONDS)
            self._certain_until[topic] = until

    def _same(self, topics: Iterable[str], ids: Mapping[str, str]) -> set[str]:
        """Those of ``topics`` that still have their ids, or for which there is no id (any more)."""
        return {each for each in topics if ids.get(each) in ("", self._ids.get(each))}

    def _topics_of(self, fetched: Fetched) -> frozenset[str]:
        if len(self._ids) == 1:
            return frozenset(self._ids)
        # Message.topic makes a new string each time: not called if there is only one topic.
        topics = {str(each.topic()) for each in fetched.messages}
        return frozenset(topics | {topic for topic, _ in (*fetched.ends, *fetched.lost)})
