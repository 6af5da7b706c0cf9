"""When to COPY directly into the table.

It costs the server two thirds of what staging costs, but fails on a key that is there already,
and every failure leaves dead rows behind. So it is tried first, and paused after a collision:
for twice as many commits each time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sinks.table.target import Target
from transforms.per_process import PerProcess

LONGEST_PAUSE = 64  # commits


@dataclass(slots=True)
class _Pause:
    """How direct COPY has fared with one table in this process.

    Threads that commit to one table at a time may miss each other's notes: a pause is then a
    little longer or shorter.

    Attributes:
        left: The commits during which it is not tried.
        next: The commits that the next collision costs.
    """

    left: int = 0
    next: int = 1


_PAUSES: PerProcess[Target, _Pause] = PerProcess(lambda _: _Pause())


def note(target: Target, collided: bool | None) -> None:
    """Take note of a commit to ``target``.

    Args:
        target: The table.
        collided: Whether direct COPY met a key that was there; None if it was not tried.
    """
    pause = _PAUSES.get(target)
    if collided is None:
        pause.left = max(0, pause.left - 1)
    elif collided:
        pause.left = pause.next
        pause.next = min(LONGEST_PAUSE, pause.next * 2)
    else:
        pause.next = 1


def is_paused(target: Target) -> bool:
    """Whether the next commit does not try direct COPY."""
    pause = _PAUSES.peek(target)
    return pause is not None and pause.left > 0
