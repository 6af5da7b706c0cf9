"""Nobody waits long for a rehearsal: whoever does ends it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from sinks.rehearsal.rehearsal import rehearsal
from tests.io.sinks.rehearsal.guarded import create
from tests.io.sinks.tested_database import Database, await_lock
from transforms.errors import SluiceError


def write(postgres: Database, key: int) -> None:
    with closing(postgres.connect()) as connection:
        connection.cursor().execute(f"INSERT INTO orders VALUES ({key})")
        connection.commit()


def hold_up(postgres: Database, threads: ThreadPoolExecutor, goes_on: str) -> None:
    """Rehearse a row that another session writes as well, and execute ``goes_on`` without end."""
    with rehearsal(postgres.database) as trial:
        trial.connection.exec_driver_sql("INSERT INTO orders VALUES (7)")
        threads.submit(write, postgres, 7)
        await_lock(postgres)
        while True:
            trial.connection.exec_driver_sql(goes_on)


@pytest.mark.parametrize("goes_on", ["SELECT pg_sleep(600)", "SELECT 1"])
def test_whoever_waits_for_a_rehearsal_ends_it(postgres: Database, goes_on: str) -> None:
    create(postgres)
    line = "since another session waited for it; nothing was changed"
    with ThreadPoolExecutor() as threads, pytest.raises(SluiceError, match=line):
        hold_up(postgres, threads, goes_on)
    assert postgres.rows("SELECT count(*) FROM orders WHERE id = 7") == [(1,)]


def test_rows_with_other_keys_are_written_meanwhile(postgres: Database) -> None:
    create(postgres)
    with rehearsal(postgres.database) as trial:
        trial.connection.exec_driver_sql("INSERT INTO orders VALUES (7)")
        write(postgres, 8)
        trial.connection.exec_driver_sql("SELECT 1")
    assert postgres.rows("SELECT id FROM orders WHERE id > 2") == [(8,)]
