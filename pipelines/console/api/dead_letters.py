"""Operations on failed records: list, one, replay, cancel, purge, edit."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta
from starlette.datastructures import ImmutableMultiDict

from pipelines.console.access.roles import Role
from pipelines.console.api.operation import Operation
from pipelines.console.pages.acting.actions import ROLES, act
from pipelines.console.pages.acting.selection import action_named, selection
from pipelines.console.pages.dead_letters import HIDDEN
from pipelines.console.pages.job_filters import asked, filter_of
from pipelines.console.view import Absent, View
from sinks.bulk import edits
from sinks.console.counting import Count
from sinks.console.dead_letter import Attempt, dead_letter
from sinks.console.failed_records import FailedRecord, page
from sinks.jobs.filter import JobFilter
from transforms.errors import ConfigError

Text = Annotated[str, Meta(max_length=1_000)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Reason = Annotated[str, Meta(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which failed records; empty fields do not filter.

    Attributes:
        state: Dead letters if it is empty; ``all`` for every state.
        source: ``*`` stands for any text.
        text: A text that the bytes hold.
        key: A text that the message's key holds.
        header: The name of a header that the message has, or ``NAME=VALUE``; ``*`` in the name stands for any text.
        since: A time, or how long ago.
        until: A time, or how long ago.
        pipeline: ``-`` for records without one.
        steps: Labels, with commas between them.
    """

    target: Text = ""
    state: Text = ""
    stage: Text = ""
    category: Text = ""
    exception: Text = ""
    sqlstate: Text = ""
    source: Text = ""
    text: Text = ""
    key: Text = ""
    header: Text = ""
    since: Text = ""
    until: Text = ""
    pipeline: Text = ""
    steps: Text = ""
    fingerprint: Text = ""


@dataclass(frozen=True, slots=True)
class Listing(Filter):
    """A page of failed records.

    Attributes:
        before: Only records with smaller numbers.
        after: The next records with larger numbers.
        limit: How many.
    """

    before: Number | None = None
    after: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


@dataclass(frozen=True, slots=True)
class Records:
    """Failed records, the newest first.

    Attributes:
        records: The records.
        older: Goes into ``before`` to go on.
        newer: Goes into ``after`` to go back.
        searched: How many candidates were looked at, where no index finds the records.
        complete: Whether a page without records means that there are none.
        total: How many records match on all pages; null where no index counts them.
    """

    records: tuple[FailedRecord, ...]
    older: int | None
    newer: int | None
    searched: int | None
    complete: bool
    total: Count | None


@dataclass(frozen=True, slots=True)
class One:
    """The number of a failed record."""

    id: Number


@dataclass(frozen=True, slots=True)
class Letter:
    """A failed record.

    Attributes:
        message: Of its last error.
        raw: Its bytes as base64; None if they are hidden.
        shown: ``whole``, ``masked`` or ``withheld``: how much of its bytes ``raw`` has.
        digest: The SHA-256 of all its bytes.
    """

    id: int
    target: str
    state: str
    stage: str
    category: str
    exception: str
    sqlstate: str | None
    message: str
    source: str
    partition: str
    place: str
    format: str
    raw: str | None
    shown: str
    size: int
    digest: str
    replays: int
    inserted_at: datetime
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """An action on failed records.

    Attributes:
        reason: For the audit trail.
        ids: The records; none if all are meant that match ``filter``.
        filter: Which records. Without both, nothing is done; an empty filter is every dead letter.
    """

    reason: Reason
    ids: Annotated[list[Number], Meta(max_length=1_000)] = field(default_factory=list)
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What an action has done.

    Attributes:
        changed: How many records it changed.
        entries: The entries of the audit trail about it.
        order: The number of the long order that it became, if it did.
    """

    changed: int
    entries: tuple[int, ...]
    order: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """New bytes of a failed record.

    Attributes:
        raw: As base64.
        digest: The SHA-256 of the bytes before.
        reason: For the audit trail.
        replay: Whether it is replayed at once.
        revealed: Whether the editor has its hidden fields in clear; the audit trail says so.
    """

    raw: str
    digest: Text
    reason: Reason
    replay: bool = False
    revealed: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit has done.

    Attributes:
        fields: The names of the fields that it changed.
        problem: Why the record cannot be parsed even now.
        replayed: Whether it is tried again.
    """

    fields: list[str]
    problem: str | None
    replayed: bool


