"""Which failed records a question or an action is about, as SQL and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from sinks.database.dialect import Dialect
from sinks.database.tables import dead, jobs
from sinks.jobs import state as job_state
from sinks.jobs.owner import steps_text
from transforms.parse.json_text import encode_decimal_text

_EXACT = ("target", "stage", "category", "exception", "sqlstate")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; a field left out does not filter.

    Attributes:
        target: The table.
        state: The state.
        stage: The step that failed.
        category: The kind of failure.
        source: The record's source; ``*`` stands for any text, slashes included.
        exception: The exception's class name.
        text: A text that the raw bytes hold, as UTF-8.
        key: A text that the message's key holds, as UTF-8.
        header: The name of a header that the message has, or ``NAME=VALUE`` for its whole value too;
            ``*`` in the name stands for any text.
        sqlstate: The database's error code.
        ids: The numbers of the jobs.
        since: Only jobs that failed first at this time or later.
        until: Only jobs that failed first before this time.
        pipeline: The name of the pipeline that may try them again; empty for jobs without an owner.
        steps: The labels of that pipeline's steps.
        fingerprint: The group of the dead letter.
    """

    target: str | None = None
    state: str | None = None
    stage: str | None = None
    category: str | None = None
    source: str | None = None
    exception: str | None = None
    text: str | None = None
    key: str | None = None
    header: str | None = None
    sqlstate: str | None = None
    ids: tuple[int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    pipeline: str | None = None
    steps: tuple[str, ...] | None = None
    fingerprint: UUID | None = None

    def where(self, dialect: Dialect) -> sa.ColumnElement[bool]:
        """The condition in the SQL of a database."""
        conditions = [
            jobs.c[name] == value for name in _EXACT if (value := getattr(self, name)) is not None
        ]
        if self.state is not None:
            conditions.append(job_state.is_in(self.state))
        if self.source is not None:
            exact = "*" not in self.source
            conditions.append(
                jobs.c.source == self.source
                if exact
                else dialect.matches(jobs.c.source, self.source)
            )
        if self.text is not None:
            conditions.append(dialect.contains(jobs.c.raw, self.text.encode()))
        if self.key is not None:
            conditions.append(dialect.contains(jobs.c.key, self.key.encode()))
        if self.header is not None:
            conditions.append(dialect.matches(jobs.c.headers, _header_text(self.header)))
        if self.ids:
            conditions.append(dialect.is_one_of(jobs.c.id, self.ids))
        if self.since is not None:
            conditions.append(jobs.c.inserted_at >= self.since)
        if self.until is not None:
            conditions.append(jobs.c.inserted_at < self.until)
        if self.pipeline is not None:
            nobody = self.pipeline == ""
            conditions.append(
                jobs.c.pipeline.is_(None) if nobody else jobs.c.pipeline == self.pipeline
            )
        if self.steps is not None:
            conditions.append(jobs.c.steps == steps_text(self.steps))
        if self.fingerprint is not None:
            of_group = sa.select(dead.c.job).where(dead.c.fingerprint == self.fingerprint)
            conditions.append(jobs.c.id.in_(of_group))
        return sa.and_(sa.true(), *conditions)

    def as_json(self) -> dict[str, Any]:
        """The fields that filter, as the audit trail keeps them; times are ISO 8601 in UTC."""
        return {
            name: _plain(value)
            for name, value in asdict(self).items()
            if value is not None and (value != () or name != "ids")
        }


def _header_text(header: str) -> str:
    """The pattern of ``headers`` with one of this name, or of this name and value.

    >>> _header_text("trace"), _header_text("a*=1")
    ('*["trace",*', '*["a*","MQ=="]*')
    """
    name, equals, value = header.partition("=")
    if not equals:
        return f"*[{_json(name)},*"
    return f"*[{_json(name)},{_json(value.encode())}]*"


def _json(value: str | bytes) -> str:
    """As ``store`` writes the parts of a header."""
    return encode_decimal_text(value).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value
