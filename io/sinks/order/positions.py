"""How far the keys of a table have come: rows of ``ingest_positions``, read under a lock."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import positions
from sinks.order.state import Place, State

CHUNK = 1_000
"""How many keys one query asks for."""

_READ = (
    sa.select(
        *(positions.c[name] for name in ("key", "position", "source", "partition")),
        *(positions.c[name] for name in ("offset", "element", "deleted")),
    )
    .where(positions.c.key.in_(sa.bindparam("keys", expanding=True)))
    .order_by(positions.c.key)
    .with_for_update()
)


def locked(
    connection: sa.Connection, target: str, keys: Collection[uuid.UUID]
) -> dict[uuid.UUID, State]:
    """How far ``keys`` have come; nobody else changes that until the transaction ends.

    Keys are locked in their order, so that two writers never wait for each other in a circle.

    Args:
        connection: In a transaction that writes.
        target: The label of the table.
        keys: Their hashes.

    Returns:
        The states of those that have one.

    Raises:
        Contention: Another transaction entered one of them, where nothing waits for that.
    """
    ordered = sorted(keys)
    present = _read(connection, ordered)
    absent = [key for key in ordered if key not in present]
    if absent:
        # A row for each, since there is nothing else to lock; it says that nothing was applied.
        rows = [_row(target, key, State(None, None)) for key in absent]
        dialect_of(connection).insert_absent(connection, positions, rows, "key")
        present |= _read(connection, absent)
    return {key: state for key, state in present.items() if state is not None}


def store(connection: sa.Connection, target: str, states: Mapping[uuid.UUID, State]) -> None:
    """Keep how far keys have come, which were locked before."""
    rows = [_row(target, key, states[key]) for key in sorted(states)]
    if rows:
        dialect_of(connection).upsert(connection, positions, rows)


def _read(connection: sa.Connection, keys: Sequence[uuid.UUID]) -> dict[uuid.UUID, State | None]:
    states: dict[uuid.UUID, State | None] = {}
    for chunk in _chunks(keys):
        for key, position, source, partition, offset, element, deleted in connection.execute(
            _READ, {"keys": chunk}
        ):
            place = Place(source, partition, offset, element)
            states[key] = State(position, place, deleted) if source else None
    return states


def _chunks(keys: Sequence[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    return (list(keys[start : start + CHUNK]) for start in range(0, len(keys), CHUNK))


def _row(target: str, key: uuid.UUID, state: State) -> dict[str, Any]:
    place = state.place or Place("", "", 0)
    return {
        "key": key,
        "target": target,
        "position": state.position,
        **place._asdict(),
        "deleted": state.deleted,
        "changed_at": datetime.now(UTC),
    }
