"""The law of counts, for each table and the whole: read and expanded are the sum of the outcomes."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.sql import SqlSink
from tests.io.sinks.routed import (
    LINES,
    NOTES,
    ORDERS,
    Steps,
    attempt,
    batch_of,
    due,
    keyed,
    of_run,
    sink_of,
    tables_of,
)
from tests.io.sinks.tested_database import Database
from transforms.batch.counts import Counts
from transforms.batch.job_states import CANCEL, PURGE, REPLAY, Action
from transforms.batch.record import RecordBatch
from transforms.route.table_name import UNROUTED

TABLES = ("orders", "lines", "notes")


@pytest.fixture
def sink(database: Database) -> SqlSink:
    database.run(ORDERS, LINES, NOTES)
    return sink_of(database, *keyed(*TABLES))


def order(database: Database, action: Action, **which: Any) -> int:
    chosen = Order.of(action, JobFilter(**which))
    return carry_out(database.database, chosen, actor="me", reason="test").count


@pytest.fixture
def sqlite_sink(sqlite_database: Database) -> SqlSink:
    sqlite_database.run(ORDERS, LINES, NOTES)
    return sink_of(sqlite_database, *keyed(*TABLES))


class TestRead:
    def test_the_first_row_of_a_record_is_read_and_the_others_expanded_for_their_tables(
        self, sqlite_database: Database, sqlite_sink: SqlSink
    ) -> None:
        records = [{"id": 1, "to": ["notes", "orders"]}, {"id": 2, "to": ["orders"]}]
        settled = sqlite_sink.commit([Steps().applied(batch_of(*records))])
        assert tables_of(sqlite_database) == {
            "notes": {"read": 1, "inserted": 1},
            "orders": {"read": 1, "expanded": 1, "inserted": 2},
        }
        assert of_run(settled) == {
            "notes": Counts(read=1, inserted=1),
            "orders": Counts(read=1, expanded=1, inserted=2),
        }

    def test_a_message_is_read_for_the_table_of_its_first_element(
        self, sqlite_database: Database, sqlite_sink: SqlSink
    ) -> None:
        message = [{"id": 1, "to": ["notes"]}, {"id": 2, "to": ["orders"]}]
        sqlite_sink.commit([Steps().applied(batch_of(message, message))])
        assert tables_of(sqlite_database) == {
            "notes": {"read": 2, "inserted": 1, "duplicates": 1},
            "orders": {"expanded": 2, "inserted": 1, "duplicates": 1},
        }

    def test_a_message_without_its_first_element_is_read_once_too(
        self, sqlite_database: Database, sqlite_sink: SqlSink
    ) -> None:
        message = [{"id": 1, "to": ["notes"]}, {"id": 2, "to": ["orders"]}]
        batch = replace(batch_of(message), elements=[1, 2])
        sqlite_sink.commit([Steps().applied(batch)])
        assert tables_of(sqlite_database) == {
            "notes": {"read": 1, "inserted": 1},
            "orders": {"expanded": 1, "inserted": 1},
        }

    def test_what_a_step_leaves_out_is_of_no_table(
        self, sqlite_database: Database, sqlite_sink: SqlSink
    ) -> None:
        steps = Steps(dropped={1, 3})
        message = [{"id": 3, "to": ["notes"]}, {"id": 4, "to": ["notes"]}]
        sqlite_sink.commit([steps.applied(batch_of([{"id": 1, "to": ["notes"]}], message))])
        assert tables_of(sqlite_database) == {
            UNROUTED: {"read": 2, "filtered": 2},
            "notes": {"expanded": 1, "inserted": 1},
        }

    def test_without_routes_nothing_is_told_apart(self, sqlite_database: Database) -> None:
        sqlite_database.run(ORDERS)
        (settled,) = sqlite_database.sink("orders", key=["id"]).commit(
            [replace(Steps().applied(batch_of({"id": 1, "to": ["x"]})), targets=None)]
        )
        assert settled.by_target == {}


class TestJobs:
    def test_a_job_that_becomes_several_leaves_its_table(
        self, database: Database, sink: SqlSink
    ) -> None:
        first = sink.commit([Steps(away={1}).applied(batch_of({"id": 1, "to": list(TABLES)}))])
        assert of_run(first) == {UNROUTED: Counts(read=1, retrying=1)}
        then = attempt(sink, Steps(late={(1, "notes")}))
        assert tables_of(database) == {
            "orders": {"read": 1, "inserted": 1},
            "lines": {"expanded": 1, "inserted": 1},
            "notes": {"expanded": 1, "retrying": 1},
        }
        assert of_run([*first, *then])[UNROUTED] == Counts()

    def test_another_run_reads_the_job_for_the_table_where_it_is_now(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps(away={1}).applied(batch_of({"id": 1, "to": ["orders"]}))])
        settled = attempt(replace(sink, run="second"), Steps())
        assert of_run(settled) == {"orders": Counts(read=1, inserted=1)}
        assert tables_of(database) == {"orders": {"read": 1, "inserted": 1}}

    def test_a_job_that_a_step_leaves_out_now_is_of_no_table(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps(late={(1, "orders")}).applied(batch_of({"id": 1, "to": ["orders"]}))])
        attempt(sink, Steps(dropped={1}))
        assert tables_of(database) == {UNROUTED: {"read": 1, "filtered": 1}}

    def test_routes_that_are_gone_leave_the_job_to_the_table_of_the_pipeline(
        self, database: Database
    ) -> None:
        database.run(ORDERS, NOTES)
        sink = sink_of(database, *keyed("orders"), home="notes", key=["id"])
        sink.commit([Steps(late={(1, "orders")}).applied(batch_of({"id": 1, "to": ["orders"]}))])
        without = replace(sink, tables=None)
        without.commit([replace(batch, values=[{"id": 1}]) for batch in due(without)])
        assert tables_of(database) == {"notes": {"read": 1, "inserted": 1}}


def _mixture(chance: random.Random, start: int) -> RecordBatch:
    """Records of all kinds: messages with several, documents of lines, poison, and to nowhere."""

    def record() -> dict[str, Any]:
        to = chance.sample(TABLES, chance.choice((0, 1, 1, 1, 2, 3)))
        return {"id": chance.randrange(60), "n": chance.choice((-1, 1, 2, 3)), "to": to}

    def document() -> Any:
        lines = [record() for _ in range(chance.choice((0, 1, 2, 3)))]
        return {"id": 1_000 + chance.randrange(60), "lines": lines, "to": []}

    messages = chance.random() < 0.5
    records: list[Any] = [chance.choice((record, record, document))() for _ in range(12)]
    if messages:
        records = [[one, record()] for one in records]
    return batch_of(*records, start=start)


@pytest.mark.parametrize("seed", [1, 2])
def test_it_holds_at_every_moment(database: Database, sink: SqlSink, seed: int) -> None:
    chance = random.Random(seed)
    settled = []
    for number in range(8):
        steps = Steps(
            away=set(chance.sample(range(60), 12))
            | {1_000 + n for n in chance.sample(range(60), 9)},
            dropped=set(chance.sample(range(60), 5)),
            late={(id_, chance.choice(TABLES)) for id_ in chance.sample(range(60), 15)},
        )
        sink = replace(sink, run=f"run-{number // 2}")
        settled += sink.commit([steps.applied(_mixture(chance, number * 12))])
        tables_of(database)
        settled += attempt(sink, steps)
        tables_of(database)
        action, states = chance.choice(
            [
                (REPLAY, "discarded"),
                (PURGE, "discarded"),
                (CANCEL, "retryable"),
                (REPLAY, "cancelled"),
            ]
        )
        order(database, action, state=states, target=chance.choice((None, *TABLES, UNROUTED)))
        tables_of(database)
    settled += attempt(sink, Steps())
    of_run(settled)
    counts = tables_of(database)
    assert set(counts) == {*TABLES, UNROUTED}
    assert {name for table in counts.values() for name in table} >= {
        *("read", "expanded", "inserted", "updated", "dead", "filtered")
    }
