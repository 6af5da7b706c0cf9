"""The checks of outages see a database that commits when it should not, or loses what it committed.

They are not offered by a database in this process; the suite's runs on servers have them pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.conformance.check import Check
from pipelines.conformance.checks.interruptions import outages
from pipelines.conformance.ground import ground_in
from pipelines.conformance.suite import carried_out
from sinks.database.database import Database
from tests.pipelines.conformance.grounds import named, result_of


@pytest.mark.parametrize("check", outages.CHECKS, ids=lambda check: check.name)
def test_a_database_in_this_process_has_no_connection_to_lose(check: Check, tmp_path: Path) -> None:
    result = result_of(check, tmp_path)
    assert (result.status, result.why[:35]) == (
        "not offered",
        "the database runs in this process, ",
    )


def _raw(connection: sa.Connection) -> Any:
    return connection.connection.dbapi_connection


def _commit(connection: sa.Connection, *_: object) -> None:
    _raw(connection).commit()


FAULTS: Mapping[str, tuple[str, Callable[..., None]]] = {
    "outages.statements": ("after_cursor_execute", _commit),
    "outages.before_commit": ("commit", _commit),
    "outages.answer": ("commit", lambda connection: _raw(connection).rollback()),
}
"""By check, what the database does too early or not at all, and on which event."""


def test_a_database_that_commits_too_early_or_not_at_all_is_seen(postgres_url: str) -> None:
    reasons = {}
    with ground_in(Database(postgres_url)) as ground:
        for name, (event, fault) in FAULTS.items():
            check = named(outages.CHECKS, name)
            ground.sink(check.table, key=["id"], schema=outages.SCHEMA)
            sa.event.listen(ground.engine, event, fault)
            result, _ = carried_out(check, ground)
            sa.event.remove(ground.engine, event, fault)
            reasons[name] = result.why.partition(":")[0]
    assert reasons == {
        "outages.statements": "rows after the connection was lost",
        "outages.before_commit": "rows after the connection was lost",
        "outages.answer": "rows after the commit",
    }
