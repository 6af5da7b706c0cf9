"""Commits side by side against one at a time: the same rows, and the same records dead."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sinks.sql import SqlSink
from tests.io.sinks.routed import keyed, sink_of
from tests.io.sinks.tested_database import Database, make_batch
from transforms import instruments
from transforms.batch.record import RecordBatch
from transforms.settle.commit import WriteConfig
from transforms.settle.sink import Settled
from transforms.settle.write import WriteFn

pytestmark = pytest.mark.integration

PLAIN = "CREATE TABLE {name} (id {kind} PRIMARY KEY, n integer CHECK (n >= 0), note text)"
UNIQUE = "CREATE TABLE {name} (id {kind} PRIMARY KEY, n integer UNIQUE CHECK (n >= 0), note text)"
PARENTS = "CREATE TABLE {name}_parents (id integer PRIMARY KEY, n integer)"
CHILDREN = (
    "CREATE TABLE {name}_children "
    "(id integer PRIMARY KEY, n integer CHECK (n >= 0), parent integer REFERENCES {name}_parents)"
)


def written(sink: SqlSink, batches: Sequence[RecordBatch], side_by_side: int) -> list[Settled]:
    """What a bundle of small transactions settles."""
    config = WriteConfig(commit_records=6, in_flight=side_by_side)
    write = WriteFn(sink, config)
    write.setup()
    write.start_bundle()
    settled = []
    for batch in batches:
        settled += [each.value for each in write.process(batch, 0, None)]
    settled += [each.value for each in write.finish_bundle()]
    write.teardown()
    return [each for each in settled if isinstance(each, Settled)]


def spread(numbers: random.Random, records: Sequence[Any]) -> list[RecordBatch]:
    """``records`` as batches of several partitions, each of which has its own in order."""
    offsets: Counter[str] = Counter()
    batches = []
    left = list(records)
    while left:
        size, partition = numbers.randint(1, 5), numbers.choice("pqr")
        some, left = left[:size], left[size:]
        batches.append(make_batch(some, offsets[partition], partition=partition))
        offsets[partition] += len(some)
    return batches


def fate(settled: Sequence[Settled]) -> list[Any]:
    """Counts in order, and which records are dead or wait."""
    return [
        (
            *(each.span.partition, each.span.start, each.counts),
            sorted((bad.origin.offset, bad.category) for bad in (*each.dead, *each.retry)),
        )
        for each in settled
    ]


def ledger(database: Database, pipeline: str) -> list[tuple[Any, ...]]:
    return database.rows(
        "SELECT partition, start_offset, end_offset, inserted, updated, duplicates, dead, retrying "
        f"FROM ingest_progress WHERE pipeline = '{pipeline}' ORDER BY 1, 2"
    )


def keys(numbers: random.Random, kind: str) -> list[Any]:
    """Few keys, so that commits share them, in several spellings."""
    if kind == "integer":
        return [*range(12), "3", "7"]
    texts = [f"00000000-0000-0000-0000-0000000000{n:02x}" for n in range(160, 172)]
    return [*texts, texts[0].upper(), texts[1].replace("-", ""), "{" + texts[2] + "}"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mode", ["ignore", "update", "newest:n"])
@pytest.mark.parametrize("table", [PLAIN, UNIQUE])
def test_rows_and_dead_records_are_those_of_one_commit_at_a_time(
    postgres: Database, table: str, mode: str, seed: int
) -> None:
    numbers = random.Random(f"{table}{mode}{seed}")
    kind = numbers.choice(["integer", "uuid"])
    ids = keys(numbers, kind)
    # Many keys of their own between those that are shared, a few records that are refused.
    own = iter([n if kind == "integer" else f"{n:032x}" for n in range(1_000, 9_999)])
    records = [
        {
            "id": numbers.choice([None, "?", *ids]) if numbers.random() < 0.3 else next(own),
            "n": numbers.choice([-1, numbers.randint(0, 60)]) if numbers.random() < 0.2 else number,
            "note": f"note {number}",
        }
        for number in range(150)
    ]
    batches = spread(numbers, records)
    fates, rows, progress = {}, {}, {}
    for side_by_side in (1, 3):
        name = f"t{side_by_side}"
        postgres.run(table.format(name=name, kind=kind))
        sink = postgres.sink(name, key=["id"], on_conflict=mode)
        fates[side_by_side] = fate(written(sink, batches, side_by_side))
        rows[side_by_side] = postgres.rows(f"SELECT * FROM {name} ORDER BY id")
        progress[side_by_side] = ledger(postgres, name)
    assert fates[3] == fates[1]
    assert rows[3] == rows[1]
    assert progress[3] == progress[1]


@pytest.mark.parametrize("seed", range(2))
def test_so_are_those_of_tables_that_refer_to_each_other(postgres: Database, seed: int) -> None:
    numbers = random.Random(seed)
    fates, rows = {}, {}
    records = []
    parents = [0]
    for number in range(160):
        value: dict[str, int] = {"id": number, "n": numbers.choice([-1, 1, 2, 3])}
        if number == 0 or numbers.random() < 0.4:
            parents.append(number)
            records.append(("parents", {"id": number, "n": number}))
        else:  # of a parent that is there already, or never is
            value["parent"] = numbers.choice([*parents[-3:], 999])
            records.append(("children", value))
    batches = []
    start = 0
    while start < len(records):
        some = records[start : start + numbers.randint(1, 4)]
        batch = make_batch([value for _, value in some], start)
        batches.append((batch, [label for label, _ in some]))
        start += len(some)
    for side_by_side in (1, 3):
        name = f"t{side_by_side}"
        postgres.run(PARENTS.format(name=name), CHILDREN.format(name=name))
        sink = sink_of(postgres, *keyed(f"{name}_parents", f"{name}_children"))
        pipeline = replace(sink.pipeline, name=name) if sink.pipeline else None
        sink = replace(sink, pipeline=pipeline)
        sink.prepare()
        routed = [
            replace(batch, targets=[f"{name}_{label}" for label in labels])
            for batch, labels in batches
        ]
        fates[side_by_side] = fate(written(sink, routed, side_by_side))
        rows[side_by_side] = [
            postgres.rows(f"SELECT * FROM {name}_{label} ORDER BY id")
            for label in ("parents", "children")
        ]
    assert fates[3] == fates[1]
    assert rows[3] == rows[1]


def test_commits_of_one_process_never_wait_for_each_others_rows(
    postgres: Database, caplog: pytest.LogCaptureFixture
) -> None:
    instruments.reset()
    numbers = random.Random(7)
    postgres.run(PLAIN.format(name="busy", kind="integer"))
    sink = postgres.sink("busy", key=["id"], on_conflict="update")
    ids = list(range(40))
    records = []
    for number in range(300):
        numbers.shuffle(ids)
        records += [{"id": key, "n": number, "note": ""} for key in ids[:2]]
    settled = written(sink, spread(numbers, records), 3)
    assert sum(each.counts.inserted + each.counts.updated for each in settled) == 600
    assert "deadlocks" not in instruments.measured().counters
    assert caplog.messages == []
