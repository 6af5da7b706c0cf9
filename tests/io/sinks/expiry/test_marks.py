"""The highest offset of a forgotten delete stays, and concerns those who write its table."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.expiry import marks
from tests.io.sinks.expiry.gone_keys import SOURCE, marked, prepared, settled
from tests.io.sinks.tested_database import Database


def test_a_mark_never_falls(database: Database) -> None:
    prepared(database)
    with transaction(database.database, "test") as connection:
        marks.enter(connection, "events", {(SOURCE, "0"): 7, (SOURCE, "1"): 9})
        marks.enter(connection, "events", {(SOURCE, "0"): 3, (SOURCE, "1"): 12})
        marks.enter(connection, "others", {(SOURCE, "0"): 1})
    assert marked(database) == [("events", "0", 7), ("events", "1", 12), ("others", "0", 1)]


def test_marks_of_tables_that_a_pipeline_does_not_write_do_not_concern_it(
    database: Database,
) -> None:
    prepared(database)
    settled(database, (0, 10))
    settled(database, target="second")
    settled(database, (0, 10), pipeline="other", target="others")
    with transaction(database.database, "test") as connection:
        for target, offset in (("events", 7), ("second", 8), ("others", 9)):
            marks.enter(connection, target, {(SOURCE, "0"): offset, (SOURCE, "1"): offset})
        both = {(SOURCE, "0"), (SOURCE, "1")}
        assert marks.highest_of(connection, "events", both) == {(SOURCE, "0"): (8, "second")}
        assert marks.highest_of(connection, "other", both) == {(SOURCE, "0"): (9, "others")}
        assert marks.highest_of(connection, "nobody", both) == {}
