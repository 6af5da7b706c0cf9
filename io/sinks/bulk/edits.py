"""Edits of single failed records, and what they were before.

The bytes of before go to ``ingest_edits`` in the transaction that changes the job: its first row has
the record as it was read. The job's origin stays, so that the record counts and is written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from sinks.bulk.changed_fields import changed
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import edits as table
from sinks.database.tables import jobs, queue
from sinks.jobs import actions, audit_trail
from sinks.jobs.audit_trail import ACTOR_LIMIT, REASON_LIMIT, Reveal
from sinks.jobs.chunks import pick
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import HEAD_ONLY, NO_BYTES, Order
from sinks.jobs.store import exists, failure_of, hidden_of
from sinks.text.encoding import clean
from transforms.batch.job_states import DEAD_STATES, REPLAY, WAITING_STATES
from transforms.batch.record import Failure, Format
from transforms.errors import ConfigError, Reject
from transforms.parse import typed_rows
from transforms.parse.by_format import MAX_BYTES, MAX_DEPTH, readers
from transforms.parse.hidden.preview import Preview, preview
from transforms.parse.hidden.values import MASK

MOST_EDITS = 100
"""How often one record is edited, since each time it is kept as it was before."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit has done.

    Attributes:
        id: Its number.
        fields: The names of the fields that it changed, or ``bytes``.
        problem: Why the record cannot be parsed even now; None if it can.
        replayed: Whether the record is tried again.
    """

    id: int
    fields: Sequence[str]
    problem: str | None
    replayed: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit that was made.

    Attributes:
        id: Its number.
        job: The job.
        at: When.
        actor: Who.
        reason: Why.
        fields: The names of the fields that it changed, or ``bytes``.
        size: How many bytes the record had before.
    """

    id: int
    job: int
    at: datetime
    actor: str
    reason: str
    fields: Sequence[str]
    size: int


