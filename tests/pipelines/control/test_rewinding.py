"""Which partitions ``sluice rewind`` means, what is refused in one line, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines.control import rewinding
from pipelines.control.rewind import main
from pipelines.control.rewinding import Retained
from sinks.database.engine import dispose_engines
from sinks.rewind.order import Forgotten
from sinks.runs.runs import Run
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.rewind.settled import batch, pause
from tests.io.sinks.tested_database import Database, make_batch
from tests.pipelines.commands import printed
from tests.pipelines.tables import query
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce

WHY = ("--yes", "--reason", "the step was wrong")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Pipeline ``events`` has read a topic of two partitions, an earlier one, and files."""
    database = Database("sqlite", f"sqlite:///{tmp_path}/a.db")
    sink = SqlSink(SqlConfig.of(database.url, "events", key=("id",)))
    sink.prepare()
    sink.commit([batch(0, 10, dead={4}, retrying={6}, partition="0@B")])
    sink.commit([batch(0, 10, dead={5}, partition="1@B"), batch(0, 3, partition="0@A")])
    files = [("a", "1-3", 3), ("b", "1-3", 3), ("b", "2-6", 6)]
    for name, partition, end in files:
        source = f"file:///in/{name}.jsonl"
        values = [{"id": f"{name}{partition}{n}"} for n in range(end)]
        sink.commit([make_batch(values, final=True, source=source, partition=partition)])
    query(database.url, "UPDATE ingest_progress SET final = true WHERE partition = '0@A'")
    pause(database)
    yield database
    dispose_engines()


def ran(database: Database, **options: Any) -> None:
    """The pipeline has run with these options."""
    config = SqlConfig.of(database.url, "events")
    run = Run("1", config, "", "DirectRunner", "1", options)
    run.begin()
    run.end("completed")


def rewind(database: Database, *more: str, source: str = "kafka://orders") -> int:
    argv = ["--sink", database.url, "--pipeline", "events", "--source", source, *more]
    return command.run("rewind", main, argv)


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    (answer,) = json.loads(capsys.readouterr().out)
    return [part["partition"] for part in answer["partitions"]]


@pytest.fixture
def broker() -> Iterator[str]:
    """A cluster whose topic has the partitions 0 to 3 with 12 offsets each, and gives no ids."""
    with mock_cluster() as bootstrap:
        produce(bootstrap, "orders", [(None, b"x", n % PARTITIONS) for n in range(48)])
        yield bootstrap


