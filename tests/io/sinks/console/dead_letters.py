"""Stores dead letters with their groups."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import dead, fingerprints, jobs
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, store

_NAMES = ("target", "stage", "category", "sqlstate", "exception", "message")


def store_dead(config: SqlConfig, *kinds: Mapping[str, Any], **place: str) -> list[int]:
    """Store a job for each of ``kinds``, with the rows that dead letters have beside it."""
    numbers = store(config, *kinds, **place)
    with transaction(config.database, "test") as connection:
        columns = [jobs.c[name] for name in _NAMES]
        query = sa.select(jobs.c.id, *columns).where(
            jobs.c.id.in_(numbers), jobs.c.state == "discarded"
        )
        stored_already = set(connection.execute(sa.select(dead.c.job)).scalars())
        for number, *values in connection.execute(query).all():
            if number in stored_already:
                continue
            group = group_of(*values)
            row = {**dict(zip(_NAMES, values, strict=True)), "id": group, "first_seen": FAILED_AT}
            dialect_of(connection).insert_absent(connection, fingerprints, [row], "id")
            connection.execute(sa.insert(dead), {"job": number, "fingerprint": group})
    return numbers


def group_of(*values: Any) -> uuid.UUID:
    """The group of dead letters with these values."""
    return uuid.uuid5(uuid.NAMESPACE_OID, repr(values))
