"""What people have done to jobs, from the audit trail."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from sinks.database.tables import audit
from sinks.figures.sample import Sample


def by_hand(connection: sa.Connection) -> Iterator[Sample]:
    """How many jobs each kind of action has changed; some change none, but steer or give orders."""
    query = sa.select(audit.c.action, sa.func.sum(audit.c.count)).group_by(audit.c.action)
    query = query.where(audit.c.action.not_in(_CHANGE_NO_JOBS))
    for action, number in connection.execute(query.order_by(audit.c.action)):
        yield Sample("sluice_actions_total", int(number), {"action": action})


_CHANGE_NO_JOBS = ("pause", "resume", "drain", "rate", "order", "cancel_order")
