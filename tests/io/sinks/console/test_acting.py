"""What an action would change is counted within bounds, and followed afterwards."""

from __future__ import annotations

import pytest

from sinks.console.acting import afterwards, entries_since, extent, newest_entry
from sinks.console.counting import Count
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import NO_BYTES, REPLAYED_OFTEN, Order
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.jobs.stored_jobs import WHO, act, prepared, stored
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import CANCEL, PURGE, REPLAY

PARSE = {"stage": "parse"}


class TestExtent:
    def test_it_is_what_the_action_changes(self, database: Database) -> None:
        config = prepared(database)
        empty = {"stage": "read", "raw": b""}
        numbers = store_dead(
            config,
            PARSE,
            {**PARSE, "replays": 5},
            empty,
            {"state": "retryable"},
            {"state": "cancelled"},
        )
        order = Order.of(REPLAY, JobFilter())
        meant = extent(config.database, order)
        assert meant.ids == (numbers[0],)
        assert (meant.count, meant.looked_at) == (Count(1, exact=True), 3)
        assert meant.left_alone == {REPLAYED_OFTEN: 1, NO_BYTES: 1}
        every = extent(config.database, Order.of(REPLAY, JobFilter(), every_state=True))
        assert every.ids == (numbers[4], numbers[0])
        assert extent(config.database, Order.of(CANCEL, JobFilter())).ids == (numbers[3],)
        text = extent(config.database, Order.of(PURGE, JobFilter(text="{", stage="parse")))
        assert text.ids == (numbers[1], numbers[0])
        few = extent(config.database, Order.of(PURGE, JobFilter(ids=(numbers[2],))))
        assert few.ids == (numbers[2],)
        assert act(config, REPLAY).count == 1

    @pytest.mark.parametrize("which", [JobFilter(), JobFilter(stage="write"), JobFilter(text="{")])
    def test_more_than_the_most_are_not_listed(self, database: Database, which: JobFilter) -> None:
        config = prepared(database)
        store_dead(config, *({} for _ in range(6)))
        meant = extent(config.database, Order.of(REPLAY, which), most=5)
        assert meant.ids is None
        assert meant.count.number >= 6  # Postgres estimates
        assert not meant.count.exact
        whole = extent(config.database, Order.of(REPLAY, which), most=6, seconds=60)
        assert whole.count == Count(6, exact=True)

    def test_without_tables_there_is_nothing(self, database: Database) -> None:
        order = Order.of(REPLAY, JobFilter())
        assert extent(database.database, order).ids == ()
        assert newest_entry(database.database) == 0
        assert afterwards(database.database, [1]) is None


class TestAfterwards:
    def test_the_states_of_those_that_entries_name(self, database: Database) -> None:
        config = prepared(database)
        numbers = store_dead(config, {}, {}, {}, {})
        act(config, PURGE, JobFilter(ids=(numbers[0],)))
        newest = newest_entry(config.database)
        act(config, REPLAY, JobFilter(ids=tuple(numbers[1:3])))
        act(config, REPLAY, JobFilter(ids=(numbers[3],)))
        entries = entries_since(config.database, "replay", WHO["actor"], WHO["reason"], newest)
        assert entries == (newest + 1, newest + 2)
        became = afterwards(config.database, entries)
        assert became is not None
        assert (became.count, became.states) == (3, {"available": 3})
        act(config, CANCEL, JobFilter(ids=(numbers[1],)))
        act(config, PURGE, JobFilter(ids=(numbers[1],), state="cancelled"))
        became = afterwards(config.database, entries)
        assert became is not None
        assert became.states == {"available": 2, "purged": 1}
        assert stored(config, "state") == ["available"] * 2
