"""Settle the objects of a commit, in the transaction that enters their ranges into the ledger."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import objects
from sinks.objects import intents
from sinks.objects.intents import enter_orphans, object_row
from sinks.objects.planned import Written


def settle(connection: sa.Connection, written: Written) -> None:
    """Make the objects part of their datasets, and end their intents.

    Args:
        connection: In the transaction, after the ledger: both take its locks first.
        written: The objects.

    Raises:
        Superseded: Another writer has taken over; the transaction must be rolled back.
    """
    intents.close(connection, written.intents)
    at = dialect_of(connection).now(connection)
    rows = [
        {
            **object_row(each.planned.intent, each.planned.id),
            "rows": each.rows,
            "bytes": each.bytes,
            "etag": each.etag,
            "state": "settled",
            "pending": True,
            "created_at": at,
            "changed_at": at,
        }
        for each in written.objects
        if each.rows
    ]
    if rows:
        connection.execute(sa.insert(objects), rows)
    for result in written.objects:
        intent = result.planned.intent
        if not result.rows and intent.fence > 1:  # an earlier attempt may have had records for it
            enter_orphans(connection, intent, [result.planned.id])
