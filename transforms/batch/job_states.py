"""The states of a failed record, and the actions that a person may apply in each of them."""

from __future__ import annotations

from dataclasses import dataclass

EXECUTING = "executing"
"""A job that is being tried: the one state that is not stored, see ``sinks.jobs.state``."""

JOB_STATES = (
    "suspended",
    "available",
    "scheduled",
    EXECUTING,
    "retryable",
    "completed",
    "cancelled",
    "discarded",
)
"""Oban's states; a dead letter is ``discarded`` or ``cancelled``."""

WAITING_STATES = ("available", "scheduled", "retryable")
"""Jobs that are tried once ``scheduled_at`` has come."""

UNFINISHED_STATES = (*WAITING_STATES, "suspended")
"""Jobs that the ledger counts as ``retrying``, as stored."""

DEAD_STATES = ("cancelled", "discarded")
"""Jobs that the ledger counts as ``dead``."""

FINAL_STATES = ("completed", "cancelled", "discarded")

MAX_REPLAYS = 5
"""How often a job is replayed unless the order says otherwise."""


@dataclass(frozen=True, slots=True)
class Action:
    """A kind of change.

    Attributes:
        name: Its name in the audit trail.
        states: The states that it may be applied to.
        default: The states that it is applied to unless one is named.
        moves: The counts of the ledger that a job leaves and enters, if any.
    """

    name: str
    states: tuple[str, ...]
    default: tuple[str, ...]
    moves: tuple[str, str] | None = None


REPLAY = Action("replay", ("discarded", "cancelled"), ("discarded",), ("dead", "retrying"))
CANCEL = Action("cancel", WAITING_STATES, WAITING_STATES, ("retrying", "dead"))
PURGE = Action("purge", FINAL_STATES, ("discarded",))
_KEPT = (*UNFINISHED_STATES, "cancelled", "discarded")
ADOPT = Action("adopt", _KEPT, _KEPT)
ACTIONS = {action.name: action for action in (REPLAY, CANCEL, PURGE, ADOPT)}
