"""Rows refused together become the same dead letters as those that are refused one by one.

Briefly here; ``make oracle`` tries many more mixtures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sinks.sql import SqlSink
from sinks.table import isolate
from sinks.table.postgres import copy, staging
from sinks.table.postgres.refused import conditions, trial, unreadable
from tests.io.sinks.table.postgres.refused.refused_rows import CASES, Case
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import SluiceError

MIXTURES = max(1, int(os.environ.get("ORACLE_EXAMPLES", "60")) // 60)
MODES = ("ignore", "update", "newest:at")


class Counting:
    """A function that finds refused rows, and how many it has found."""

    def __init__(self, refusals: Callable[..., Any]) -> None:
        self.refusals = refusals
        self.refused = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        refused = self.refusals(*arguments, **options)
        self.refused += len(refused or ())
        return refused


def mixed(case: Case, random: Random) -> list[dict[str, Any]]:
    """Records with ids from 1 on, of which a share is refused; some keys come twice."""
    share = random.choice((0.1, 0.3, 0.7, 1.0)) if case.good else 1.0
    records = []
    for number in range(1, 25):
        value = random.choice(case.bad if random.random() < share else case.good)
        record = {
            "id": number if random.random() < 0.95 else max(1, number - 1),
            "at": number % 3,
            "v": value,
        }
        if value is None and random.random() < 0.5:
            del record["v"]
        records.append(record)
    return records


def outcome(
    database: Database, sink: SqlSink, case: Case, records: list[dict[str, Any]], source: str
) -> tuple[Any, ...]:
    """What became of ``records``, and of the table, which is then as it was before."""
    half = len(records) // 3
    batches = [
        make_batch(records[:half], source=source, partition="a"),
        make_batch(records[half:], half, source=source, partition="a"),
    ]
    try:
        settled = sink.commit(batches)
    except SluiceError as error:
        return (type(error), str(error))
    failures = [failure for each in settled for failure in (*each.dead, *each.retry)]
    refused = {
        failure.origin.offset: (
            *(failure.stage, failure.category, failure.exception, failure.message),
            *(failure.sqlstate, failure.transient, len(failure.raw)),
        )
        for failure in failures
    }
    assert len(refused) == len(failures)
    rows = database.rows(f"SELECT t::text FROM {sink.config.table} t ORDER BY 1")
    counts = [(each.counts.inserted, each.counts.updated) for each in settled]
    database.run(f"DELETE FROM {sink.config.table} WHERE id > 0")
    return refused, rows, counts


def differences(one: tuple[Any, ...], other: tuple[Any, ...]) -> list[Any]:
    """Where two outcomes differ."""
    if not (isinstance(one[0], dict) and isinstance(other[0], dict)):
        return [] if one == other else [one, other]
    offsets = sorted({*one[0], *other[0]})
    pairs = [(number, one[0].get(number), other[0].get(number)) for number in offsets]
    pairs += [("rows", one[1], other[1]), ("counts", one[2], other[2])]
    return [pair for pair in pairs if pair[1] != pair[2]]


@pytest.mark.parametrize("part", range(2))
def test_refused_rows_are_those_of_one_by_one(
    postgres: Database, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    postgres.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1), (50)"
    )
    trials, texts = Counting(trial.refusals), Counting(unreadable.refusals)
    asked = Counting(conditions.refusals)
    for number, case in list(enumerate(CASES))[part::2]:
        random = Random(f"{case.name} of {MIXTURES}")
        table = f"t{number}"
        create = f"CREATE TABLE @ (id integer PRIMARY KEY, at integer, v {case.declared})"
        for statement in (*case.before, create, *case.after):
            postgres.run(statement.replace("@", table))
        for mixture in range(MIXTURES):
            sink = postgres.sink(table, key=["id"], on_conflict=random.choice(MODES))
            if case.good:
                sink.commit(
                    [make_batch([{"id": -99, "at": 1, "v": case.good[0]}], source=f"{mixture}")]
                )
            records = mixed(case, random)
            with monkeypatch.context() as patch:
                patch.setattr(trial, "refusals", trials)
                patch.setattr(unreadable, "refusals", texts)
                patch.setattr(conditions, "refusals", asked)
                fast = outcome(postgres, sink, case, records, f"fast {mixture}")
            with monkeypatch.context() as patch:
                patch.setattr(isolate, "_FEW", 1_000)
                patch.setattr(staging, "FEW_ROWS", 1_000)
                patch.setattr(copy, "FEW_ROWS", 1_000)
                slow = outcome(postgres, sink, case, records, f"slow {mixture}")
            assert (case.name, differences(fast, slow)) == (case.name, [])
    assert trials.refused > 50
    assert asked.refused > 10
    assert texts.refused > 20
