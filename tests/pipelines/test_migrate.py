"""The command that migrates, and what programs do with tables that it has migrated."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import command
from pipelines import migrate as migrate_command
from pipelines.ingest import ingest
from runners import streams
from sinks.database.tables import VERSION
from tests.io.sinks.database.migrations.old_tables import restore_version_1
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import audit, dead_letters
from tests.pipelines.tables import query
from transforms.batch.record import Record
from transforms.steps.each_record import EachRecord


def migrate(sink: str, *more: str) -> int:
    return command.run("migrate", migrate_command.main, ["--sink", sink, *more])


@pytest.fixture
def old(sink: str, tmp_path: Path) -> str:
    """A database of version 1; the files that its ledger has are in ``tmp_path``."""
    kind = "sqlite" if sink.startswith("sqlite") else "postgres"
    restore_version_1(Database(kind, sink), str(tmp_path))
    return sink


class TestCommand:
    def test_it_says_what_is_due_and_does_it(
        self, old: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert migrate(old, "--check") == 1
        out = capsys.readouterr().out
        versions = [line.split(":")[1] for line in out.splitlines()]
        assert versions == [f" version {number}" for number in range(2, VERSION + 1)]
        assert migrate(old, "--sql") == 0
        assert "INSERT INTO ingest_counts" in capsys.readouterr().out
        assert migrate(old) == 0
        assert capsys.readouterr().out == f"migrated from version 1 to version {VERSION}\n"
        assert migrate(old, "--check") == 0
        assert migrate(old) == 0
        assert capsys.readouterr().out == f"up to date: version {VERSION}\n" * 2

    def test_a_check_whose_output_is_lost_is_a_failure(
        self, old: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert migrate(old) == 0
        monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
        assert migrate(old, "--check") == 1
        assert migrate(old) == 0, "what it has done it has done"

    @pytest.mark.parametrize("more", [(), ("--check",), ("--sql",), ("--force",)])
    def test_tables_that_it_cannot_migrate_are_a_usage_error(
        self, sink: str, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert migrate(sink, *more) == 2
        assert "no ingest_ tables" in capsys.readouterr().err
        query(sink, "CREATE TABLE ingest_schema (version int, migrated_at varchar(30))")
        query(sink, "INSERT INTO ingest_schema VALUES (9, '2026-03-01 12:00:00')")
        assert migrate(sink, *more) == 2
        captured = capsys.readouterr()
        assert f"version 9, and this program knows up to version {VERSION}" in captured.err
        assert captured.out == ""
        assert captured.err.count("\n") == 1

    @pytest.mark.parametrize("more", [("--check", "--sql"), ("--check", "--force")])
    def test_options_that_do_not_fit_together_are_refused(
        self, tmp_path: Path, more: tuple[str, ...]
    ) -> None:
        assert migrate(f"sqlite:///{tmp_path}/a.db", *more) == 2

    def test_a_program_at_work_holds_it_off_unless_forced(
        self, old: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        query(old, "UPDATE ingest_leases SET expires_at = '2999-01-01 00:00:00', holder = 'h:7'")
        assert migrate(old) == 2
        captured = capsys.readouterr()
        assert "h:7 holds the lease" in captured.err
        assert captured.err.count("\n") == 1
        assert migrate(old, "--force") == 0


class TestReaders:
    def test_commands_that_only_read_ask_for_the_migration(
        self, old: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        readers: list[Callable[[], int]] = [
            lambda: audit(old),
            lambda: dead_letters("list", "--sink", old),
        ]
        for reads in readers:
            assert reads() == 2
            captured = capsys.readouterr()
            assert "have version 1" in captured.err
            assert "`sluice migrate --sink URL`" in captured.err
            assert captured.err.count("\n") == 1
        assert migrate(old, "--check") == 1

    def test_an_action_by_hand_migrates(self, old: str) -> None:
        selection = ("--id", "6", "--sink", old)
        assert dead_letters("replay", *selection, "--reason", "mended", "--by", "ann") == 0
        assert migrate(old, "--check") == 0
        assert query(old, "SELECT state FROM ingest_jobs WHERE id = 6") == [("available",)]


ORDERS = b"id,total\n1,10.50\n2,7\n"
"""Whose head is read even if the rest is settled."""

READ = "SELECT source, partition, sum(read) FROM ingest_progress GROUP BY source, partition"


def settled_files(sink: str, folder: Path) -> None:
    """Put files in place that the ledger knows, by the time and size that it has of them."""
    partitions = query(
        sink, "SELECT DISTINCT source, partition FROM ingest_progress WHERE source LIKE 'file%'"
    )
    for source, partition in partitions:
        nanoseconds, size = (int(part, 16) for part in partition.split("-"))
        path = folder / source.rsplit("/", 1)[1]
        path.write_bytes(ORDERS if path.suffix == ".csv" else b"!" * size)
        assert path.stat().st_size == size
        os.utime(path, ns=(nanoseconds, nanoseconds))


def passes(record: Record) -> Record:
    return record.with_value({"id": record.value["id"], "name": "later"})


@pytest.mark.slow
class TestIngest:
    def test_what_is_settled_stays_so_and_what_waits_is_tried(
        self, old: str, tmp_path: Path
    ) -> None:
        settled_files(old, tmp_path)
        query(old, "UPDATE ingest_queue SET due_at = '2026-03-01 12:00:00'")
        waits = "SELECT count(*) FROM ingest_jobs WHERE state NOT IN ('discarded', 'cancelled')"
        assert query(old, f"{waits} AND pipeline = 'people'") == [(7,)]
        read = sorted(query(old, READ))
        code = ingest(
            steps=[EachRecord(passes, "Judge")],
            argv=["--no_progress", "--retry_wait", "60"],
            source=[f"{tmp_path}/{name}.jsonl" for name in "abc"],
            sink=old,
            table="people",
            key="id",
        )
        assert code == 0
        assert migrate(old, "--check") == 0
        assert sorted(query(old, READ)) == read, "nothing is read again"
        states = query(
            old,
            "SELECT pipeline, state, count(*) FROM ingest_jobs GROUP BY pipeline, state",
        )
        assert sorted(map(str, states)) == [
            "('nightly', 'discarded', 5)",
            "('nightly', 'retryable', 2)",
            "('nightly', 'scheduled', 1)",
            "('people', 'cancelled', 1)",
            "('people', 'completed', 7)",
            "('people', 'discarded', 3)",
            "(None, 'retryable', 1)",
            "(None, 'suspended', 1)",
        ]
        people = query(old, "SELECT id FROM people WHERE name = 'later' ORDER BY id")
        assert people == [(2,), (3,), (4,), (31,), (32,)]
        assert audit(old, "--source", f"{tmp_path}/*.jsonl") == 0

    def test_a_pipeline_that_shared_the_ledger_of_its_table_goes_on_from_it(
        self, old: str, tmp_path: Path
    ) -> None:
        settled_files(old, tmp_path)
        query(old, "UPDATE ingest_queue SET due_at = '2026-03-01 12:00:00'")
        read = sorted(query(old, READ))
        code = ingest(
            steps=[EachRecord(passes, "Judge")],
            argv=["--no_progress", "--retry_wait", "60"],
            source=[f"{tmp_path}/a.jsonl", f"{tmp_path}/orders.csv"],
            sink=old,
            table="orders",
            key="id",
            pipeline="nightly",
        )
        assert code == 0
        assert sorted(query(old, READ)) == read, "nothing is read again"
        left = "SELECT count(*) FROM ingest_queue q JOIN ingest_jobs j ON j.id = q.job"
        assert query(old, f"{left} WHERE j.pipeline = 'nightly'") == [(0,)]
        assert audit(old, "--source", f"{tmp_path}/*") == 0
