"""Version 6: dead letters by their fingerprint, long orders, and what records were before an edit.

The dead letters that there are get their rows in chunks, by number. Where DDL takes part in no
transaction that may be interrupted, and begun again.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sinks.database.columns import ID, UtcDateTime
from sinks.database.dialects import dialect_of
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import NAME, TEXT
from transforms.failure_group import fingerprint_of

if TYPE_CHECKING:
    from alembic.operations import Operations


def _dead(op: Operations, present: Present) -> None:
    if not present.has("ingest_dead"):
        op.create_table(
            "ingest_dead",
            sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("fingerprint", sa.Uuid, nullable=False),
        )
        op.create_index("ingest_dead_fingerprint", "ingest_dead", ["fingerprint", "job"])


def _fingerprints(op: Operations, present: Present) -> None:
    if not present.has("ingest_fingerprints"):
        op.create_table(
            "ingest_fingerprints",
            sa.Column("id", sa.Uuid, primary_key=True),
            *(sa.Column(name, NAME, nullable=False) for name in ("target", "stage", "category")),
            sa.Column("sqlstate", sa.String(5)),
            sa.Column("exception", NAME, nullable=False),
            sa.Column("message", TEXT, nullable=False),
            sa.Column("first_seen", UtcDateTime, nullable=False),
        )


def _orders(op: Operations, present: Present) -> None:
    if not present.has("ingest_orders"):
        op.create_table(
            "ingest_orders",
            sa.Column("id", ID, primary_key=True, autoincrement=True),
            sa.Column("action", sa.String(16), nullable=False),
            sa.Column("which", sa.JSON, nullable=False),
            sa.Column("actor", NAME, nullable=False),
            sa.Column("reason", TEXT, nullable=False),
            sa.Column("state", sa.String(16), nullable=False),
            *(
                sa.Column(name, sa.BigInteger, nullable=False)
                for name in ("expected", "newest", "position", "changed")
            ),
            sa.Column("left_alone", sa.JSON, nullable=False),
            sa.Column("message", TEXT),
            *(
                sa.Column(name, UtcDateTime, nullable=False)
                for name in ("created_at", "changed_at")
            ),
            sa.Column("ended_at", UtcDateTime),
            sa.CheckConstraint(
                "state IN ('available', 'completed', 'cancelled', 'discarded')",
                name="ingest_orders_state",
            ),
        )


def _edits(op: Operations, present: Present) -> None:
    if not present.has("ingest_edits"):
        op.create_table(
            "ingest_edits",
            sa.Column("id", ID, primary_key=True, autoincrement=True),
            sa.Column("job", sa.BigInteger, nullable=False),
            sa.Column("raw", sa.LargeBinary, nullable=False),
            sa.Column("actor", NAME, nullable=False),
            sa.Column("reason", TEXT, nullable=False),
            sa.Column("fields", sa.JSON, nullable=False),
            sa.Column("at", UtcDateTime, nullable=False),
        )
        op.create_index("ingest_edits_job", "ingest_edits", ["job"])


CHUNK = 2_000
"""How many dead letters are read and entered at a time."""

_GROUPED = ("target", "stage", "category", "sqlstate", "exception", "message")

_jobs = sa.table(
    "ingest_jobs",
    sa.column("id", sa.BigInteger),
    *(sa.column(name, TEXT) for name in (*_GROUPED, "state")),
    sa.column("inserted_at", UtcDateTime),
)
_entered = sa.Table(
    "ingest_dead",
    sa.MetaData(),
    sa.Column("job", sa.BigInteger),
    sa.Column("fingerprint", sa.Uuid),
)
_groups = sa.table(
    "ingest_fingerprints",
    sa.column("id", sa.Uuid),
    *(sa.column(name, TEXT) for name in _GROUPED),
    sa.column("first_seen", UtcDateTime),
)


def _fill(op: Operations, present: Present) -> None:
    if not present.has("ingest_jobs"):
        return
    connection = present.connection
    script = op.get_context().as_sql
    present_groups: set[uuid.UUID] = set()
    if present.has("ingest_fingerprints"):
        present_groups.update(connection.execute(sa.select(_groups.c.id)).scalars())
    for rows in _dead_letters(connection, present):
        numbers: dict[uuid.UUID, list[int]] = defaultdict(list)
        groups = []
        for row in rows:
            columns = {name: getattr(row, name) for name in _GROUPED}
            number, message = fingerprint_of(**columns)
            numbers[number].append(row.id)
            if number not in present_groups:
                present_groups.add(number)
                told = {"message": message, "first_seen": row.inserted_at}
                groups.append({**columns, **told, "id": number})
        if script:
            _write(op, numbers, groups)
            continue
        if groups:
            connection.execute(sa.insert(_groups), groups)
        entered: dict[str, list[Any]] = {
            "job": [job for ids in numbers.values() for job in ids],
            "fingerprint": [number for number, ids in numbers.items() for _ in ids],
        }
        dialect_of(connection).insert(connection, _entered, entered, {})


def _dead_letters(connection: sa.Connection, present: Present) -> Iterator[Sequence[Any]]:
    """Those that have no row yet, in chunks."""
    columns = (_jobs.c.id, *(_jobs.c[name] for name in _GROUPED), _jobs.c.inserted_at)
    query = sa.select(*columns).where(_jobs.c.state == "discarded")
    if present.has("ingest_dead"):
        query = query.where(sa.not_(sa.exists().where(_entered.c.job == _jobs.c.id)))
    last = 0
    while True:
        chunk = query.where(_jobs.c.id > last).order_by(_jobs.c.id).limit(CHUNK)
        rows = connection.execute(chunk).all()
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _write(
    op: Operations, numbers: dict[uuid.UUID, list[int]], groups: Sequence[dict[str, Any]]
) -> None:
    """The same as SQL: the dead letters of when it was written, as far as they still are then."""
    for group in groups:
        op.execute(sa.insert(_groups).values(group))
    discarded: sa.ColumnElement[str] = sa.literal_column("'discarded'")
    for number, ids in numbers.items():
        rows = sa.select(_jobs.c.id, sa.literal(number, sa.Uuid)).where(
            _jobs.c.id.in_(ids), _jobs.c.state == discarded
        )
        op.execute(sa.insert(_entered).from_select(["job", "fingerprint"], rows))


MIGRATION = Migration(
    version=6,
    summary="dead letters are grouped, repaired in long orders, and edited",
    steps=(
        Step(_dead),
        Step(_fingerprints),
        Step(_orders),
        Step(_edits),
        Step(_fill, reads=(("ingest_jobs", 5_000),)),
    ),
)
