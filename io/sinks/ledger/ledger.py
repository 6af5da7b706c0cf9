"""The ledger: which spans of which partitions are settled, kept with the rows themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.label import TargetTable, pipeline_named
from sinks.database.tables import progress
from sinks.ledger import counts as table_counts
from sinks.ledger.counts import CHUNK, Deltas
from sinks.ledger.ranges import Partition, Settlement, coverage_of, merged
from transforms.batch.content import content_from
from transforms.batch.counts import COUNTS, Counts
from transforms.batch.coverage import Coverage
from transforms.errors import Contention

Settlements = Mapping[Partition, Sequence[Settlement]]


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """What the ledger says of one partition, for audits.

    Attributes:
        pipeline: The pipeline that read it.
        source: As in ``Origin``.
        partition: As in ``Origin``.
        coverage: Its settled spans, and its end if that is known.
        counts: What its records became.
        updated_at: When the ledger last changed.
    """

    pipeline: str
    source: str
    partition: str
    coverage: Coverage
    counts: Counts
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SqlLedger:
    """Answers what a pipeline has settled. Picklable; implements ``Ledger``.

    Where no ledger exists yet, nothing is settled.

    Attributes:
        config: The table that the pipeline writes, and its database: a ``SqlConfig``.
        pipeline: The pipeline's name; empty for the label of the table.
    """

    config: TargetTable
    pipeline: str = ""

    def coverage(self, partitions: Sequence[Partition]) -> dict[Partition, Coverage]:
        """The coverage of each ``(source, partition)``; those the ledger does not have are absent.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        return self._coverage(lambda connection, name: settlements(connection, name, partitions))

    def partitions(self, source: str) -> dict[str, Coverage]:
        """The coverage of every partition of ``source``, by partition.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        settled = self._coverage(
            lambda connection, name: _read(connection, _OF_SOURCE, {"pipeline": name, "of": source})
        )
        return {partition: coverage for (_, partition), coverage in settled.items()}

    def unresolved(self) -> dict[str, int]:
        """How many dead letters of each source are neither replayed nor deleted; without zeros.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        with transaction(self.config.database, "read the ledger", write=False) as connection:
            if not exists(connection):
                return {}
            name = pipeline_named(connection, self.config.table_name, self.pipeline)
            return table_counts.unresolved(connection, name)

    def is_empty(self) -> bool:
        """Whether nothing is settled at all.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        return not self._coverage(
            lambda connection, name: _read(connection, _ROWS.limit(1), {"pipeline": name})
        )

    def versions(self, sources: Sequence[str]) -> dict[Partition, Coverage]:
        """The coverage of every partition of ``sources``, by source and partition.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        return self._coverage(
            lambda connection, name: _chunked(connection, _OF_SOURCES, name, sources)
        )

    def elsewhere(self, partitions: Sequence[str]) -> dict[Partition, Coverage]:
        """The coverage of ``partitions`` of whatever source, by source and partition.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        return self._coverage(
            lambda connection, name: _chunked(connection, _NAMED, name, partitions)
        )

    def _coverage(
        self, settled: Callable[[sa.Connection, str], Settlements]
    ) -> dict[Partition, Coverage]:
        """The coverage of the rows that ``settled`` returns for the name of the pipeline."""
        with transaction(self.config.database, "read the ledger", write=False) as connection:
            if not exists(connection):
                return {}
            name = pipeline_named(connection, self.config.table_name, self.pipeline)
            rows = settled(connection, name)
        return {partition: coverage_of(spans) for partition, spans in rows.items()}


def exists(connection: sa.Connection) -> bool:
    """Whether the table of the ledger exists."""
    return sa.inspect(connection).has_table(progress.name)


def settlements(
    connection: sa.Connection, pipeline: str, partitions: Iterable[Partition]
) -> dict[Partition, list[Settlement]]:
    """The ledger's rows of ``partitions``; those that it does not have are absent."""
    keys = sorted(set(partitions))
    settled: dict[Partition, list[Settlement]] = {}
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        bounds = {
            "pipeline": pipeline,
            "sources": sorted({source for source, _ in chunk}),
            "partitions": sorted({partition for _, partition in chunk}),
        }
        settled.update(_read(connection, _OF_PARTITIONS, bounds))
    return {partition: settled[partition] for partition in keys if partition in settled}


def record(
    connection: sa.Connection,
    pipeline: str,
    before: Settlements,
    news: Sequence[tuple[Partition, Settlement]],
    tables: Mapping[str, Deltas],
    run: str,
) -> None:
    """Write ``news`` into the ledger, merged with those of the rows ``before`` that they touch.

    Args:
        connection: In a transaction that holds the locks of the partitions.
        pipeline: The pipeline that has read them.
        before: The ledger's rows of these partitions.
        news: What is settled now, by partition.
        tables: The counts of ``news`` by the table that the records were meant for, as ``label_of``
            names it, and by partition.
        run: The run that has settled it.
    """
    now = datetime.now(UTC)
    fresh: dict[Partition, list[Settlement]] = defaultdict(list)
    for place, settlement in news:
        fresh[place].append(settlement)
    gone: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for (source, partition), rows in fresh.items():
        old = {row.start: row for row in before.get((source, partition), ())}
        new = merged([*old.values(), *rows])
        starts = {row.start for row in new}
        columns = {"pipeline": pipeline, "source": source, "partition": partition}
        gone += [
            {f"of_{name}": value for name, value in {**columns, "start_offset": start}.items()}
            for start in old
            if start not in starts
        ]
        changed += [_values(columns, row, now, run) for row in new if old.get(row.start) != row]
    if gone:
        connection.execute(_DELETE, gone)
    if changed:
        dialect_of(connection).upsert(connection, progress, changed)
    more: dict[str, Deltas] = {}
    first: dict[str, Deltas] = {}
    for target, sums in tables.items():
        more[target] = {place: total for place, total in sums.items() if place in before}
        first[target] = {place: total for place, total in sums.items() if place not in before}
    table_counts.add_to_each(connection, pipeline, more)
    table_counts.begin(connection, pipeline, first)


