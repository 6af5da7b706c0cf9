"""How far keys have come is kept, and held while a transaction goes on."""

from __future__ import annotations

import threading
import uuid

from sinks.database.engine import transaction
from sinks.order import positions
from sinks.order.state import Place, State
from tests.io.sinks.tested_database import Database, await_lock

KEYS = [uuid.UUID(int=number) for number in range(1, 6)]
STATE = State(7, Place("kafka://t", "0", 3, 1), deleted=True)


def prepared(database: Database) -> Database:
    database.run("CREATE TABLE events (id integer PRIMARY KEY)")
    database.sink(key=["id"])
    return database


def test_what_is_stored_is_read_again(database: Database) -> None:
    prepared(database)
    with transaction(database.database, "test") as connection:
        assert positions.locked(connection, "t", KEYS) == {}
        positions.store(connection, "t", {KEYS[0]: STATE, KEYS[2]: State(None, STATE.place)})
    with transaction(database.database, "test") as connection:
        assert positions.locked(connection, "t", KEYS) == {
            KEYS[0]: STATE,
            KEYS[2]: State(None, STATE.place),
        }
    assert database.rows("SELECT count(*) FROM ingest_positions WHERE target = 't'") == [(5,)]


def test_a_key_that_is_new_to_two_transactions_has_them_wait(postgres: Database) -> None:
    prepared(postgres)
    seen: list[dict[uuid.UUID, State]] = []

    def other() -> None:
        with transaction(postgres.database, "test") as connection:
            seen.append(positions.locked(connection, "t", KEYS[:2]))

    thread = threading.Thread(target=other)
    with transaction(postgres.database, "test") as connection:
        positions.locked(connection, "t", KEYS[1:])
        thread.start()
        await_lock(postgres)
        positions.store(connection, "t", {KEYS[1]: STATE})
    thread.join()
    assert seen == [{KEYS[1]: STATE}]