def listing(view: View, asked_for: Listing) -> Records:
    """A page of failed records."""
    listed = page(
        view.database,
        filter_asked(view, asked_for),
        before=asked_for.before,
        after=asked_for.after,
        limit=asked_for.limit,
    )
    records = listed.records
    if view.hides_payloads:
        records = tuple(replace(record, message=HIDDEN) for record in records)
    return Records(
        records, listed.older, listed.newer, listed.searched, listed.complete, listed.total
    )


def filter_asked(view: View, which: Filter) -> JobFilter:
    """The filter that the parameters describe.

    Raises:
        ConfigError: One of them cannot be read, or must not be asked for by this user.
    """
    return filter_of(asked(view, _texts(which)))


def one(view: View, which: One) -> Letter:
    """A failed record."""
    letter = dead_letter(view.database, which.id)
    if letter is None:
        raise Absent(f"there is no failed record {which.id}; it may have been purged")
    job, failure, hides = letter.job, letter.job.failure, view.hides_payloads
    attempts = letter.attempts
    if hides:
        attempts = tuple(replace(attempt, error=HIDDEN) for attempt in attempts)
    return Letter(
        id=job.id,
        target=job.target,
        state=job.state,
        stage=failure.stage,
        category=failure.category,
        exception=failure.exception,
        sqlstate=failure.sqlstate,
        message=HIDDEN if hides else failure.message,
        source=failure.origin.source,
        partition=failure.origin.partition,
        place=failure.origin.place,
        format=failure.format.name,
        raw=None if hides else base64.b64encode(failure.raw).decode(),
        shown="withheld" if hides else job.preview.state,
        size=job.preview.size,
        digest=job.preview.digest,
        replays=job.replays,
        inserted_at=job.inserted_at,
        attempts=attempts,
    )


def edit(view: View, which: One, change: Change) -> Edited:
    """Change the bytes of a failed record."""
    try:
        raw = base64.b64decode(change.raw, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("raw is not base64") from None
    done = edits.edit(
        view.database,
        which.id,
        raw,
        expected_digest=change.digest,
        actor=view.user.name,
        reason=change.reason,
        replay=change.replay,
        revealed=change.revealed,
    )
    return Edited(list(done.fields), done.problem, done.replayed)


def _acting(name: str) -> Callable[..., Done]:
    action = action_named(name)

    def function(view: View, _: Any, wanted: Action) -> Done:
        """Do it, or give a long order for it."""
        if wanted.ids and wanted.filter is not None:
            raise ConfigError("ids and filter exclude each other")
        fields = [("selected", str(number)) for number in wanted.ids]
        if wanted.filter is not None:
            fields += [("every", "1"), *_texts(wanted.filter).items()]
        values: ImmutableMultiDict[str, str] = ImmutableMultiDict(fields)
        chosen = selection(view, action, values, values)
        changed, entries, order = act(
            view.database, chosen.order, actor=view.user.name, reason=wanted.reason
        )
        return Done(changed, entries, order)

    return function


def _texts(which: Filter) -> dict[str, str]:
    return {name: text for name, text in asdict(which).items() if text and isinstance(text, str)}


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        *("GET", "/dead-letters", "listDeadLetters", "Failed records, the newest first"),
        listing,
        Records,
        Listing,
    ),
    Operation("GET", "/dead-letters/{id}", "getDeadLetter", "A failed record", one, Letter, One),
    Operation(
        *("POST", "/dead-letters/{id}/edit", "editDeadLetter", "Change the bytes of a record"),
        edit,
        Edited,
        One,
        Change,
        Role.OPERATOR,
    ),
    *(
        Operation(
            *("POST", f"/dead-letters/{name}", f"{name}DeadLetters"),
            f"{name.capitalize()} failed records; more than 10,000 become a long order",
            _acting(name),
            Done,
            body=Action,
            role=role,
        )
        for name, role in ROLES.items()
    ),
)
