"""How far one partition has been read, and what it says of event time."""

from __future__ import annotations

from dataclasses import dataclass

END = "end:"


@dataclass(slots=True)
class Partition:
    """The state of one partition under way.

    Attributes:
        topic: Its topic.
        number: Its number in the topic.
        label: Its name in the ledger.
        next: The next offset to read.
        end: Where to stop; None reads for ever.
        high: The end of what was there when last seen.
        seen: The same, as long as the topic was sure to be this one, not a later one of its name.
        event_time: The greatest event time seen, in seconds since the epoch.
        caught_up: Monotonic seconds since when nothing is left to read; None if something is.
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

    @property
    def name(self) -> str:
        """Its name in a position; no topic has a slash in its name."""
        return f"{self.topic}/{self.label}"

    @property
    def place(self) -> tuple[str, int]:
        """Its topic and number."""
        return self.topic, self.number

    @property
    def source(self) -> str:
        """The source of its records' origins."""
        return f"kafka://{self.topic}"

    @property
    def done(self) -> bool:
        """Whether it has been read to where it is to stop."""
        return self.end is not None and self.next >= self.end

    @property
    def backlog(self) -> int:
        """Offsets that are left to read."""
        return max(0, (self.high if self.end is None else self.end) - self.next)

    def watermark(self, now: float, monotonic: float, idle_seconds: float) -> float | None:
        """No earlier event time is expected; None when nothing is known.

        The future is no watermark: one record stamped wrongly would make all others late.
        A partition with nothing to read for ``idle_seconds`` does not hold the others back.
        """
        if self.caught_up is not None and monotonic - self.caught_up >= idle_seconds:
            return now - idle_seconds
        return None if self.event_time is None else min(self.event_time, now)
