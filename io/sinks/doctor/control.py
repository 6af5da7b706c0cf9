"""Which pipelines an operator holds, since when and why."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.tables import control
from sinks.doctor.item import Item, length
from sinks.doctor.scope import Scope

MOST = 100
"""How many requests are looked at."""


def held(row: Any, now: datetime) -> Item:
    """The verdict on one request: a row of ``ingest_control``."""
    part = f", source {row.source}" if row.source else ""
    limits = [
        f"{number:,.0f} {unit} a second"
        for number, unit in ((row.max_rate, "records"), (row.max_bytes_rate, "bytes"))
        if number is not None
    ]
    figures = {
        "state": row.state,
        "source": row.source,
        "actor": row.actor,
        "reason": row.reason,
        "since": row.changed_at.isoformat(),
        "max_rate": row.max_rate,
        "max_bytes_rate": row.max_bytes_rate,
    }
    ago = length(now - row.changed_at)
    if row.state == "running":
        what = f"at most {' and '.join(limits)}{part}, since {ago}, by {row.actor}: {row.reason}"
        return Item("control", "ok", what, row.pipeline, figures=figures)
    what = f"{row.state} since {ago} by {row.actor}{part}: {row.reason}"
    todo = f"once the reason is gone: sluice resume --pipeline {shlex.quote(row.pipeline)}"
    todo += f" --source {shlex.quote(row.source)}" if row.source else ""
    return Item("control", "warning", what, row.pipeline, todo, figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at what operators ask of pipelines, apart from those that merely run."""
    limited = sa.or_(control.c.max_rate.is_not(None), control.c.max_bytes_rate.is_not(None))
    query = sa.select(control).where(sa.or_(control.c.state != "running", limited))
    if scope.question.pipeline is not None:
        query = query.where(control.c.pipeline == scope.question.pipeline)
    rows = connection.execute(query.order_by(control.c.changed_at).limit(MOST)).all()
    for row in rows:
        yield held(row, scope.now)
    if not rows:
        yield Item("control", "ok", "no pipeline is paused, draining or slowed down")
