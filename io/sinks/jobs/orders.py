"""What a person may order to be done to which failed records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Dialect
from sinks.database.tables import EXECUTING, FINAL_STATES, UNFINISHED_STATES, WAITING_STATES, jobs
from sinks.jobs import state as job_state
from sinks.jobs.filter import JobFilter
from sinks.jobs.owner import steps_text
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity

MAX_REPLAYS = 5

NO_BYTES = "no_bytes"
"""Why a job is left alone: an object could not be read, so there is nothing to parse again."""
REPLAYED_OFTEN = "max_replays"
"""Why a job is left alone: it has been replayed so often. Another reason is ``EXECUTING``."""

# Earlier versions kept null in place of a value of a Parquet row that could not be read.
_LOSSY = sa.and_(jobs.c.exception == "UnreadableRow", jobs.c.format == '{"name":"parquet"}')
_EMPTY = sa.and_(jobs.c.stage == "read", sa.or_(jobs.c.raw == b"", _LOSSY))


@dataclass(frozen=True, slots=True)
class Action:
    """A kind of change.

    Attributes:
        name: As the audit trail calls it.
        states: The states that it may be applied to.
        default: Those that it is applied to unless one is named.
        moves: The counts of the ledger that a job leaves and enters; None where neither.
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


@dataclass(frozen=True, slots=True)
class Order:
    """An action on the jobs that a filter names.

    Attributes:
        action: What to do.
        which: To which jobs; its state is in ``states``.
        states: In which states.
        max_replays: Jobs that were replayed so often are left alone.
        limit: How many at most, the oldest first.
        adopter: The pipeline that they are given to, where the action is ``ADOPT``.
    """

    action: Action
    which: JobFilter
    states: tuple[str, ...]
    max_replays: int = MAX_REPLAYS
    limit: int | None = None
    adopter: PipelineIdentity | None = None

    @classmethod
    def of(
        cls,
        action: Action,
        which: JobFilter,
        *,
        every_state: bool = False,
        max_replays: int = MAX_REPLAYS,
        limit: int | None = None,
        adopter: PipelineIdentity | None = None,
    ) -> Order:
        """The order for the state that ``which`` names, the action's own states, or all it has.

        Raises:
            ConfigError: The action is not for jobs in this state.
        """
        states = action.states if every_state else action.default
        if which.state is not None:
            if which.state not in action.states:
                raise ConfigError(
                    f"{action.name} is for jobs that are {' or '.join(action.states)}, "
                    f"not {which.state}"
                )
            states = (which.state,)
        return cls(action, replace(which, state=None), states, max_replays, limit, adopter)

    def where(self, dialect: Dialect) -> sa.ColumnElement[bool]:
        """The jobs that are changed, in the database's SQL."""
        spared = [sa.not_(condition) for condition in self._spared().values()]
        if self.adopter is not None:
            spared.append(_not_of(self.adopter))
        return sa.and_(self.which.where(dialect), job_state.is_in(*self.states), *spared)

    def left_alone(self, dialect: Dialect) -> dict[str, sa.ColumnElement[bool]]:
        """The jobs that the filter names and that are left alone nevertheless, by reason."""
        asked = self.which.where(dialect)
        if self.action in (CANCEL, ADOPT) and self.states == self.action.states:
            return {EXECUTING: sa.and_(asked, job_state.is_in(EXECUTING))}
        asked = sa.and_(asked, job_state.is_in(*self.states))
        return {reason: sa.and_(asked, spared) for reason, spared in self._spared().items()}

    def _spared(self) -> dict[str, sa.ColumnElement[bool]]:
        if self.action is not REPLAY:
            return {}
        often = sa.and_(jobs.c.replays >= self.max_replays, sa.not_(_EMPTY))
        return {NO_BYTES: _EMPTY, REPLAYED_OFTEN: often}

    def as_json(self) -> dict[str, Any]:
        """Which jobs are meant, as the audit trail keeps it."""
        stated = {**self.which.as_json(), "states": list(self.states)}
        if self.action is REPLAY:
            stated["max_replays"] = self.max_replays
        if self.limit is not None:
            stated["limit"] = self.limit
        if self.adopter is not None:
            stated["to"] = {"pipeline": self.adopter.name, "steps": list(self.adopter.steps)}
        return stated


def _not_of(owner: PipelineIdentity) -> sa.ColumnElement[bool]:
    """Whether a job is of another pipeline, or of nobody."""
    return sa.or_(
        jobs.c.pipeline.is_(None),
        jobs.c.pipeline != owner.name,
        jobs.c.steps != steps_text(owner.steps),
    )
