"""What a run did, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from apache_beam.metrics import MetricsFilter
from rich.console import Console
from rich.table import Table

from clients.kafka.address import SCHEME as KAFKA_SCHEME
from pipelines.options import IngestConfig
from sinks.ledger import ledger
from sinks.table.config import SqlConfig
from transforms.batch.splits import Source
from transforms.errors import ConfigError
from transforms.metrics import NAMESPACE
from transforms.read.job_queue import Waiting

POSITIONS_SHOWN = 100
"""Positions of at most so many partitions of a source are listed one by one."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run.

    ``read = inserted + updated + duplicates + dead + retrying + filtered``.

    Attributes:
        read: Records settled by this run, each once however many attempts it took; those that an
            earlier run had put off are read again.
        inserted: Rows that were new.
        updated: Rows that were changed.
        duplicates: Records whose key was there already.
        dead: Records that became dead letters.
        retrying: Records that are scheduled for another attempt.
        attempts: Further attempts made at records that had failed before.
        scheduled: Records that wait for an attempt of this pipeline now, of earlier runs too.
        next_attempt_at: When the first of them is due (ISO 8601), or None.
        filtered: Records that a user step dropped on purpose.
        batches: Batches settled.
        splits: Splits read.
        resumed: Objects that an earlier run had settled whole, so that they were not read.
        resumed_bytes: Stored bytes that were not read again.
        skipped_offsets: Offsets of topics that were deleted before they were read; each range
            of them is one dead letter.
        seconds: Wall time of the run.
        records_per_second: ``read / seconds``.
        left: Records of the table that wait for an attempt of another pipeline, or of nobody.
        sources: Per ``--source``: its partitions, how many are complete, how many have a gap, and
            positions reached.
    """

    read: int
    inserted: int
    updated: int
    duplicates: int
    dead: int
    retrying: int
    attempts: int
    scheduled: int
    next_attempt_at: str | None
    filtered: int
    batches: int
    splits: int
    resumed: int
    resumed_bytes: int
    skipped_offsets: int
    seconds: float
    records_per_second: float
    left: tuple[Waiting, ...] = ()
    sources: tuple[dict[str, Any], ...] = field(default=())

    @property
    def adds_up(self) -> bool:
        """Whether every record that was read is accounted for."""
        return self.read == (
            self.inserted
            + self.updated
            + self.duplicates
            + self.dead
            + self.retrying
            + self.filtered
        )


def counters(result: Any) -> Counter[str]:
    """This project's counters of a finished pipeline, summed over its steps."""
    found: Counter[str] = Counter()
    query = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    for metric in query["counters"]:
        name = metric.key.metric.name
        found[name] += metric.result or 0
    return found


def of(counted: Mapping[str, int], seconds: float, config: IngestConfig) -> Summary:
    """The summary of a run that counted ``counted`` in ``seconds``."""
    scheduled, first = config.jobs.queue.waiting()
    read = counted.get("read", 0)
    return Summary(
        read=read,
        inserted=counted.get("inserted", 0),
        updated=counted.get("updated", 0),
        duplicates=counted.get("duplicates", 0),
        dead=counted.get("dead", 0),
        retrying=counted.get("retrying", 0),
        attempts=counted.get("attempts", 0),
        scheduled=scheduled,
        next_attempt_at=first.isoformat() if first else None,
        filtered=counted.get("filtered", 0),
        batches=counted.get("batches", 0),
        splits=counted.get("splits_planned", 0),
        resumed=counted.get("splits_skipped", 0),
        resumed_bytes=counted.get("bytes_skipped", 0),
        skipped_offsets=counted.get("skipped_offsets", 0),
        seconds=round(seconds, 3),
        records_per_second=round(read / seconds, 1) if seconds > 0 else 0.0,
        left=tuple(config.jobs.queue.left()),
        sources=_reached(config.sources, config.sql),
    )


def _reached(sources: Sequence[Source], sql: SqlConfig) -> tuple[dict[str, Any], ...]:
    """How far each ``--source`` has been settled, over all runs."""
    reached: list[dict[str, Any]] = [
        {"source": source.uri, "partitions": 0, "complete": 0, "gaps": 0, "positions": {}}
        for source in sources
    ]
    for each in ledger.audit(sql.database, sql.table_name):
        for source, entry in zip(sources, reached, strict=True):
            if not source.owns(each.source):
                continue
            entry["partitions"] += 1
            entry["complete"] += each.coverage.complete
            entry["gaps"] += bool(each.coverage.holes)
            positions = entry["positions"]
            if len(positions) < POSITIONS_SHOWN and each.coverage.ranges:
                positions[f"{each.source}#{each.partition}"] = each.coverage.ranges[-1][1]
    return tuple(reached)


def write_json(summary: Any, path: Path) -> None:
    """Write ``summary``, a dataclass, to ``path`` as one JSON object.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        path.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--summary_json {path}: cannot be written ({error.strerror}); "
            "the run itself is finished and committed"
        ) from error


def show(summary: Summary, console: Console) -> None:
    """Print ``summary`` as a small table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="bold")
    table.add_column()
    table.add_row(f"{summary.read:,}", "read")
    for name in ("inserted", "updated", "duplicates", "dead", "retrying", "filtered"):
        number = getattr(summary, name)
        if number or name in ("inserted", "duplicates", "dead"):
            table.add_row(f"{number:,}", name)
    console.print(table)
    if summary.resumed or summary.resumed_bytes:
        console.print(
            f"resumed: {summary.resumed:,} objects were settled before; "
            f"{summary.resumed_bytes:,} bytes not read again",
            highlight=False,
        )
    if summary.skipped_offsets:
        console.print(
            f"skipped: {summary.skipped_offsets:,} offsets were deleted before they were read",
            highlight=False,
        )
    if summary.attempts:
        console.print(
            f"retried: {summary.attempts:,} attempts at records that had failed before",
            highlight=False,
        )
    if summary.scheduled:
        console.print(
            f"scheduled: {summary.scheduled:,} records wait for another attempt, the first at "
            f"{summary.next_attempt_at}; run again, or stream",
            highlight=False,
        )
    console.print(
        f"{summary.batches:,} batches in {summary.seconds:.1f} s, "
        f"{summary.records_per_second:,.0f} records/s",
        highlight=False,
    )
    for source in summary.sources:
        if source["source"].startswith(KAFKA_SCHEME):  # a partition of a topic has no end
            state = f"{source['partitions']:,} partitions, {source['gaps']:,} with a gap"
        else:
            state = f"{source['complete']:,} of {source['partitions']:,} complete"
        console.print(
            f"{source['source']}: {state}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
