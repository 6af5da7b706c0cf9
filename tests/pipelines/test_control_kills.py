"""A command that steers a pipeline, killed twice between any two of its steps, has done all of it or nothing.

Its steps are its statements and its commits. Its row, its entry in the audit trail and, of a rewind, ledger, jobs
and counts change together.
"""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import command
from pipelines.control import rewind
from sinks.database.database import Database as OurDatabase
from sinks.database.engine import dispose_engines, engine_of
from tests.io.sinks.rewind.settled import SOURCE, batch, sink_of
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import audit
from tests.pipelines.control.asked import rows, steer
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

STATES = {"pause": "paused", "resume": "running"}
"""What two of the steering commands lead to; all have the same steps."""

REWIND = ("--partition", "0", "--from_offset", "5", "--yes")
FORGOTTEN = "SELECT sum(end_offset - start_offset), sum(read), sum(rewound) FROM ingest_progress"


@pytest.fixture
def ran(sink: str) -> str:
    """The URL of a database whose pipeline ``events`` has read a topic, and is paused."""
    kind = "sqlite" if sink.startswith("sqlite") else "postgres"
    sink_of(Database(kind, sink)).commit([batch(0, 10, dead={2, 6}, retrying={7})])
    assert steer("pause", sink) == 0
    return sink


def carry_out(action: str, sink: str) -> int:
    if action == "rewind":
        argv = ["--sink", sink, "--pipeline", "events", "--source", SOURCE, *REWIND]
        return command.run(action, rewind.main, [*argv, "--reason", "why"])
    return steer(action, sink, reason=f"to {action}")


def state(sink: str) -> list[Any]:
    """All that a command may change."""
    tables = ("control", "audit", "progress", "counts", "jobs", "queue")
    return [sorted(map(repr, query(sink, f"SELECT * FROM ingest_{name}"))) for name in tables]


def entries(sink: str, action: str) -> int:
    ((number,),) = query(sink, f"SELECT count(*) FROM ingest_audit WHERE action = '{action}'")
    return int(number)


def is_done(action: str, sink: str, number: int) -> None:
    """Fail unless the action has been carried out as a whole, ``number`` times."""
    assert entries(sink, action) == number
    row = rows(sink)[""]
    if action == "rewind":
        assert (row.state, row.generation) == ("paused", number)
        assert [tuple(map(int, cells)) for cells in query(sink, FORGOTTEN)] == [(5, 10, 2)]
        assert query(sink, "SELECT count(*) FROM ingest_jobs") == [(1,)]
        return
    assert row.state == STATES[action]


def killed_at(action: str, sink: str, number: int) -> bool:
    """Carry it out in a process that is killed before its n-th step; False if it has fewer."""
    dispose_engines()
    child = os.fork()
    if child == 0:
        try:
            left = iter(range(number))

            def step(*_: Any) -> None:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            engine = engine_of(OurDatabase(sink))
            sa.event.listen(engine, "before_cursor_execute", step)
            commit = engine.dialect.do_commit

            def stepped(dbapi_connection: Any) -> None:
                step()
                commit(dbapi_connection)
                step()

            engine.dialect.do_commit = stepped  # type: ignore[method-assign]
            carry_out(action, sink)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("action", ["pause", "resume", "rewind"])
def test_a_command_that_is_killed_twice_at_a_step_has_done_all_of_it_or_nothing(
    action: str, ran: str
) -> None:
    before, already = state(ran), entries(ran, action)
    for number in itertools.count():
        assert killed_at(action, ran, number), "no step lies behind its commit"
        if state(ran) != before:
            break
        assert killed_at(action, ran, number)
        assert state(ran) == before, f"killed before step {number}"
    assert number > 5
    is_done(action, ran, already + 1)

    # The commit has gone through and nobody was told: the same kill again, and then somebody asks once more.
    killed_at(action, ran, number)
    again = action != "rewind"  # there, nothing is left to forget
    is_done(action, ran, already + 1 + again)
    assert carry_out(action, ran) == (0 if again else 2)
    is_done(action, ran, already + 1 + 2 * again)
    assert audit(ran) == 0
