"""The contract between reading and the operator of a pipeline: what is asked of it now."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["running", "paused", "draining"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How fast this process may read: its share of what the pipeline may.

    Attributes:
        name: What shares the limit: a source of the pipeline; empty for all of it, due jobs included.
        max_rate: Records per second; None for no limit.
        max_bytes_rate: Bytes of records per second; None for no limit.
    """

    name: str = ""
    max_rate: float | None = None
    max_bytes_rate: float | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is a limit at all."""
        return self.max_rate is not None or self.max_bytes_rate is not None

    def divided(self, number: int) -> Limit:
        """The share that each of ``number`` processes has."""
        return Limit(
            self.name,
            None if self.max_rate is None else self.max_rate / number,
            None if self.max_bytes_rate is None else self.max_bytes_rate / number,
        )


@dataclass(frozen=True, slots=True)
class Control:
    """What is asked of one source of a pipeline.

    Attributes:
        state: ``paused``: nothing is read, neither of the source nor due jobs. ``draining``: nothing
            more of the source is read, and what was read is settled, its retries included.
        reason: Why, as the operator said.
        limits: How fast it may be read; each of them holds.
        generation: How often offsets were forgotten. A position that was noted under an earlier one is
            not to be trusted: the ledger says where to go on.
    """

    state: State = "running"
    reason: str = ""
    limits: tuple[Limit, ...] = ()
    generation: int = 0


class Controls(Hashable, Protocol):
    """What is asked of a pipeline. Picklable, without secrets.

    A thread of the process asks every few seconds; all calls answer from memory, so a database that is
    away changes nothing.
    """

    def begin(self) -> None:
        """Begin to ask, unless this process does so already; called again and again, so cheap.

        The first call waits for the first answer, for a few seconds at most.
        """
        ...

    def of(self, source: str) -> Control:
        """What is asked of ``source``; of due jobs, if it is empty."""
        ...
