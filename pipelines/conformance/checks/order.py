"""Order: of the changes of a key the latest stays, whenever they come, also where it is a delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.checks.jobs import SOON, claimed
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, failure_of, outcomes
from sinks.jobs.queue import SqlJobQueue
from sinks.sql import SqlSink
from transforms.batch.record import Change, RecordBatch
from transforms.settle.sink import Settled
from transforms.steps.pipeline_identity import PipelineIdentity

SCHEMA = {
    "properties": {
        "id": {"type": "integer"},
        "v": {"type": "string"},
        "gone": {"type": "boolean"},
    },
    "required": ["id"],
}
LARGE = (1 << 62) + 1
"""Positions begin there: numbers that a floating-point number would not tell apart."""
WRITERS = 4
KEYS = 20


class Event(NamedTuple):
    """A change of the row ``id``; without a value, it is a delete."""

    id: int
    position: int
    v: str | None


def _sink(ground: Ground, table: str, on_delete: str = "delete") -> SqlSink:
    return ground.sink(
        table, key=["id"], schema=SCHEMA, on_conflict="newest:@position", on_delete=on_delete
    )


def _batch(sink: SqlSink, partition: str, *events: Event) -> RecordBatch:
    return _as_changes(
        batch_of(sink, [_value(event) for event in events], partition=partition), events
    )


def _value(event: Event) -> dict[str, Any]:
    return {"id": event.id} if event.v is None else {"id": event.id, "v": event.v}


def _as_changes(batch: RecordBatch, events: Iterable[Event]) -> RecordBatch:
    changes = [Change(event.v is None, LARGE + event.position) for event in events]
    return replace(batch, changes=changes)


def _late(ground: Ground, trial: Trial) -> None:
    """What comes late beats neither a newer row nor a delete, in other commits as in one."""
    table = "order_late"
    sink = _sink(ground, table)
    first = [Event(1, 2, "new"), Event(2, 1, "old"), Event(2, 2, None), Event(3, 2, None)]
    settled = committed(sink, [_batch(sink, "p", *first)])
    trial.equal("outcomes", outcomes(settled), {"read": 4, "inserted": 2, "deleted": 2})
    late = [Event(key, 1, "late") for key in (1, 2, 3)]
    settled = committed(sink, [_batch(sink, "q", *late)])
    trial.equal("outcomes of what is late", outcomes(settled), {"read": 3, "duplicates": 3})
    settled = committed(sink, [_batch(sink, "r", Event(1, 1, None))])
    trial.equal(
        "outcomes of a delete that is late", outcomes(settled), {"read": 1, "duplicates": 1}
    )
    trial.equal("rows", ground.rows(table, "id", "v"), [(1, "new")])
    settled = committed(sink, [_batch(sink, "s", *(Event(key, 3, "newer") for key in (1, 2, 3)))])
    expected = {"read": 3, "inserted": 2, "updated": 1}
    trial.equal("outcomes of what is newer", outcomes(settled), expected)
    trial.equal("rows", ground.rows(table, "id", "v"), [(key, "newer") for key in (1, 2, 3)])


def _any_order(ground: Ground, trial: Trial) -> None:
    """The changes of a key come in every order, each in a commit of its own."""
    table = "order_any"
    sink = _sink(ground, table)
    orders = list(permutations(range(4)))
    values = ["created", "updated", None, "created again"]
    for turn in range(4):
        events = [
            Event(2 * key + kept, order[turn], values[order[turn]])
            for key, order in enumerate(orders)
            for kept in (0, 1)
            if kept or order[turn] < 3
        ]
        committed(sink, [_batch(sink, f"t{turn}", *events)])
    rows = [(2 * key + 1, "created again") for key in range(len(orders))]
    trial.equal("rows, of keys whose last change is no delete", ground.rows(table, "id", "v"), rows)


def _marks(ground: Ground, trial: Trial) -> None:
    table = "order_marks"
    sink = _sink(ground, table, "mark:gone")
    committed(sink, [_batch(sink, "p", *(Event(key, 1, "old") for key in (1, 2, 3)))])
    settled = committed(sink, [_batch(sink, "q", Event(1, 2, None), Event(2, 2, None))])
    trial.equal("outcomes of deletes", outcomes(settled), {"read": 2, "deleted": 2})
    committed(sink, [_batch(sink, "r", Event(2, 3, "back"), Event(1, 1, "late"))])
    rows = [(key, value, bool(gone)) for key, value, gone in ground.rows(table, "id", "v", "gone")]
    trial.equal("rows", rows, [(1, "old", True), (2, "back", False), (3, "old", False)])


def _again(ground: Ground, trial: Trial) -> None:
    """What failed and is tried again, or read again, comes late like anything else."""
    table = "order_again"
    pipeline = PipelineIdentity(table)
    sink = replace(_sink(ground, table), retry=SOON, pipeline=pipeline, run="run-1")
    queue = SqlJobQueue(sink.config, lease_seconds=60, pipeline=pipeline)
    failures = [failure_of(sink, offset, partition="late", transient=True) for offset in (0, 1)]
    committed(sink, [batch_of(sink, [], failures=failures, partition="late")])
    newer = _batch(sink, "p", Event(1, 2, "new"), Event(2, 2, None))
    committed(sink, [newer])
    tried = claimed(queue, queue.lease())
    settled: list[Settled] = []
    for batch in tried:
        late = [Event(1 + offset, 1, "late") for offset in batch.offsets]
        batch = replace(batch, values=[_value(event) for event in late])
        settled += committed(sink, [_as_changes(batch, late)])
    expected = {"duplicates": 2, "retrying": -2}
    trial.equal("outcomes of what is tried again", outcomes(settled), expected)
    trial.equal("outcomes of what is read again", outcomes(committed(sink, [newer])), {})
    trial.equal("rows", ground.rows(table, "id", "v"), [(1, "new")])


def _writers(ground: Ground, trial: Trial) -> None:
    """Several writers at once: each key ends with its latest change, a delete for every second one."""
    table = "order_writers"
    sink = _sink(ground, table)
    last = WRITERS * WRITERS - 1

    def write(writer: int) -> list[Settled]:
        settled: list[Settled] = []
        for turn in range(WRITERS):
            keys: Sequence[int] = range(KEYS) if writer % 2 else range(KEYS - 1, -1, -1)
            events = []
            for key in keys:
                position = (WRITERS * turn + writer + key) % (last + 1)
                gone = position % 2 == 1 if position < last else key % 2 == 1
                events.append(Event(key, position, None if gone else str(position)))
            settled += committed(sink, [_batch(sink, f"w{writer}t{turn}", *events)])
        return settled

    with ThreadPoolExecutor(WRITERS) as pool:
        settled = [one for several in pool.map(write, range(WRITERS)) for one in several]
    sums = outcomes(settled)
    trial.equal("records read", sums["read"], WRITERS * WRITERS * KEYS)
    trial.equal("dead letters", sums.get("dead", 0), 0)
    rows = [(key, str(last)) for key in range(0, KEYS, 2)]
    trial.equal("rows", ground.rows(table, "id", "v"), rows)


CHECKS = (
    Check("order.late", "an older change beats neither a newer row nor a delete", _late),
    Check("order.any", "in whatever order changes come, the latest of each key stays", _any_order),
    Check("order.marks", "a delete marks its row, and a newer change takes the mark away", _marks),
    Check("order.again", "what is tried or read again is as old as it was", _again),
    Check(
        "order.writers", "of several writers at once, the latest change or delete wins", _writers
    ),
)
