"""Batches settle exactly once in every database, and a write belongs to its ledger."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from sinks.sql import SqlConfig, SqlLedger, WriteToSql
from tests.fakes import ListSource
from tests.io.sinks.tested_database import Database, counts, make_batch, make_failure
from transforms.batch.coverage import Coverage
from transforms.errors import ConfigError, SinkUnavailable
from transforms.parse.parse import Parse
from transforms.read.read import ReadSplits

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"


class TestCommit:
    def test_records_become_rows(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])])
        assert counts(settled) == {"read": 2, "inserted": 2}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "a", None),
            (2, "b", None),
        ]

    def test_a_batch_committed_again_changes_nothing(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batch = make_batch([{"id": 1, "name": "a"}], failures=[make_failure(1)])
        sink.commit([batch])
        (again,) = sink.commit([batch])
        assert counts(again) == {"trimmed": 2}
        assert again.raw_bytes == 0
        assert database.rows("SELECT count(*) FROM events") == [(1,)]
        assert database.rows("SELECT count(*) FROM ingest_jobs") == [(1,)]

    def test_an_overlapping_batch_is_trimmed_to_what_is_new(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        values = [{"id": i} for i in range(10)]
        sink.commit([make_batch(values[2:5], 2)])
        (settled,) = sink.commit([make_batch(values, 0)])
        assert counts(settled) == {"read": 7, "inserted": 7, "trimmed": 3}
        assert SqlLedger(sink.config).coverage([("file:///a", "p")]) == {
            ("file:///a", "p"): Coverage(((0, 10),))
        }

    def test_overlapping_batches_of_one_commit_count_each_record_once(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        values = [{"id": i} for i in range(6)]
        first, second = sink.commit([make_batch(values[:4]), make_batch(values[2:], 2)])
        assert counts(first) == {"read": 4, "inserted": 4}
        assert counts(second) == {"read": 2, "inserted": 2, "trimmed": 2}

    def test_many_partitions_settle_in_one_commit(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batches = [
            make_batch([{"id": 2 * i}, {"id": 2 * i + 1}], source=f"s{i}", final=True)
            for i in range(300)
        ]
        settled = sink.commit(batches)
        assert [counts(each) for each in settled] == [{"read": 2, "inserted": 2}] * 300
        places = [(f"s{i}", "p") for i in range(300)]
        coverage = SqlLedger(sink.config).coverage(places)
        assert coverage == dict.fromkeys(places, Coverage(((0, 2),), 2))

    def test_the_same_keys_from_elsewhere_are_duplicates(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}, {"id": 2}])])
        (settled,) = sink.commit(
            [make_batch([{"id": 1}, {"id": 3}, {"id": 2}, {"id": 4}], source="other")]
        )
        assert counts(settled) == {"read": 4, "inserted": 2, "duplicates": 2}

    def test_counts_are_those_of_each_batch(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}, {"id": 5}])])
        settled = sink.commit(
            [
                make_batch([{"id": 1}, {"id": 2}, {"id": 3}], source="b"),
                make_batch([], source="c", final=True),
                make_batch([{"id": 3}, {"id": 4}, {"id": 5}], source="d"),
            ]
        )
        assert [counts(each) for each in settled] == [
            {"read": 3, "inserted": 2, "duplicates": 1},
            {},
            {"read": 3, "inserted": 1, "duplicates": 2},
        ]

    def test_failures_and_filtered_records_are_accounted_for(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batch = make_batch(
            [{"id": 1}],
            failures=[make_failure(1), make_failure(2, transient=True)],
            filtered=3,
            end=6,
        )
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 6, "inserted": 1, "filtered": 3, "dead": 1, "retry": 1}
        assert database.rows("SELECT state FROM ingest_jobs ORDER BY 1") == [
            ("discarded",),
            ("retryable",),
        ]


class TestUnreachable:
    def test_a_refused_connection_is_an_outage_without_password(self) -> None:
        database = Database("postgres", "postgresql://someone:hunter2@127.0.0.1:1/shop")
        with pytest.raises(SinkUnavailable) as caught:
            database.sink(key=["id"])
        text = str(caught.value)
        assert "127.0.0.1:1" in text
        assert "shop" in text
        assert "hunter2" not in text
        assert "\n" not in text

    def test_an_unknown_database_is_named(self) -> None:
        with pytest.raises(ConfigError, match="unknown database 'nosuch'"):
            Database("x", "nosuch://host/db").sink(key=["id"])

    def test_a_missing_driver_is_named(self) -> None:
        with pytest.raises(ConfigError, match="driver for mysql"):
            Database("x", "mysql+mysqldb://host/db").sink(key=["id"])


def built(ledger: SqlConfig, *sinks: SqlConfig) -> None:
    parsed = (
        beam.Pipeline(runner=FnApiRunner())
        | ReadSplits([ListSource("one")], SqlLedger(ledger))
        | Parse()
    )
    for sink in sinks:
        _ = parsed | f"Write {sink.table}" >> WriteToSql(sink)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db"


def test_the_ledger_of_another_table_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"table one.*table two"):
        built(SqlConfig.of(url, "one"), SqlConfig.of(url, "two"))


def test_the_ledger_of_another_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="ledger"):
        built(SqlConfig.of(url, "one"), SqlConfig.of(f"{url}x", "one"))


def test_two_tables_behind_the_ledger_of_one_are_refused(url: str) -> None:
    one, two = SqlConfig.of(url, "one"), SqlConfig.of(url, "two")
    with pytest.raises(ConfigError):
        built(one, one, two)


def test_the_ledger_of_another_pipeline_is_refused(url: str) -> None:
    config = SqlConfig.of(url, "one")
    read = beam.Pipeline(runner=FnApiRunner()) | ReadSplits([], SqlLedger(config, "people"))
    with pytest.raises(ConfigError, match=r"pipeline people.*pipeline without a name"):
        _ = read | Parse() | WriteToSql(config)


def test_how_rows_are_written_is_not_the_ledgers_affair(url: str) -> None:
    built(SqlConfig.of(url, "one"), SqlConfig.of(url, "one", key=["id"], on_conflict="update"))


def test_a_password_does_not_make_another_database() -> None:
    url = "postgresql://ann:secret@localhost/db"
    built(SqlConfig.of(url, "one"), SqlConfig.of(url, '"one"'))