def edit(
    database: Database,
    job: int,
    raw: bytes,
    *,
    expected_digest: str,
    actor: str,
    reason: str,
    replay: bool = False,
    revealed: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Edited:
    """Change the bytes of a failed record that is not at an attempt and has not succeeded.

    Bytes that cannot be parsed are stored too; the result says so.

    Args:
        database: The database.
        job: The number of the job.
        raw: The bytes, in the job's format. Of a typed row, as ``transforms.parse.typed_rows`` has it.
        expected_digest: The SHA-256 of the bytes that the editor saw, in hexadecimal.
        actor: Who acts.
        reason: Why.
        replay: Whether a dead letter is replayed, in the same transaction.
        revealed: Whether the editor has the hidden fields in clear. The audit trail says so.
        max_bytes: The longest record.

    Raises:
        ConfigError: The edit is refused; the message says why.
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
        SinkFailed: It refuses.
    """
    if not reason.strip():
        raise ConfigError("an edit needs a reason, for the audit trail")
    if len(raw) > max_bytes:
        raise ConfigError(f"the record would have {len(raw):,} bytes, limit {max_bytes:,}")

    def edited() -> Edited:
        with transaction(database, "edit a failed record") as connection:
            row = _locked(connection, job)
            if replay and row.state not in DEAD_STATES:
                raise ConfigError(f"job {job} is {row.state}: it is tried without a replay")
            failure = failure_of(row)
            _check_digest(failure.raw, raw, expected_digest)
            seen = _preview(connection, row, failure)
            if seen.state != "whole":
                _check_hidden(failure, raw, revealed)
            if failure.format.name in typed_rows.TYPED:
                _check_typed(failure.raw, raw)
            fields = changed(failure.raw, raw, failure.format)
            number = _store(connection, row, raw, fields, actor, reason)
            which = {"ids": [job], "fields": fields}
            if seen.state != "whole":
                Reveal(actor, reason).enter(connection, {"ids": [job]}, 1)
            audit_trail.enter(connection, "edit", actor=actor, reason=reason, which=which, count=1)
            if replay:
                _replay(connection, row, actor, reason)
            problem = _problem(raw, failure.format, max_bytes, quotes=seen.state == "whole")
            return Edited(number, fields, problem, replay)

    return retried(edited)


def history(database: Database, job: int) -> list[Edit]:
    """The edits of a job, the oldest first.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read edits", write=False) as connection:
        if not exists(connection):
            return []
        size = sa.func.length(table.c.raw)
        columns = (table.c.id, table.c.job, table.c.at, table.c.actor, table.c.reason)
        query = sa.select(*columns, table.c.fields, size).where(table.c.job == job)
        return [Edit(*row) for row in connection.execute(query.order_by(table.c.id))]


def before(database: Database, number: int, *, reveal: Reveal | None = None) -> Preview | None:
    """The record as it was before the edit ``number``; None if there is no such edit.

    Hidden fields are masked, except for a ``reveal``, which is entered in the audit trail.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    return _before(database, table.c.id == number, reveal)


def original(database: Database, job: int, *, reveal: Reveal | None = None) -> Preview | None:
    """The record as it was read, before all edits; None if it was never edited.

    Hidden fields as in ``before``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    return _before(database, table.c.job == job, reveal)


def _before(
    database: Database, which: sa.ColumnElement[bool], reveal: Reveal | None
) -> Preview | None:
    with transaction(database, "read edits", write=reveal is not None) as connection:
        if not exists(connection):
            return None
        first = sa.select(table.c.id, table.c.job, table.c.raw).where(which).order_by(table.c.id)
        kept = connection.execute(first.limit(1)).one_or_none()
        if kept is None:
            return None
        row = connection.execute(sa.select(jobs).where(jobs.c.id == kept.job)).one_or_none()
        if row is None:
            return None
        failure = replace(failure_of(row), raw=bytes(kept.raw))
        if reveal is None:
            return _preview(connection, row, failure)
        reveal.enter(connection, {"ids": [kept.job], "edit": kept.id}, 1)
        return preview(failure, row.version, row.errors, ())


def _locked(connection: sa.Connection, job: int) -> Any:
    """The row of a job that may be edited; the transaction keeps others from it."""
    query = sa.select(jobs).where(jobs.c.id == job).with_for_update()
    row = connection.execute(query).one_or_none() if exists(connection) else None
    if row is None:
        raise ConfigError(f"there is no job {job} in this database")
    if row.state in WAITING_STATES:
        # Who takes a job takes it out of the queue first, and reads its bytes then.
        place = sa.select(queue.c.job).where(queue.c.job == job)
        if connection.execute(place.with_for_update(skip_locked=True)).first() is None:
            raise ConfigError(f"job {job} is executing: it is being tried at this moment")
    elif row.state not in DEAD_STATES:
        raise ConfigError(f"job {job} is {row.state}: nothing reads its record any more")
    spared = Order(REPLAY, JobFilter(), (row.state,)).left_alone(dialect_of(connection))
    for reason, said in _NOT_WHOLE.items():
        if connection.execute(sa.select(jobs.c.id).where(jobs.c.id == job, spared[reason])).first():
            raise ConfigError(f"job {job} {said}")
    return row


_NOT_WHOLE = {
    NO_BYTES: "has no record to edit: an object could not be read",
    HEAD_ONLY: "has only the head of its record: put the object in place again",
}


def _check_digest(now: bytes, raw: bytes, expected: str) -> None:
    if sha256(now).hexdigest() != expected.strip().lower():
        raise ConfigError("somebody has changed the record meanwhile; look at it again")
    if raw == now:
        raise ConfigError("nothing is changed: the record has these bytes already")


def _check_hidden(failure: Failure, raw: bytes, revealed: bool) -> None:
    """Let no mask become data: neither one that was seen, nor one that was copied."""
    if not revealed:
        raise ConfigError(
            "the record has hidden fields, which an edit would replace by what is shown of them; "
            "reveal it, and edit that"
        )
    masks = (MASK.encode(failure.format.encoding or "utf-8").strip(b"\xff\xfe"), MASK.encode())
    if any(raw.count(mask) > failure.raw.count(mask) for mask in masks):
        raise ConfigError(
            f"the edited record has {MASK}, which stands for hidden values; reveal it, and edit that"
        )


def _check_typed(now: bytes, raw: bytes) -> None:
    """A typed row stays one, and its columns keep their types."""
    try:
        if raw.startswith(b"{"):
            if not now.startswith(b"{"):
                raise ConfigError("the record is a typed row: an array of the row and its types")
            return
        typed_rows.decode(raw)
        kept = typed_rows.types_in(raw)
    except Reject as error:
        raise ConfigError(f"the record is a typed row, and {error}") from error
    try:
        types = {} if now.startswith(b"{") else typed_rows.types_in(now)
    except Reject:
        return  # it was damaged
    other = sorted(name for name, kind in types.items() if kept.get(name) != kind)
    if other:
        raise ConfigError(f"the record is a typed row, whose types stay: {', '.join(other)[:200]}")


def _preview(connection: sa.Connection, row: Any, failure: Failure) -> Preview:
    hidden = hidden_of(connection, [row])(row)
    return preview(failure, row.version, row.errors, hidden.paths, hidden.versions)


def _store(
    connection: sa.Connection, row: Any, raw: bytes, fields: list[str], actor: str, reason: str
) -> int:
    count = sa.select(sa.func.count()).select_from(table).where(table.c.job == row.id)
    if connection.execute(count).scalar_one() >= MOST_EDITS:
        raise ConfigError(f"job {row.id} was edited {MOST_EDITS} times already")
    kept = {
        "job": row.id,
        "raw": bytes(row.raw),
        "actor": clean(actor, ACTOR_LIMIT),
        "reason": clean(reason, REASON_LIMIT),
        "fields": fields,
        "at": dialect_of(connection).now(connection),
    }
    key = connection.execute(sa.insert(table), kept).inserted_primary_key
    assert key is not None, "an insert of one row has a key"  # noqa: S101
    connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(raw=raw))
    connection.execute(sa.update(queue).where(queue.c.job == row.id).values(bytes=len(raw)))
    number: int = key[0]
    return number


def _replay(connection: sa.Connection, row: Any, actor: str, reason: str) -> None:
    order = Order(REPLAY, JobFilter(ids=(row.id,)), (row.state,))
    picked = pick(connection, order.which.where, after=row.id - 1, upto=row.id, size=1)
    actions.change(connection, picked, order, actor=actor, reason=reason, which=order.as_json())


def _problem(raw: bytes, format_: Format, max_bytes: int, *, quotes: bool) -> str | None:
    """Why ``raw`` cannot be parsed; None if it can."""
    one, _ = readers(format_, max_bytes, MAX_DEPTH, quotes=quotes)
    try:
        one(raw)
    except Reject as error:
        return str(error)
    return None
