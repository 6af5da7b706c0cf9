"""The ledger: any sequence of overlapping batches counts every record once."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.database.engine import dispose_engines
from sinks.ledger.ledger import audit
from sinks.sql import SqlLedger
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage, merge
from transforms.errors import SinkUnavailable

TABLE = "CREATE TABLE events (id integer PRIMARY KEY)"
PLACE = ("file:///a", "p")


def numbers(start: int, end: int) -> list[dict[str, Any]]:
    return [{"id": i} for i in range(start, end)]


class TestSqlLedger:
    def test_partitions_of_any_source_are_looked_up_by_their_names(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch(numbers(0, 3), partition="v1", source="file:///a")])
        sink.commit([make_batch(numbers(3, 5), partition="v2", source="file:///b")])
        assert SqlLedger(sink.config).elsewhere(["v2", "v3"]) == {
            ("file:///b", "v2"): Coverage(((0, 2),))
        }

    def test_looking_up_names_does_not_read_the_whole_ledger(
        self, sqlite_database: Database
    ) -> None:
        sqlite_database.run(TABLE)
        sqlite_database.sink(key=["id"]).prepare()
        names = "partition IN ('v1', 'v2')"
        query = f"SELECT source, content FROM ingest_progress WHERE pipeline = 'events' AND {names}"
        plan = str(sqlite_database.rows(f"EXPLAIN QUERY PLAN {query}"))
        assert "ingest_progress_partition (pipeline=? AND partition=?)" in plan

    def test_without_a_ledger_nothing_is_settled(self, database: Database) -> None:
        ledger = SqlLedger(database.config(key=["id"]))
        assert ledger.coverage([PLACE]) == {}
        assert ledger.partitions("file:///a") == {}
        assert ledger.unresolved() == {}

    def test_unknown_partitions_are_absent(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch(numbers(0, 3))])
        ledger: SqlLedger = pickle.loads(pickle.dumps(SqlLedger(sink.config)))
        assert ledger.coverage([PLACE, ("file:///a", "q"), ("file:///b", "p")]) == {
            PLACE: Coverage(((0, 3),))
        }
        assert ledger.coverage([]) == {}

    def test_partitions_are_those_of_one_source_and_table(self, database: Database) -> None:
        database.run(TABLE, "CREATE TABLE others (id integer PRIMARY KEY)")
        sink = database.sink(key=["id"])
        sink.commit([make_batch(numbers(0, 1), partition="0", source="kafka://t")])
        sink.commit([make_batch(numbers(1, 3), 7, partition="1", source="kafka://t")])
        sink.commit([make_batch(numbers(3, 4), source="elsewhere")])
        database.sink("others", key=["id"]).commit(
            [make_batch(numbers(0, 1), partition="2", source="kafka://t")]
        )
        assert SqlLedger(sink.config).partitions("kafka://t") == {
            "0": Coverage(((0, 1),)),
            "1": Coverage(((7, 9),)),
        }

    def test_a_contiguous_partition_is_one_row(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        for start in (0, 20, 10, 30):
            sink.commit([make_batch(numbers(start, start + 10), start)])
        assert database.rows("SELECT start_offset, end_offset, read FROM ingest_progress") == [
            (0, 40, 40)
        ]

    @pytest.mark.parametrize("there", [0, 5])
    def test_the_end_may_be_known_only_after_the_last_record(
        self, database: Database, there: int
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        if there:
            sink.commit([make_batch(numbers(0, there))])
        assert not SqlLedger(sink.config).coverage([PLACE]).get(PLACE, Coverage()).complete
        (settled,) = sink.commit([make_batch([], there, final=True)])
        assert counts(settled) == {}
        coverage = SqlLedger(sink.config).coverage([PLACE])[PLACE]
        assert coverage == Coverage(((0, there),), there)
        assert coverage.complete
        assert database.rows("SELECT count(*) FROM ingest_progress") == [(1,)]

    def test_the_end_may_be_known_before_the_records(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch([], 5, final=True)])
        assert not SqlLedger(sink.config).coverage([PLACE])[PLACE].complete
        sink.commit([make_batch(numbers(0, 5))])
        assert SqlLedger(sink.config).coverage([PLACE])[PLACE] == Coverage(((0, 5),), 5)
        assert database.rows("SELECT count(*) FROM ingest_progress") == [(1,)]

    def test_a_batch_that_is_settled_may_still_say_where_the_end_is(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch(numbers(0, 5))])
        (settled,) = sink.commit([make_batch(numbers(3, 5), 3, final=True)])
        assert counts(settled) == {"trimmed": 2}
        assert SqlLedger(sink.config).coverage([PLACE])[PLACE].complete

    def test_records_may_lie_anywhere_in_their_span(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batch = make_batch([{"id": 1}, {"id": 2}], 10, end=100)
        sink.commit([batch])
        (settled,) = sink.commit([make_batch(numbers(50, 150), 50)])
        assert counts(settled) == {"read": 50, "inserted": 50, "trimmed": 50}
        assert SqlLedger(sink.config).coverage([PLACE])[PLACE] == Coverage(((10, 150),))

    def test_an_unreachable_database_is_said_so(self) -> None:
        database = Database("postgres", "postgresql://someone@127.0.0.1:1/shop")
        with pytest.raises(SinkUnavailable):
            SqlLedger(database.config(key=["id"])).coverage([PLACE])


class TestAudit:
    def test_every_partition_is_listed_with_its_sum(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch(numbers(0, 3)), make_batch(numbers(2, 5), 6, filtered=1, end=10)])
        sink.commit([make_batch([], source="file:///b", final=True)])
        first, second = audit(sink.config.database)
        assert (first.pipeline, first.source, first.partition) == ("events", *PLACE)
        assert first.coverage.ranges == ((0, 3), (6, 10))
        assert first.coverage.holes == [(3, 6)]
        assert first.counts == Counts(read=7, inserted=5, duplicates=1, filtered=1)
        assert first.counts.conserved
        assert first.updated_at.tzinfo is not None
        assert second.coverage.complete

    def test_it_can_be_of_one_pipeline(self, database: Database) -> None:
        database.run(TABLE, "CREATE TABLE others (id integer PRIMARY KEY)")
        sink = database.sink(key=["id"])
        sink.commit([make_batch(numbers(0, 3))])
        other = database.sink("others", key=["id"])
        other.commit([make_batch(numbers(0, 3))])
        assert [each.pipeline for each in audit(other.config.database)] == ["events", "others"]
        assert [
            each.pipeline for each in audit(other.config.database, SqlLedger(other.config))
        ] == ["others"]

    def test_without_a_ledger_there_is_nothing_to_audit(self, database: Database) -> None:
        assert list(audit(database.database)) == []


spans = st.tuples(st.integers(0, 30), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1]))
commits = st.lists(st.lists(spans, min_size=1, max_size=3), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", ["sqlite", "generic"])
@given(history=commits)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_overlapping_history_counts_each_record_once(
    kind: str, history: list[list[tuple[int, int]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            check_history(Database(kind, f"sqlite:///{Path(folder)}/test.db"), history)
        finally:
            dispose_engines()


@given(history=commits)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_overlapping_history_counts_each_record_once_on_postgres(
    postgres: Database, history: list[list[tuple[int, int]]]
) -> None:
    postgres.run("DROP TABLE IF EXISTS events, ingest_progress, ingest_jobs")
    check_history(postgres, history)


def check_history(database: Database, history: list[list[tuple[int, int]]]) -> None:
    sink = database.sink()  # keyed by origin: a record written twice would show
    read = trimmed = given_records = 0
    for ranges in history:
        batches = [make_batch([{"n": i} for i in range(*span)], span[0]) for span in ranges]
        given_records += sum(end - start for start, end in ranges)
        for settled in sink.commit(batches):
            assert settled.counts.read == settled.counts.inserted
            read += settled.counts.read
            trimmed += settled.trimmed
    covered = {i for ranges in history for span in ranges for i in range(*span)}
    spans = [span for ranges in history for span in ranges]
    # The very first span is entered even when it is empty: it says where reading began.
    union = merge(span for index, span in enumerate(spans) if index == 0 or span[0] < span[1])
    assert read == len(covered)
    assert trimmed == given_records - len(covered)
    offsets = database.rows("SELECT ingest_offset FROM events ORDER BY 1")
    assert [row[0] for row in offsets] == sorted(covered)
    coverage = SqlLedger(sink.config).coverage([PLACE]).get(PLACE, Coverage())
    assert coverage.ranges == union
    assert database.rows("SELECT count(*), coalesce(sum(read), 0) FROM ingest_progress") == [
        (len(union), len(covered))
    ]