def replace_rows(
    connection: sa.Connection,
    pipeline: str,
    place: Partition,
    before: Sequence[Settlement],
    after: Sequence[Settlement],
) -> None:
    """Put the rows ``after`` in place of those that a partition has, ``before``.

    Args:
        connection: In a transaction that holds the lock of the partition.
        pipeline: The pipeline that has read it.
        place: Source and partition.
        before: What ``settlements`` has just returned.
        after: With the same counts, all together.

    Raises:
        Contention: Another writer changed a row meanwhile, where no lock prevents it.
    """
    source, partition = place
    columns = {"pipeline": pipeline, "source": source, "partition": partition}
    for row in before:
        if row in after:
            continue
        key = {**columns, "start_offset": row.start}
        unchanged = _DELETE.where(progress.c.end_offset == row.end)
        bounds = {f"of_{name}": value for name, value in key.items()}
        if connection.execute(unchanged, bounds).rowcount != 1:
            raise Contention(
                f"another writer changed the ledger of {source} ({partition}) at the same time; "
                "trying again"
            )
    now = datetime.now(UTC)
    changed = [_values(columns, row, now, None) for row in after if row not in before]
    if changed:
        connection.execute(sa.insert(progress), changed)


def _sum(counts: Sequence[Counts]) -> Counts:
    return counts[0] if len(counts) == 1 else sum(counts, Counts())


_KEY = ("pipeline", "source", "partition", "start_offset")
_DELETE = sa.delete(progress).where(*(progress.c[n] == sa.bindparam(f"of_{n}") for n in _KEY))


def _values(
    place: Mapping[str, str], row: Settlement, now: datetime, run: str | None
) -> dict[str, Any]:
    return {
        **place,
        "start_offset": row.start,
        "end_offset": row.end,
        "final": row.final,
        "content": None if row.content is None else str(row.content),
        **dict(row.counts),
        "updated_at": now,
        "run": run,
    }


_ROWS = sa.select(
    progress.c.source,
    progress.c.partition,
    progress.c.start_offset,
    progress.c.end_offset,
    progress.c.final,
    progress.c.content,
    *(progress.c[name] for name in COUNTS),
).where(progress.c.pipeline == sa.bindparam("pipeline"))
# Two IN lists select a little more than the pairs, but every database has them.
_OF_PARTITIONS = _ROWS.where(
    progress.c.source.in_(sa.bindparam("sources", expanding=True)),
    progress.c.partition.in_(sa.bindparam("partitions", expanding=True)),
)
_OF_SOURCE = _ROWS.where(progress.c.source == sa.bindparam("of"))
_OF_SOURCES = _ROWS.where(progress.c.source.in_(sa.bindparam("names", expanding=True)))
_NAMED = _ROWS.where(progress.c.partition.in_(sa.bindparam("names", expanding=True)))


def _chunked(
    connection: sa.Connection, query: sa.Select[Any], pipeline: str, names: Sequence[str]
) -> dict[Partition, list[Settlement]]:
    """The ledger's rows of ``names``, which ``query`` asks for."""
    settled: dict[Partition, list[Settlement]] = {}
    for start in range(0, len(names), CHUNK):
        bounds = {"pipeline": pipeline, "names": list(names[start : start + CHUNK])}
        settled.update(_read(connection, query, bounds))
    return settled


def _read(
    connection: sa.Connection, query: sa.Select[Any], bounds: Mapping[str, Any]
) -> dict[Partition, list[Settlement]]:
    settled: dict[Partition, list[Settlement]] = defaultdict(list)
    for source, partition, start, end, final, text, *counts in connection.execute(query, bounds):
        content = None if text is None else content_from(text)
        row = Settlement(start, end, bool(final), Counts(*counts), content)
        settled[source, partition].append(row)
    return settled


def audit(database: Database, of: SqlLedger | None = None) -> Iterator[PartitionProgress]:
    """Yield what the ledger says of each partition, ordered by pipeline, source and partition.

    Args:
        database: Which database.
        of: The ledger of one pipeline in this database; None stands for all of them.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    columns = progress.c
    query = sa.select(progress).order_by(
        columns.pipeline, columns.source, columns.partition, columns.start_offset
    )
    with transaction(database, "read the ledger", write=False) as connection:
        if not exists(connection):
            return
        if of is not None:
            name = pipeline_named(connection, of.config.table_name, of.pipeline)
            query = query.where(columns.pipeline == name)
        rows = connection.execute(query.execution_options(yield_per=1_000))
        for place, group in groupby(rows, lambda row: tuple(row[:3])):
            yield progress_of(place, list(group))


_counts_of = attrgetter(*COUNTS)


def progress_of(place: tuple[str, str, str], rows: Sequence[Any]) -> PartitionProgress:
    """What the ledger's ``rows`` of one pipeline, source and partition add up to."""
    parts = [
        Settlement(
            row.start_offset,
            row.end_offset,
            bool(row.final),
            Counts(*_counts_of(row)),
        )
        for row in rows
    ]
    return PartitionProgress(
        *place,
        coverage_of(parts),
        _sum([part.counts for part in parts]),
        max([row.updated_at for row in rows]),
    )
