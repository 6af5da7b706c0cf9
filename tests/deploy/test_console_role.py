"""The roles of deploy/console-role.sql may do what the console does with them, and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.bulk.carry_out import carry_out as carry_on
from sinks.bulk.edits import edit
from sinks.bulk.long_orders import cancel, give
from sinks.control import requests
from sinks.control.requests import WHOLE, Limits
from sinks.database.database import Database
from sinks.database.engine import dispose_engines
from sinks.jobs import store as jobs
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.deploy.test_health_and_metrics import run
from tests.io.sinks.jobs.stored_jobs import DEAD, WHO, store
from transforms.batch.job_states import CANCEL, PURGE, REPLAY, Action
from transforms.errors import SluiceError

SCRIPT = (Path(__file__).parents[2] / "deploy" / "console-role.sql").read_text()
ROLES = ("sluice_console", "sluice_console_viewer")


@pytest.fixture
def letters(postgres_url: str) -> Iterator[list[int]]:
    """The numbers of dead letters in a database that has the roles."""
    from tests.io.sinks.tested_database import Database as Tested

    config = Tested("postgres", postgres_url).sink("events", key=["id"]).config
    numbers = store(config, *[DEAD] * 6)
    for _ in range(2):  # it may be run again
        run(postgres_url, SCRIPT)
    yield numbers
    dispose_engines()
    for role in ROLES:
        run(postgres_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def as_role(url: str, role: str) -> Database:
    return Database(sa.make_url(url).set(username=role).render_as_string(hide_password=False))


def order(action: Action, *ids: int) -> Order:
    return Order.of(action, JobFilter(ids=ids))


def test_operators_and_admins_may_do_everything(postgres_url: str, letters: list[int]) -> None:
    database = as_role(postgres_url, "sluice_console")
    first, second, third, fourth, fifth, sixth = letters
    assert carry_out(database, order(REPLAY, first), **WHO).count == 1
    assert carry_out(database, order(CANCEL, first), **WHO).count == 1
    assert carry_out(database, order(PURGE, second), **WHO).count == 1
    digest = hashlib.sha256(b"{}").hexdigest()
    edited = edit(
        database, third, b'{"id":3}', expected_digest=digest, actor="ann", reason="a typo"
    )
    assert edited.fields == ["id"]
    number = give(database, order(REPLAY, fourth, fifth), actor="ann", reason="again")
    carry_on(database, number)
    assert {job.id: job.state for job in jobs.list_jobs(database)} == {
        first: "cancelled",
        third: "discarded",
        fourth: "available",
        fifth: "available",
        sixth: "discarded",
    }
    cancelled = JobFilter(ids=(first,), state="cancelled")
    assert carry_out(database, Order.of(PURGE, cancelled), **WHO).count == 1
    number = give(database, order(PURGE, sixth), actor="ann", reason="not ours")
    cancel(database, number, **WHO)
    (held,) = requests.ask(database, "events", [WHOLE], "paused", **WHO)
    assert held.holds
    (slowed,) = requests.limit(database, "events", [WHOLE], Limits(max_rate=5), **WHO)
    assert slowed.max_rate == 5


def test_it_reads_a_table_of_yours_only_where_that_is_granted(
    postgres_url: str, letters: list[int]
) -> None:
    url = as_role(postgres_url, "sluice_console").url
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(url, "SELECT * FROM events")
    run(postgres_url, "GRANT SELECT ON events TO sluice_console")
    run(url, "SELECT * FROM events")


def test_viewers_read_and_change_nothing(postgres_url: str, letters: list[int]) -> None:
    database = as_role(postgres_url, "sluice_console_viewer")
    assert [job.id for job in jobs.list_jobs(database)] == letters[::-1]
    for action in (REPLAY, PURGE):
        with pytest.raises(SluiceError, match="permission denied"):
            carry_out(database, order(action, letters[0]), **WHO)
    with pytest.raises(SluiceError, match="permission denied"):
        requests.ask(database, "events", [WHOLE], "paused", **WHO)
