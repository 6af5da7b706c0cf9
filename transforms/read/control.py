"""The contract between reading and the operator of a pipeline: what is asked of it now."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["running", "paused", "draining"]


@dataclass(frozen=True, slots=True)
class Control:
    """What is asked of one source of a pipeline.

    Attributes:
        state: ``paused``: nothing is read, neither of the source nor due jobs. ``draining``: nothing
            more of the source is read, and what was read is settled, its retries included.
        reason: Why, as the operator said.
        max_rate: Records per second that this process may read; None for no limit.
        max_bytes_rate: Bytes per second, likewise.
        generation: How often offsets were forgotten. A position that was noted under an earlier one is
            not to be trusted: the ledger says where to go on.
    """

    state: State = "running"
    reason: str = ""
    max_rate: float | None = None
    max_bytes_rate: float | None = None
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
