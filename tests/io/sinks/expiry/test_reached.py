"""A partition is read up to its first gap, by the slowest of those who write the table."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.expiry.reached import reached
from tests.io.sinks.expiry.gone_keys import SOURCE, prepared, settled
from tests.io.sinks.tested_database import Database


def test_a_partition_is_read_up_to_its_first_gap(database: Database) -> None:
    prepared(database)
    settled(database, (5, 10), (10, 30), (40, 50))
    settled(database, (0, 90), partition="1")
    settled(database, (0, 7), partition="1", pipeline="slow")
    settled(database, (0, 3), pipeline="other", target="others")
    settled(database, (0, 9), partition="3")
    with transaction(database.database, "test") as connection:
        asked = {(SOURCE, "0"), (SOURCE, "1"), (SOURCE, "2")}
        assert reached(connection, "events", asked) == {(SOURCE, "0"): 30, (SOURCE, "1"): 7}
