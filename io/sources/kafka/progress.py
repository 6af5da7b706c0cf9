"""How far a group is settled: contiguous ranges of its partitions, committed in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sources.kafka.cluster import Place
from sources.kafka.label import number_of
from transforms.batch.backoff import Backoff
from transforms.batch.coverage import Ledger, Range, merge
from transforms.batch.record import Span
from transforms.errors import ConfigError, SluiceError, SourceUnavailable

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
FOLLOW_SECONDS = 60.0

Commit = Callable[[Mapping[Place, int]], None]
"""Commits offsets and waits for the answer; raises ConfigError or SourceUnavailable."""


@dataclass(slots=True)
class Progress:
    """How far partitions are settled without a gap, from where this process began.

    A range waits until everything below it has arrived: no offset above something unsettled
    is ever committed.
    """

    _labels: dict[Place, str] = field(default_factory=dict)
    _retired: set[tuple[Place, str]] = field(default_factory=set)
    _ranges: dict[Place, tuple[Range, ...]] = field(default_factory=dict)
    _committed: dict[Place, int] = field(default_factory=dict)

    def note(self, span: Span) -> None:
        """Add a settled range of a topic."""
        if span.final:
            return  # the end of a topic that is gone: the group's offset is for the new one
        place = (span.source.removeprefix("kafka://"), number_of(span.partition))
        if (place, span.partition) in self._retired:
            return
        before = self._labels.get(place)
        if before != span.partition:
            # The topic was created again: its offsets begin at 0 again.
            if before is not None:
                self._retired.add((place, before))
            self._labels[place] = span.partition
            self._ranges[place] = ()
            self._committed.pop(place, None)
        self._ranges[place] = merge([*self._ranges[place], (span.start, span.end)])

    def pending(self) -> dict[Place, int]:
        """The offsets that have moved on since they were committed."""
        return {
            place: ranges[0][1]
            for place, ranges in self._ranges.items()
            if ranges and self._committed.get(place) != ranges[0][1]
        }

    def renew(self, span: Span) -> None:
        """Add a settled range of a topic, and commit its partition again: groups forget offsets."""
        self.note(span)
        self._committed.pop((span.source.removeprefix("kafka://"), number_of(span.partition)), None)

    def mark_committed(self, offsets: Mapping[Place, int]) -> None:
        """Remember that ``offsets`` are committed."""
        self._committed.update(offsets)


class Committer:
    """Commits on a thread of its own, so that no bundle waits for a broker.

    A commit that fails is tried again later. The first failure of several is a warning.

    Args:
        commit: Commits offsets.
        group: Name of the group, for messages.
        interval: Seconds between two commits.
    """

    def __init__(self, commit: Commit, group: str, interval: float = INTERVAL_SECONDS) -> None:
        self._commit = commit
        self._group = group
        self._interval = interval
        self._backoff = Backoff(base=min(2.0, max(2 * interval, 0.01)), cap=30.0)
        self._progress = Progress()
        self._changed = threading.Condition()
        self._attempts = 0
        self._flushing = 0
        self._warned = False
        self._thread: threading.Thread | None = None

    def note(self, span: Span) -> None:
        """Add a settled range; returns at once."""
        self._add([span], self._progress.note)

    def renew(self, spans: Sequence[Span]) -> None:
        """Add settled ranges and commit their partitions, also if that was done before.

        Brokers forget the offsets of a group that has no members, a week after the last commit.
        """
        self._add(spans, self._progress.renew)

    def _add(self, spans: Sequence[Span], add: Callable[[Span], None]) -> None:
        with self._changed:
            for span in spans:
                add(span)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kafka-commit", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Commit now what is noted; tries once and waits at most ``timeout`` seconds."""
        with self._changed:
            # An attempt under way may not include the last ranges: the one after it does.
            enough = self._attempts + 2
            self._flushing += 1
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: not self._progress.pending() or self._attempts >= enough, timeout
            )
            self._flushing -= 1

    def _run(self) -> None:
        next_at, failures = 0.0, 0
        while True:
            with self._changed:
                self._changed.wait_for(self._progress.pending)
                while not self._flushing and time.monotonic() < next_at:
                    self._changed.wait(max(0.0, next_at - time.monotonic()))
                offsets = self._progress.pending()
            done = self._try(offsets)
            failures = 0 if done else failures + 1
            next_at = time.monotonic() + (
                self._backoff.delay(failures) if failures else self._interval
            )
            with self._changed:
                if done:
                    self._progress.mark_committed(offsets)
                self._attempts += 1
                self._changed.notify_all()

    def _try(self, offsets: Mapping[Place, int]) -> bool:
        try:
            self._commit(offsets)
        except (ConfigError, SourceUnavailable) as error:
            if not self._warned:
                self._warned = True
                _log.warning(
                    "group %s: offsets are not committed, so tools will show too much lag "
                    "(nothing else depends on them): %s",
                    *(self._group, error),
                    extra={"service": "kafka"},
                )
            return False
        self._warned = False
        return True


class Follower:
    """Tells a group now and then how far the ledger has its partitions settled.

    What this process settles it commits itself (``Committer``). But a process may have died between
    the commit of the database and that of the offsets, the group may be new, and brokers forget
    offsets of partitions that are idle.

    Args:
        ledger: Says what is settled.
        renew: Commits; returns at once.
        interval: Seconds between two looks at the ledger.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        renew: Callable[[Sequence[Span]], None],
        interval: float = FOLLOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._renew = renew
        self._interval = interval
        self._clock = clock
        self._due = clock()

    def follow(self, partitions: Iterable[tuple[str, str]]) -> None:
        """Commit what the ledger has of ``partitions``, if it is time to.

        Asks the database, so call it on a thread that nobody waits for. A failure is no reason
        to stop: the next call tries again.

        Args:
            partitions: Sources and labels of partitions that exist.
        """
        if self._clock() < self._due:
            return
        try:
            settled = self._ledger.coverage(sorted(set(partitions)))
        except SluiceError as error:
            line = "the group does not follow the ledger for now: %s"
            _log.debug(line, error, extra={"service": "database"})
            return
        self._due = self._clock() + self._interval
        spans = [
            Span(source, label, *coverage.ranges[0])
            for (source, label), coverage in settled.items()
            if coverage.ranges and coverage.end is None
        ]
        if spans:
            self._renew(spans)
