"""How far a group is settled: contiguous ranges of its partitions, committed in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sources.kafka.cluster import Place
from sources.kafka.label import number_of
from transforms.batch.backoff import Backoff
from transforms.batch.coverage import Range, merge
from transforms.batch.record import Span
from transforms.errors import ConfigError, SourceUnavailable

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
_WARN_SECONDS = 60.0

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

    def mark_committed(self, offsets: Mapping[Place, int]) -> None:
        """Remember that ``offsets`` are committed."""
        self._committed.update(offsets)


class Committer:
    """Commits on a thread of its own, so that no bundle waits for a broker.

    A commit that fails is logged as a warning and tried again later.

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
        self._warned_at: float | None = None
        self._thread: threading.Thread | None = None

    def note(self, span: Span) -> None:
        """Add a settled range; returns at once."""
        with self._changed:
            self._progress.note(span)
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
            now = time.monotonic()
            if self._warned_at is None or now - self._warned_at >= _WARN_SECONDS:
                self._warned_at = now
                _log.warning(
                    "group %s: offsets are not committed, so tools will show too much lag "
                    "(nothing else depends on them): %s",
                    self._group,
                    error,
                )
            return False
        return True