def test_a_topic_is_named_as_the_ingest_or_the_audit_names_it(
    database: Database, broker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for source in ("kafka://orders", f"kafka://{broker}/orders?group=g", f"kafka://{broker}/^o.*"):
        assert rewind(database, "--from_offset", "0", "--json", source=source) == 0
        assert listed(capsys) == ["0@B", "1@B"]


def test_with_brokers_it_says_what_the_topic_still_has(
    database: Database, broker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = f"kafka://{broker}/orders"
    assert rewind(database, "--from_offset", "0", "--json", source=source) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert [part["retained"] for part in answer["partitions"]] == [[0, 12], [0, 12]]
    assert rewind(database, "--from_offset", "0", "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert [part["retained"] for part in answer["partitions"]] == [None, None]


def test_what_the_topic_has_lost_is_told() -> None:
    part = Forgotten("kafka://orders", "0@B", ((2, 5), (8, 20)))
    place = ("kafka://orders", "0@B")
    assert Retained({place: (10, 30)}, asked=True).line(part) == (
        "kafka://orders (0@B) begins at offset 10 now: 5 offsets are gone, and become a dead letter"
    )
    assert Retained({place: (2, 30)}, asked=True).line(part) == ""
    gone = "kafka://orders (0@B) does not exist any more: nothing of it is read again"
    assert Retained({("kafka://orders", "0@C"): (0, 30)}, asked=True).line(part) == gone
    assert Retained().line(part) == ""


def test_a_cluster_that_is_away_keeps_nobody_from_a_rewind(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewinding, "_ANSWER_SECONDS", 1.0)
    away = "kafka://127.0.0.1:1/orders"
    assert rewind(database, "--from_offset", "0", *WHY, source=away) == 0
    out = capsys.readouterr().out
    assert "which offsets the topic still has is not known" in out
    assert "20 offsets of 2 partitions forgotten" in out


def test_a_partition_is_named_by_its_number_or_in_full(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("0", "0@B"):
        assert rewind(database, "--partition", name, "--from_offset", "5", "--json") == 0
        assert listed(capsys) == ["0@B"]


def test_files_are_named_as_the_ingest_names_them(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(database, key="id")
    assert rewind(database, "--from_offset", "0", "--json", source="/in/a.jsonl") == 0
    assert listed(capsys) == ["1-3"]
    assert rewind(database, "--from_offset", "0", "--json", source="/in/*.jsonl") == 0
    assert listed(capsys) == ["1-3", "1-3", "2-6"]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (("--from_offset", "5"), "an offset is one of a partition: give --partition"),
        (("--partition", "7", "--from_offset", "5"), "no partition 7; there are: 0@A, 0@B, 1@B"),
        (
            ("--partition", "0@A", "--from_offset", "0"),
            "ended at offset 3, as its topic was deleted",
        ),
        (("--partition", "0", "--from_offset", "10"), "nothing from offset 10"),
        (("--partition", "0", "--from_offset", "0", "--yes"), "--yes needs --reason TEXT"),
        (("--partition", "0", "--from_offset", "0", "--yes", "--reason", " "), "--yes needs"),
        (("--from_offset", "-1"), "--from_offset: must be a whole number of at least 0"),
        (("--from_offset", "9223372036854775808"), "must be a whole number"),
        (("--partition", "0", "--from_offset", "5", "--to_offset", "5"), "give --on_conflict"),
        (
            (
                "--partition",
                "0",
                "--from_offset",
                "5",
                "--to_offset",
                "5",
                "--on_conflict",
                "ignore",
            ),
            "nothing lies from offset 5 to before 5",
        ),
        (
            ("--partition", "0", "--from_offset", "5", "--to_offset", "8", "--on_conflict", "what"),
            "on_conflict must be ignore, update or newest:FIELD",
        ),
    ],
)
def test_a_mistake_is_one_line(
    database: Database, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], line: str
) -> None:
    assert rewind(database, *more) == 2
    (told,) = printed(capsys.readouterr().err)
    assert line in told


@pytest.mark.parametrize(
    ("source", "pipeline", "line"),
    [
        ("kafka://clicks", "events", "has nothing of kafka://clicks; it has: file:///in/a.jsonl"),
        ("/in/c.jsonl", "events", "has nothing of /in/c.jsonl"),
        ("ftp://host/a", "events", "unknown scheme 'ftp'"),
        ("kafka://orders", "orders", "no pipeline 'orders' with a ledger here; there are: events"),
    ],
)
def test_what_the_ledger_lacks_is_named(
    database: Database, capsys: pytest.CaptureFixture[str], source: str, pipeline: str, line: str
) -> None:
    argv = ["--sink", database.url, "--pipeline", pipeline, "--source", source]
    assert command.run("rewind", main, [*argv, "--from_offset", "0"]) == 2
    assert line in capsys.readouterr().err


def test_a_file_is_not_read_again_from_its_middle(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rewind(database, "--from_offset", "2", source="/in/a.jsonl") == 2
    assert "is read again as a whole" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "more", "code"),
    [
        ({"key": "id"}, (), 0),
        ({}, (), 2),
        ({"routes": "routes.yaml", "key": "id"}, (), 2),
        ({"routes": "routes.yaml"}, ("--on_conflict", "update"), 0),
    ],
)
def test_a_file_that_has_grown_is_read_again_only_where_records_have_keys(
    database: Database,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
    more: tuple[str, ...],
    code: int,
) -> None:
    ran(database, **options)
    assert rewind(database, "--from_offset", "0", *more, source="/in/b.jsonl") == code
    refused = "several versions of file:///in/b.jsonl" in capsys.readouterr().err
    assert refused == (code != 0)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"key": "id"}, 0),
        ({"key": "id", "on_conflict": "newest:t"}, 0),
        ({"key": "id", "on_conflict": "update"}, 2),
        ({"on_conflict": "update"}, 0),  # the place of a record is its key
        ({"key": "id", "routes": "routes.yaml"}, 2),
    ],
)
def test_the_options_of_the_last_run_say_whether_the_middle_may_be_read_again(
    database: Database, options: dict[str, str], code: int
) -> None:
    ran(database, **options)
    middle = ("--partition", "0", "--from_offset", "2", "--to_offset", "8")
    assert rewind(database, *middle) == code


def test_it_says_what_was_forgotten(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert rewind(database, "--partition", "0", "--from_offset", "4") == 0
    out = capsys.readouterr().out
    dry = "6 offsets of 1 partition would be forgotten, and 2 failed records (1 discarded, 1 retryable)"
    assert f"dry run: {dry} removed; nothing was changed" in out
    assert "do it with --yes and --reason TEXT" in out
    assert query(database.url, "SELECT count(*) FROM ingest_audit") == [(0,)]
    assert rewind(database, "--partition", "0", "--from_offset", "4", "--by", "bob", *WHY) == 0
    out = capsys.readouterr().out
    assert "6 offsets of 1 partition forgotten" in out
    assert "rewind 1 of pipeline events" in out
    audited = query(database.url, "SELECT action, actor, reason, count FROM ingest_audit")
    assert audited == [("rewind", "bob", "the step was wrong", 2)]


def test_a_pipeline_that_is_not_held_is_refused_and_a_dry_run_says_so(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    query(database.url, "DELETE FROM ingest_control")
    assert rewind(database, "--from_offset", "0") == 0
    assert "it would be refused now: a program of pipeline events began" in capsys.readouterr().out
    assert rewind(database, "--from_offset", "0", *WHY) == 2
    assert "pause the pipeline first (sluice pause)" in capsys.readouterr().err


def test_a_source_that_is_held_by_the_uri_of_the_ingest_is_held(database: Database) -> None:
    query(database.url, "UPDATE ingest_control SET source = 'kafka://host:9092/orders?group=g'")
    assert rewind(database, "--from_offset", "0", *WHY) == 0
