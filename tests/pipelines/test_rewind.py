"""Whole paths: a topic is read, a part of it is forgotten and read again; rows as before, audit clean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines.control import rewind as rewind_command
from pipelines.ingest import ingest
from tests.pipelines.commands import audit, dead_letters, ingested
from tests.pipelines.tables import query
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce
from transforms.batch.record import Record
from transforms.errors import RetryLater
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

RECORDS = 2_400
KEYS = 400  # a multiple of the partitions: all records of a key are in one of them, in order
FROM = 200  # of the 600 offsets of each partition

REPAIRED: list[bool] = []


@pytest.fixture(autouse=True)
def broken() -> Iterator[None]:
    REPAIRED.clear()
    yield
    REPAIRED.clear()


@pytest.fixture(scope="module")
def topic() -> Iterator[str]:
    with mock_cluster() as bootstrap:
        produce(bootstrap, "orders", map(message, range(RECORDS)))
        yield f"kafka://{bootstrap}/orders"


def is_bad(number: int) -> bool:
    return number % 41 == 7


def is_late(number: int) -> bool:
    return number % 53 == 11


def message(number: int) -> tuple[None, bytes, int]:
    """A record: those that fail have keys of their own, so that no order of attempts matters."""
    fails = is_bad(number) or is_late(number)
    value = {"id": RECORDS + number if fails else number % KEYS, "t": number, "v": f"v{number}"}
    return None, json.dumps(value).encode(), number % PARTITIONS


def check(record: Record) -> Record:
    """Let some records fail, and others wait, until ``REPAIRED``."""
    if not REPAIRED and is_bad(record.value["t"]):
        raise ValueError("not repaired")
    if not REPAIRED and is_late(record.value["t"]):
        raise RetryLater("not yet")
    return record


def read(topic: str, sink: str, on_conflict: str) -> None:
    query(sink, "CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY, t integer, v text)")
    options: dict[str, Any] = {
        "source": topic,
        "sink": sink,
        "table": "orders",
        "key": "id",
        "on_conflict": on_conflict,
        "retry_wait": 0,
        "backoff_base": 3600,
        "backoff_cap": 3600,
        "no_progress": True,
    }
    assert ingest(steps=[EachRecord(check, "Check")], argv=[], **options) == 0


def rewind(sink: str, *more: str, source: str = "kafka://orders", pipeline: str = "orders") -> int:
    argv = ["--sink", sink, "--pipeline", pipeline, "--source", source, *more]
    return command.run("rewind", rewind_command.main, argv)


ALL = [text for number in range(PARTITIONS) for text in ("--partition", str(number))]
WHY = ("--yes", "--reason", "the step was wrong")


def sums(sink: str) -> dict[str, int]:
    names = ("read", "inserted", "updated", "duplicates", "dead", "retrying", "rewound")
    ((*numbers,),) = query(
        sink, f"SELECT {', '.join(f'SUM({n})' for n in names)} FROM ingest_progress"
    )
    return {name: int(number) for name, number in zip(names, numbers, strict=True)}


def failing(which: Any, first: int = 0) -> int:
    """How many records fail in one way, at an offset of their partition from ``first`` on."""
    return sum(which(n) and n // PARTITIONS >= first for n in range(RECORDS))


@pytest.mark.parametrize("on_conflict", ["ignore", "update", "newest:t"])
def test_what_is_read_again_leaves_the_rows_of_one_run(
    topic: str, sink: str, tmp_path: Path, on_conflict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    REPAIRED.append(True)
    reference = f"sqlite:///{tmp_path}/reference.db"
    read(topic, reference, on_conflict)
    rows = query(reference, "SELECT id, t, v FROM orders ORDER BY id")

    REPAIRED.clear()
    read(topic, sink, on_conflict)
    replayed = 10
    some = ("--limit", str(replayed), "--reason", "some are tried again")
    assert dead_letters("replay", "--sink", sink, *some) == 0
    before = sums(sink)
    bad, late = failing(is_bad), failing(lambda n: is_late(n) and not is_bad(n))
    assert (before["dead"], before["retrying"]) == (bad - replayed, late + replayed)

    capsys.readouterr()
    assert rewind(sink, *ALL, "--from_offset", str(FROM), "--json") == 0
    (dry,) = json.loads(capsys.readouterr().out)
    removed = failing(lambda n: is_bad(n) or is_late(n), FROM)
    again = RECORDS - FROM * PARTITIONS
    assert (dry["dry_run"], dry["offsets"], dry["removed"]) == (True, again, removed)
    assert (sums(sink), dry["obstacle"]) == (before, "")

    assert rewind(sink, *ALL, "--from_offset", str(FROM), *WHY) == 0
    assert audit(sink) == 0
    assert sums(sink) == {
        **before,
        "dead": sums(sink)["dead"],
        "retrying": sums(sink)["retrying"],
        "rewound": removed,
    }
    assert sums(sink)["dead"] + sums(sink)["retrying"] == bad + late - removed

    REPAIRED.append(True)
    assert dead_letters("replay", "--sink", sink, "--reason", "the step is repaired") == 0
    query(sink, "UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'")
    read(topic, sink, on_conflict)
    assert query(sink, "SELECT id, t, v FROM orders ORDER BY id") == rows
    assert audit(sink) == 0
    after = sums(sink)
    assert (after["read"], after["dead"], after["retrying"]) == (RECORDS + again, 0, 0)
    read(topic, sink, on_conflict)
    assert sums(sink) == after, "it is read again once"


def test_a_range_in_the_middle_is_read_again_alone(topic: str, sink: str) -> None:
    read(topic, sink, "ignore")
    before = sums(sink)
    middle = ("--partition", "2", "--from_offset", "100", "--to_offset", "150")
    assert rewind(sink, *middle, *WHY) == 0
    assert audit(sink) == 1, "the gap is open until it is read"
    REPAIRED.append(True)
    read(topic, sink, "ignore")
    assert audit(sink) == 0
    assert sums(sink)["read"] == before["read"] + 50
    numbers = [n for n in range(RECORDS) if n % PARTITIONS == 2 and 100 <= n // PARTITIONS < 150]
    assert sums(sink)["rewound"] == sum(is_bad(n) or is_late(n) for n in numbers)


@pytest.mark.parametrize(
    ("mode", "more", "why"),
    [
        ("update", (), "would overwrite what later records have written"),
        ("update", ("--on_conflict", "newest:t"), ""),
        ("ignore", ("--on_conflict", "update"), "would overwrite"),
        ("newest:t", (), ""),
    ],
)
def test_a_range_in_the_middle_needs_a_mode_that_keeps_later_records(
    topic: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    more: tuple[str, ...],
    why: str,
) -> None:
    sink = f"sqlite:///{tmp_path}/a.db"
    read(topic, sink, mode)
    capsys.readouterr()
    middle = ("--partition", "2", "--from_offset", "100", "--to_offset", "150")
    assert rewind(sink, *middle, *more) == (2 if why else 0)
    assert why in capsys.readouterr().err


def test_a_file_is_read_again_as_a_whole(sink: str, tmp_path: Path) -> None:
    lines = [b'{"id":%d}\n' % n if n % 10 else b"{\n" for n in range(100)]
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    (tmp_path / "b.jsonl").write_bytes(b'{"id":1000}\n')
    summary = ingested(tmp_path / "*.jsonl", sink)
    assert (summary["inserted"], summary["dead"]) == (91, 10)
    source = str(tmp_path / "a.jsonl")
    assert rewind(sink, "--from_offset", "0", *WHY, source=source, pipeline="events") == 0
    assert audit(sink) == 0
    again = ingested(tmp_path / "*.jsonl", sink)
    assert (again["read"], again["duplicates"], again["dead"]) == (100, 90, 10)
    assert audit(sink) == 0
    assert ingested(tmp_path / "*.jsonl", sink)["read"] == 0


def test_csv_that_was_read_in_another_way_may_be_read_anew(sink: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,v\n1,a\n2,b\n")
    assert ingested(tmp_path / "a.csv", sink)["inserted"] == 2
    place = {"source": str(tmp_path / "a.csv"), "pipeline": "events"}
    assert rewind(sink, "--from_offset", "0", *WHY, **place) == 0
    other = ("--csv_columns", "w,id", "--csv_header", "false", "--unknown_fields", "ignore")
    again = ingested(tmp_path / "a.csv", sink, *other)
    assert again["read"] == 3, "the first line is a record now"
