"""Whether batches end within a range that an earlier attempt was about to write as one object."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.label import TargetTable, pipeline_named
from sinks.ledger.ranges import Partition
from sinks.objects.intents import open_ranges
from transforms.batch.coverage import Range, merge
from transforms.batch.record import RecordBatch
from transforms.errors import SluiceError
from transforms.per_process import PerProcess
from transforms.throttle import Throttle

_log = logging.getLogger(__name__)

LOOKS: Throttle[tuple[Database, str]] = Throttle(5.0)
"""How often this process looks which intents are open: a crash of another leaves some."""


@dataclass(slots=True)
class _Memory:
    """The ranges of open intents as this process last saw them."""

    ranges: dict[Partition, list[Range]] = field(default_factory=dict)


_MEMORIES: PerProcess[tuple[Database, str], _Memory] = PerProcess(lambda _: _Memory())


def ends_within(config: TargetTable, name: str, batches: Sequence[RecordBatch]) -> bool:
    """Whether the next batches can make a range whole that is open and that these begin.

    What is remembered may be out of date: then batches wait in vain, at most until the end of their
    bundle.

    Args:
        config: The pipeline's own target, and the state.
        name: The name of the pipeline; empty for the label of the target.
        batches: Of one bundle.
    """
    database = config.database
    key = (database, name or str(config.table_name))
    memory = _MEMORIES.get(key)
    if LOOKS.take_turn(key):
        try:
            with transaction(database, "look for open intents", write=False) as connection:
                pipeline = pipeline_named(connection, config.table_name, name)
                memory.ranges = open_ranges(connection, pipeline)
        except SluiceError as error:
            _log.debug("open intents are looked for later: %s", error)
    return is_within(memory.ranges, batches)


def is_within(opened: Mapping[Partition, Sequence[Range]], batches: Iterable[RecordBatch]) -> bool:
    """Whether one of the ranges ``opened`` is begun by ``batches`` and goes on behind them. Pure."""
    if not opened:
        return False
    spans: dict[Partition, list[Range]] = {}
    for batch in batches:
        if batch.claim is None:
            place = (batch.span.source, batch.span.partition)
            spans.setdefault(place, []).append((batch.span.start, batch.span.end))
    return any(
        low <= start < high < end
        for place, ranges in spans.items()
        for low, high in merge(ranges)
        for start, end in opened.get(place, ())
    )
