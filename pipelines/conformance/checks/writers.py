"""Several writers at once: no record is lost, none is there twice, and the counts are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, outcomes
from sinks.sql import SqlSink
from transforms.settle.sink import Settled

SCHEMA = {
    "properties": {
        "id": {"type": "integer"},
        "n": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
    },
    "required": ["id"],
}
WRITERS = 4
ROUNDS = 4
KEYS = 25


def _together(work: Callable[[int], list[Settled]]) -> list[Settled]:
    """What several writers settle that begin at the same moment."""
    barrier = Barrier(WRITERS, timeout=30)

    def begin(writer: int) -> list[Settled]:
        barrier.wait()
        return work(writer)

    with ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(begin, writer) for writer in range(WRITERS)]
        return [one for future in futures for one in future.result()]


def _rounds(
    sink: SqlSink, writer: int, record: Callable[[int, int], dict[str, Any]]
) -> list[Settled]:
    """Commits of all keys, in opposite orders by every second writer."""
    settled: list[Settled] = []
    for turn in range(ROUNDS):
        keys: Sequence[int] = range(KEYS) if writer % 2 else range(KEYS - 1, -1, -1)
        values = [record(key, turn) for key in keys]
        settled += committed(sink, [batch_of(sink, values, turn * KEYS, partition=f"w{writer}")])
    return settled


def _same_keys(ground: Ground, trial: Trial) -> None:
    """Opposite orders of keys: where the database finds a deadlock, the commit is run again."""
    table = "writers_same_keys"
    sink = ground.sink(table, key=["id"], schema=SCHEMA, on_conflict="update")
    settled = _together(
        lambda writer: _rounds(sink, writer, lambda key, turn: {"id": key, "n": 10 * writer + turn})
    )
    sums = outcomes(settled)
    trial.equal("records read", sums["read"], WRITERS * ROUNDS * KEYS)
    trial.equal("rows that were new", sums["inserted"], KEYS)
    trial.equal("rows that were changed", sums.get("updated"), (WRITERS * ROUNDS - 1) * KEYS)
    trial.equal("rows", ground.number(table), KEYS)
    last = {int(number) % 10 for _, number in ground.rows(table, "id", "n")}
    trial.equal("the round of the last record of each key", last, {ROUNDS - 1})


def _new_keys(ground: Ground, trial: Trial) -> None:
    table = "writers_new_keys"
    sink = ground.sink(table, key=["id"], schema=SCHEMA)
    settled = _together(
        lambda writer: _rounds(sink, writer, lambda key, turn: {"id": turn * KEYS + key})
    )
    sums = outcomes(settled)
    rows = ROUNDS * KEYS
    trial.equal("rows that were new", sums["inserted"], rows)
    trial.equal("duplicates", sums.get("duplicates", 0), (WRITERS - 1) * rows)
    trial.equal("dead letters", sums.get("dead", 0), 0)
    trial.equal("rows", ground.number(table), rows)


def _newest(ground: Ground, trial: Trial) -> None:
    table = "writers_newest"
    sink = ground.sink(table, key=["id"], schema=SCHEMA, on_conflict="newest:at")

    def record(writer: int, key: int, turn: int) -> dict[str, Any]:
        minute = (writer * 7 + turn * 5 + key) % 60
        return {"id": key, "n": minute, "at": f"2026-03-01T12:{minute:02}:00Z"}

    _together(lambda w: _rounds(sink, w, lambda key, turn: record(w, key, turn)))
    expected = {
        key: max(record(w, key, turn)["n"] for w in range(WRITERS) for turn in range(ROUNDS))
        for key in range(KEYS)
    }
    rows = {int(key): int(number) for key, number in ground.rows(table, "id", "n")}
    trial.equal("the newest record of each key", rows, expected)


def _same_range(ground: Ground, trial: Trial) -> None:
    """A process that was taken for gone settles the range that another one settles."""
    table = "writers_same_range"
    sink = ground.sink(table, key=["id"], schema=SCHEMA)
    batches = [
        batch_of(sink, [{"id": turn * KEYS + key} for key in range(KEYS)], turn * KEYS)
        for turn in range(ROUNDS)
    ]
    settled = _together(lambda _: [one for batch in batches for one in committed(sink, [batch])])
    rows = ROUNDS * KEYS
    trial.equal("outcomes of all", outcomes(settled), {"read": rows, "inserted": rows})
    trimmed = sum(one.trimmed for one in settled)
    trial.equal("records that others had settled", trimmed, (WRITERS - 1) * rows)
    trial.equal("rows", ground.number(table), rows)


CHECKS = (
    Check(
        "writers.same_keys",
        "writers of the same keys in opposite orders all come through",
        _same_keys,
    ),
    Check("writers.new_keys", "a key that several insert at once is inserted once", _new_keys),
    Check("writers.newest", "of several writers at once, the newest record of a key wins", _newest),
    Check("writers.same_range", "a range that several settle at once is settled once", _same_range),
)
