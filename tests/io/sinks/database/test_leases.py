"""A lease belongs to one process while it is renewed, and to whoever asks once it has run out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from sinks.database import leases
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.database.tables import leases as leases_table
from tests.io.sinks.tested_database import Database

PAST = "2001-01-01 00:00:00"


@pytest.fixture
def leased(database: Database) -> Database:
    """A database with the table of leases."""
    with transaction(database.database, "test") as connection:
        version.create(connection)
    return database


def another_process() -> None:
    """From here on, what was held is held by a process that is gone."""
    leases.held_leases.clear()


def run_out(database: Database, name: str) -> None:
    database.run(f"UPDATE ingest_leases SET expires_at = '{PAST}' WHERE name = '{name}'")


def alive(database: Database, name: str) -> bool:
    with transaction(database.database, "test", write=False) as connection:
        ends = sa.select(leases_table.c.expires_at).where(leases_table.c.name == name)
        return bool(connection.execute(ends).scalar_one() > dialect_of(connection).now(connection))


def await_true(condition: Callable[[], bool]) -> None:
    wait = threading.Event()
    for _ in range(600):
        if condition():
            return
        wait.wait(0.05)
    raise AssertionError("it did not come true within 30 s")


def test_a_lease_is_free_once_it_has_run_out_and_not_before(leased: Database) -> None:
    assert leases.hold(leased.database, "one", 60)
    another_process()
    assert not leases.hold(leased.database, "one", 60)
    run_out(leased, "one")
    assert leases.hold(leased.database, "one", 60)


def test_it_is_said_once_that_a_lease_of_another_process_was_taken_over(
    leased: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        leases.hold(leased.database, "one", 60)
    run_out(leased, "one")
    leases.hold(leased.database, "one", 60)  # its own
    assert caplog.messages == []
    run_out(leased, "one")
    another_process()
    for _ in range(2):
        assert leases.hold(leased.database, "one", 60)
    (line,) = map(vars, caplog.records)
    assert line["lease"] == "one"
    assert leases.process_name() in line["holder"]


def test_its_holder_may_take_it_again(leased: Database) -> None:
    assert leases.hold(leased.database, "one", 60)
    assert leases.hold(leased.database, "one", 60)


def test_a_lease_that_was_given_up_is_free_at_once(
    leased: Database, caplog: pytest.LogCaptureFixture
) -> None:
    leases.hold(leased.database, "one", 60)
    leases.release(leased.database, "one")
    assert not leases.touch(leased.database, "one")
    another_process()
    assert leases.hold(leased.database, "one", 60)
    assert caplog.messages == [], "nobody is gone"


def test_only_its_holder_can_give_it_up(leased: Database) -> None:
    leases.hold(leased.database, "one", 60)
    another_process()
    leases.release(leased.database, "one")
    assert alive(leased, "one")


def test_all_are_given_up_at_once(leased: Database) -> None:
    for name in ("one", "two"):
        leases.hold(leased.database, name, 60)
    leases.release_all()
    assert not alive(leased, "one")
    assert not alive(leased, "two")


def test_a_lease_is_renewed_while_it_is_held_and_each_renewal_beats(leased: Database) -> None:
    beats = threading.Semaphore(0)
    leases.hold(leased.database, "one", 0.3, beats.release)
    for _ in range(3):
        assert beats.acquire(timeout=30)
    assert leases.touch(leased.database, "one")


def test_a_process_that_forgets_its_leases_does_not_renew_them(leased: Database) -> None:
    leases.hold(leased.database, "one", 0.3)
    another_process()
    await_true(lambda: not alive(leased, "one"))


def test_a_lease_that_another_took_is_not_held_any_more(leased: Database) -> None:
    leases.hold(leased.database, "one", 0.3)
    leased.run("UPDATE ingest_leases SET holder = 'elsewhere'")
    await_true(lambda: not leases.touch(leased.database, "one"))


def test_a_child_process_holds_none_of_its_parents_leases(postgres: Database) -> None:
    with transaction(postgres.database, "test") as connection:
        version.create(connection)
    leases.hold(postgres.database, "one", 60)
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        taken = True
        try:
            touched = leases.touch(postgres.database, "one")
            taken = touched or leases.hold(postgres.database, "one", 60)
        finally:
            os._exit(int(taken))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert leases.touch(postgres.database, "one")
    leases.release_all()


def test_no_two_names_are_the_same() -> None:
    assert leases.new_name("jobs") != leases.new_name("jobs")
