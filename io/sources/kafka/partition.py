"""How far one partition has been read, and its watermark."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.read.standing import Standing

END = "end:"


def name_of(source: str, label: str) -> str:
    """The name in a position of a partition, by its names in the ledger."""
    return f"{source.removeprefix('kafka://')}/{label}"


@dataclass(slots=True)
class Partition:
    """The state of a partition that is being read.

    Attributes:
        topic: Its topic.
        number: Its number in the topic.
        label: Its name in the ledger.
        next: The next offset to read.
        end: Where to stop; None reads forever.
        high: The end of the partition when last seen, also of what is not committed.
        seen: The same, while the topic was certain to be this one and not a later namesake.
        event_time: The latest event time seen, in seconds since the epoch.
        caught_up: Since when nothing is left to read, in monotonic seconds; None if something is.
        low: Its first offset that existed when reading began.
        held_from: Where an open transaction begins, if one held it back when last seen.
        held: How many offsets it holds back.
        ahead: How many records before ``next`` wait between the reader and those who read them.
    """

    topic: str
    number: int
    label: str
    next: int
    end: int | None = None
    high: int = 0
    seen: int = 0
    event_time: float | None = None
    caught_up: float | None = None
    low: int = 0
    held_from: int = 0
    held: int = 0
    ahead: int = 0

    @property
    def name(self) -> str:
        """Its name in a position; the name of a topic contains no slash."""
        return f"{self.topic}/{self.label}"

    @property
    def place(self) -> tuple[str, int]:
        """Its topic and number."""
        return self.topic, self.number

    @property
    def source(self) -> str:
        """The source in the origins of its records."""
        return f"kafka://{self.topic}"

    @property
    def done(self) -> bool:
        """Whether it has been read up to its end."""
        return self.end is not None and self.next >= self.end

    @property
    def backlog(self) -> int:
        """How many offsets are left to read, and records that wait."""
        return max(0, (self.high if self.end is None else self.end) - self.next) + self.ahead

    def hold(self, offset: int) -> None:
        """Take note that what lies between ``offset`` and ``high`` cannot be read yet."""
        self.held_from, self.held = offset, max(0, self.high - offset)

    @property
    def standing(self) -> Standing:
        """How it stands, for the summary and for metrics."""
        empty = self.high <= self.low
        return Standing(self.source, self.label, empty, self.held, self.held_from)

    def watermark(self, now: float, monotonic: float, idle_seconds: float) -> float | None:
        """No earlier event time is expected; None if nothing is known.

        It is never in the future: one record with a wrong time would make all others late.
        A partition with nothing to read for ``idle_seconds`` does not hold back the others.

        Args:
            now: Seconds since the epoch.
            monotonic: Now on the clock of ``caught_up``.
            idle_seconds: How long a partition may hold back the others.
        """
        if self.caught_up is not None and monotonic - self.caught_up >= idle_seconds:
            return now - idle_seconds
        return None if self.event_time is None else min(self.event_time, now)
