"""Orders: an action and the failed records that a person applies it to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Dialect
from sinks.database.tables import jobs
from sinks.jobs import state as job_state
from sinks.jobs.filter import JobFilter
from sinks.jobs.owner import steps_text
from transforms.batch.job_states import ADOPT, CANCEL, EXECUTING, MAX_REPLAYS, REPLAY, Action
from transforms.errors import ConfigError
from transforms.parse.raw import CUT, HEAD_BYTES
from transforms.steps.pipeline_identity import PipelineIdentity

NO_BYTES = "no_bytes"
"""Reason to leave a job alone: an object could not be read, so there are no bytes to parse."""
HEAD_ONLY = "head_only"
"""Reason to leave a job alone: the record is too large, and only its head is kept."""
REPLAYED_OFTEN = "max_replays"
"""Reason to leave a job alone: it was replayed too often. Another reason is ``EXECUTING``."""

# Earlier versions stored null instead of a value of a Parquet row that could not be read.
_LOSSY = sa.and_(jobs.c.exception == "UnreadableRow", jobs.c.format == '{"name":"parquet"}')
_EMPTY = sa.and_(jobs.c.stage == "read", sa.or_(jobs.c.raw == b"", _LOSSY))
# A job whose bytes are whole may have failed for its size too, at an attempt.
_CUT = sa.and_(
    jobs.c.exception == CUT,
    sa.or_(jobs.c.stage == "read", sa.func.length(jobs.c.raw) <= HEAD_BYTES),
)


@dataclass(frozen=True, slots=True)
class Order:
    """An action on the jobs that a filter matches.

    Attributes:
        action: What to do.
        which: The jobs, except for their state.
        states: The states of the jobs.
        max_replays: Jobs that were replayed this often are left alone.
        limit: The most jobs to change, the oldest first.
        adopter: The pipeline that adopts the jobs if the action is ``ADOPT``.
        unmapped: Whether a program without a mapping may take them from then on; otherwise jobs
            that were made under a mapping stay so.
    """

    action: Action
    which: JobFilter
    states: tuple[str, ...]
    max_replays: int = MAX_REPLAYS
    limit: int | None = None
    adopter: PipelineIdentity | None = None
    unmapped: bool = False

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
        unmapped: bool = False,
    ) -> Order:
        """The order for the state that ``which`` names, for the default states, or for all states.

        Raises:
            ConfigError: The action does not apply to jobs in this state.
        """
        states = action.states if every_state else action.default
        if which.state is not None:
            if which.state not in action.states:
                raise ConfigError(
                    f"{action.name} is for jobs that are {' or '.join(action.states)}, "
                    f"not {which.state}"
                )
            states = (which.state,)
        which = replace(which, state=None)
        return cls(action, which, states, max_replays, limit, adopter, unmapped)

    def where(self, dialect: Dialect) -> sa.ColumnElement[bool]:
        """The jobs to change, in the SQL of a database."""
        spared = [sa.not_(condition) for condition in self._spared().values()]
        if self.adopter is not None:
            others = _not_of(self.adopter)
            spared.append(sa.or_(others, jobs.c.mapped) if self.unmapped else others)
        return sa.and_(self.which.where(dialect), job_state.is_in(*self.states), *spared)

    def left_alone(self, dialect: Dialect) -> dict[str, sa.ColumnElement[bool]]:
        """The jobs that the filter matches but the action leaves alone, by reason."""
        named = self.which.where(dialect)
        if self.action in (CANCEL, ADOPT) and self.states == self.action.states:
            return {EXECUTING: sa.and_(named, job_state.is_in(EXECUTING))}
        named = sa.and_(named, job_state.is_in(*self.states))
        return {reason: sa.and_(named, spared) for reason, spared in self._spared().items()}

    def _spared(self) -> dict[str, sa.ColumnElement[bool]]:
        if self.action is not REPLAY:
            return {}
        kept = sa.and_(sa.not_(_EMPTY), sa.not_(_CUT))
        often = sa.and_(jobs.c.replays >= self.max_replays, kept)
        return {NO_BYTES: sa.and_(_EMPTY, sa.not_(_CUT)), HEAD_ONLY: _CUT, REPLAYED_OFTEN: often}

    def as_json(self) -> dict[str, Any]:
        """Which jobs are meant, as the audit trail stores it."""
        stated = {**self.which.as_json(), "states": list(self.states)}
        if self.action is REPLAY:
            stated["max_replays"] = self.max_replays
        if self.limit is not None:
            stated["limit"] = self.limit
        if self.adopter is not None:
            stated["to"] = {"pipeline": self.adopter.name, "steps": list(self.adopter.steps)}
            if self.unmapped:
                stated["to"]["mapped"] = False
        return stated


def _not_of(owner: PipelineIdentity) -> sa.ColumnElement[bool]:
    """Whether a job belongs to another pipeline, or to none."""
    return sa.or_(
        jobs.c.pipeline.is_(None),
        jobs.c.pipeline != owner.name,
        jobs.c.steps != steps_text(owner.steps),
    )
