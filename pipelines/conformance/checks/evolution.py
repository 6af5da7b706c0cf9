"""Evolution: a table gets columns for the fields of its records, while several writers meet them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import sqlalchemy as sa

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, outcomes
from sinks.database.engine import transaction
from sinks.sql import SqlSink
from transforms.settle.sink import Settled

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
WRITERS = 4
ROUNDS = 3
LARGE = (1 << 40, -(1 << 40), 32_768)
"""Numbers that a column of 16 bits does not take."""


def _add(ground: Ground, trial: Trial) -> None:
    """Rows that were there before have no value; those of the commit with the new fields have theirs."""
    table = "evolution_add"
    sink = ground.sink(table, key=["id"], schema=SCHEMA, evolve="add")
    committed(sink, [batch_of(sink, [{"id": 1}])])
    new: list[dict[str, Any]] = [
        {"id": 2, "text": "ü", "with space": 7, "select": True},
        {"id": 3, "number": 0.5},
    ]
    settled = committed(sink, [batch_of(sink, new, 1)])
    trial.equal("outcomes", outcomes(settled), {"read": 2, "inserted": 2})
    rows = ground.rows(table, "id", "text", "with space", "select", "number")
    expected = [(1, None, None, None, None), (2, "ü", 7, True, None), (3, None, None, None, 0.5)]
    trial.equal(
        "rows", [(*row[:4], None if row[4] is None else float(row[4])) for row in rows], expected
    )
    again = committed(sink, [batch_of(sink, [{"id": 4, "text": "x", "number": 2}], 3)])
    trial.equal("outcomes of the next commit", outcomes(again), {"read": 1, "inserted": 1})


def _writers(ground: Ground, trial: Trial) -> None:
    """In each round, writers that know the table without a field meet it at the same moment."""
    table = "evolution_writers"
    first = ground.sink(table, key=["id"], schema=SCHEMA, evolve="add")
    sinks = [SqlSink(first.config) for _ in range(WRITERS)]
    barrier = Barrier(WRITERS, timeout=30)

    def write(writer: int, turn: int) -> list[Settled]:
        number = turn * WRITERS + writer
        record = {"id": number, f"both_{turn}": number, f"own_{writer}_{turn}": number}
        batch = batch_of(sinks[writer], [record], turn, partition=f"w{writer}")
        barrier.wait()
        return committed(sinks[writer], [batch])

    settled: list[Settled] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        for turn in range(ROUNDS):
            for one in pool.map(write, range(WRITERS), [turn] * WRITERS):
                settled += one
    number = WRITERS * ROUNDS
    trial.equal("outcomes of all", outcomes(settled), {"read": number, "inserted": number})
    both = [f"both_{turn}" for turn in range(ROUNDS)]
    own = [f"own_{writer}_{turn}" for writer in range(WRITERS) for turn in range(ROUNDS)]
    with transaction(ground.database, "describe a table", write=False) as connection:
        columns = [column["name"] for column in sa.inspect(connection).get_columns(table)]
    trial.equal("columns", sorted(columns), sorted(["id", *both, *own]))
    for turn, name in enumerate(both):
        rows = ground.rows(table, "id", name, where=f"{name} IS NOT NULL")
        keys = range(turn * WRITERS, (turn + 1) * WRITERS)
        trial.equal(f"rows with the field {name}", rows, [(key, key) for key in keys])


def _narrow(ground: Ground, trial: Trial) -> None:
    """Where the database can do so, the type of the column changes; elsewhere the record waits."""
    table = "evolution_narrow"
    narrow = sa.Column("n", sa.SmallInteger)
    key = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
    ground.create(sa.Table(table, sa.MetaData(), key, narrow))
    sink = ground.sink(table, key=["id"], evolve="widen")
    numbers: list[int] = [1, *LARGE]
    values: list[dict[str, Any]] = [{"id": place, "n": n} for place, n in enumerate(numbers)]
    settled = committed(sink, [batch_of(sink, values)])
    rows = ground.rows(table, "id", "n")
    trial.true(f"the row with a small number is there: {rows}", (0, 1) in rows)
    kept = [(place, number) for place, number in enumerate(numbers) if (place, number) in rows]
    trial.equal("rows, each with the number of its record", rows, kept)
    trial.equal("rows that are counted", outcomes(settled).get("inserted"), len(rows))
    trial.equal("every record has one outcome", settled[0].counts.conserved, True)


CHECKS = (
    Check("evolution.add", "a field without a column adds one, and rows before it have none", _add),
    Check(
        "evolution.writers",
        "of several writers that meet a new field at once, none loses a record",
        _writers,
    ),
    Check(
        "evolution.narrow",
        "a number too large for its column widens it or waits, and is never changed",
        _narrow,
    ),
)
