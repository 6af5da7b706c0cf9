"""Orders that tests give."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sinks.bulk.long_orders import LongOrder, get_order, give
from sinks.database.engine import transaction
from sinks.database.tables import audit, counts, jobs, progress
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import WHO
from transforms.batch.job_states import Action


def given(config: SqlConfig, action: Action, which: JobFilter | None = None, **options: Any) -> int:
    """Give a long order for the jobs that ``which`` matches."""
    order = Order.of(action, which or JobFilter(), **options)
    return give(config.database, order, actor=WHO["actor"], reason=WHO["reason"])


def row_of(config: SqlConfig, number: int) -> LongOrder:
    """The order ``number``, which there is."""
    order = get_order(config.database, number)
    assert order is not None
    return order


def chunks_of(config: SqlConfig, number: int, action: Action) -> list[int]:
    """How many jobs each entry of the audit trail says that a chunk of the order has changed."""
    query = sa.select(audit.c.filter, audit.c["count"]).where(audit.c.action == action.name)
    with transaction(config.database, "test", write=False) as connection:
        entries = connection.execute(query.order_by(audit.c.id)).all()
    return [count for which, count in entries if which.get("order") == number]


def copies(config: SqlConfig, number: int) -> None:
    """Let the one job that there is be ``number`` jobs, and the ledger count them (PostgreSQL)."""
    copy = sa.func.generate_series(1, number - 1).column_valued("copy", joins_implicitly=True)
    own = {
        "offset": sa.cast(copy, sa.BigInteger),
        "origin": sa.cast(sa.func.md5(sa.cast(copy, sa.Text)), sa.Uuid),
    }
    columns = [column for column in jobs.c if column.name != "id"]
    values = [own.get(column.name, column) for column in columns]
    copied = sa.select(*values)  # of every job with every number
    with transaction(config.database, "test") as connection:
        names = [column.name for column in columns]
        connection.execute(sa.insert(jobs).from_select(names, copied))
        for table in (progress, counts):
            connection.execute(sa.update(table).values(read=number, dead=number))
        connection.execute(sa.update(progress).values(end_offset=number))
