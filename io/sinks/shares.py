"""The shares of a commit: the records that go to one table, out of all its batches."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from sinks import targets
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.label import label_in, label_of
from sinks.evolution.demand import Refused
from sinks.footprints import is_entangled
from sinks.order import write as order
from sinks.order.claims import claims_of
from sinks.outbox import rows as outbox
from sinks.outbox.rows import ChangedTable, Effects
from sinks.table.cells import with_typed_cells
from sinks.table.config import SqlConfig
from sinks.table.origin import without_ambiguous, without_routes
from sinks.table.records import Records, Written, records_of
from sinks.table.target import Target
from sinks.table.writer import TableWriter
from sinks.tables import (
    MOST_TABLES,
    Tables,
    Use,
    default_schema,
    has_place,
    use_of,
    without_schema,
)
from sinks.work import Work
from transforms.batch.counts import Counts
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import ConfigError, SinkFailed
from transforms.route.table_name import UNROUTED

Parts = Sequence[tuple[int, RecordBatch]]
"""Records of one table by the number of the batch that they came with."""

NO_TABLE = "no_table"
"""Category of a record whose table, named by the record itself, cannot be created or written."""


class UnusableTable(Exception):
    """A table that is named by records cannot be created or written."""


class Altered(Exception):
    """The table has been altered, and records were refused for what it was."""


_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Share:
    """The records of one table.

    Attributes:
        use: How the table is written.
        target: The table.
        of: Its name in failures: None for the pipeline's own.
        parts: The records.
        isolate: As in ``Records``.
        effects: As in ``Records``.
        records: All good ones, as they are written.
        written: What became of them.
        good: The good ones of each batch.
    """

    use: Use
    target: Target
    of: str | None
    parts: Parts
    isolate: bool = False
    effects: bool = False
    records: Records = field(init=False)
    written: Written = field(init=False)
    good: Parts = field(init=False, default=())

    def write(self, connection: sa.Connection, writer: TableWriter) -> None:
        """Write the records; those that cannot be are in ``written.poison`` or left out."""
        dialect = dialect_of(connection)
        typed = dialect.checks_types
        routed = self.use.several  # whether one record may become several rows of this table
        parts = []
        for number, batch in self.parts:
            good = batch
            if self.target.origin_key:
                good = without_ambiguous(good, routes=routed)
            good = with_typed_cells(
                *(self.target, good),
                typed=typed,
                schema=self.use.config.schema,
                written=dialect.written_json,
            )
            parts.append((number, good))
        batches = [batch for _, batch in parts]
        if not self.target.ordered and any(map(_has_deletes, batches)):
            raise SinkFailed(
                f"records say that rows of {self.target.label} are gone, and nothing says what to do about "
                "that; give SqlConfig.of(on_delete=…), or --on_delete"
            )
        if self.target.origin_key and not routed:
            batches = [without_routes(batch) for batch in batches]
        self.records = records_of(
            *(connection.dialect, self.target, batches), isolate=self.isolate, effects=self.effects
        )
        self.good = parts
        if not self.target.ordered:
            self.written = writer.write(connection, self.target, self.records)
            return
        self.written = order.write(
            *(connection, writer, self.target, self.records, claims_of(batches)),
            typed=typed,
            in_order=not typed or is_entangled(self.target),
        )

    def committed(self, writer: TableWriter) -> None:
        """Remember what the write has told, now that it is committed."""
        for target, written in self.written.parts or ((self.target, self.written),):
            writer.committed(target, written)

    def judge(
        self, connection: sa.Connection, writer: TableWriter, began: float, *, look_again: bool
    ) -> None:
        """Let records wait that would be written if the table were another.

        Args:
            connection: In the transaction that has refused them.
            writer: The writer for the connection.
            began: When the commit began (monotonic).
            look_again: Whether to look whether the table has been altered.

        Raises:
            Altered: The table has been altered: write again.
            Demand: The table is to change first.
        """
        if look_again and targets.is_outdated(
            connection, self.use.config, writer, self.target, self.written.poison
        ):
            raise Altered
        batches = [batch for _, batch in self.good]
        refused = Refused(
            *(self.use.config, self.target, self.records, self.written.poison, batches)
        )
        self.written.poison = list(refused.judged(connection, writer, began))

    def settle(self, connection: sa.Connection, work: Sequence[Work]) -> None:
        """Tell the outbox what was changed, and each batch what became of its records."""
        if self.written.effects:
            outbox.insert(connection, _changed_table(self.target), self._effects())
        refused = [0] * len(self.good)
        for refusal in sorted(self.written.poison, key=lambda refusal: refusal.index):
            place, position = self.records.place_of(refusal.index)
            number, batch = self.good[place]
            refused[place] += 1
            work[number].poison.append(refusal.failure_at(batch, position, self.of))
        columns = zip(
            *(self.parts, self.good, self.written.inserted, self.written.updated),
            *(self.written.deleted, refused),
            strict=True,
        )
        for (number, before), (_, batch), inserted, updated, deleted, poison in columns:
            part = work[number]
            late = batch.failures[len(before.failures) :]
            part.poison[:0] = map(self._meant, late)
            part.add(
                self.target.label,
                Counts(
                    inserted=inserted,
                    updated=updated,
                    deleted=deleted,
                    duplicates=len(batch.raws) - inserted - updated - deleted - poison,
                ),
            )

    def _meant(self, failure: Failure) -> Failure:
        return failure if self.of is None else replace(failure, target=self.of)

    def _effects(self) -> Effects:
        """What the outbox keeps, in the order of the records."""
        effects = Effects()
        expanded = any(batch.expansions is not None for _, batch in self.good)
        for index in sorted(self.written.effects):
            place, position = self.records.place_of(index)
            batch = self.good[place][1]
            effects.operations.append(self.written.effects[index])
            effects.values.append(self.records.values[index])
            effects.sources.append(batch.span.source)
            effects.partitions.append(batch.span.partition)
            effects.offsets.append(batch.offsets[position])
            effects.elements.append(None if batch.elements is None else batch.elements[position])
            if expanded:
                effects.expansions.append(
                    () if batch.expansions is None else batch.expansions[position]
                )
        return effects


def unusable(
    tables: Tables | None,
    database: Database,
    batches: Sequence[RecordBatch],
    elsewhere: Collection[str] = (),
) -> dict[str, str]:
    """Why tables that records name cannot be used, by label; those that are missing are created.

    Each has a transaction of its own.

    Raises:
        SinkFailed: No route sends records to a table.
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
    """
    reasons: dict[str, str] = {}
    for use in _uses(tables, database, batches, elsewhere):
        if not use.on_demand or targets.remembered(use.config) is not None:
            continue
        label = label_in(default_schema(database), use.config.table_name)
        try:
            if tables is not None and not has_place(tables, label):
                raise ConfigError(f"records have named {MOST_TABLES:,} other tables before")
            if targets.create(use.config):
                _log.info("made table %s (%s)", label, targets.shape_of(use.config))
        except ConfigError as error:
            reasons[label] = str(error)
    return reasons


def are_altered(
    config: SqlConfig,
    tables: Tables | None,
    batches: Sequence[RecordBatch],
    elsewhere: Collection[str] = (),
) -> bool:
    """Whether one of the tables, which have just refused a whole write, is another one now."""
    configs = [config] if config.has_table else []
    configs += [use.config for use in _uses(tables, config.database, batches, elsewhere)]
    altered = [targets.is_altered(each) for each in dict.fromkeys(configs)]  # all are looked at
    return any(altered)


def _uses(
    tables: Tables | None,
    database: Database,
    batches: Sequence[RecordBatch],
    elsewhere: Collection[str],
) -> list[Use]:
    """How the tables of ``batches`` are written; labels that are ``elsewhere`` name none."""
    if tables is None:
        return []
    schema = default_schema(database)
    names = {name for batch in batches for name in set(batch.targets or ())}
    labels = sorted({without_schema(name, schema) for name in names} - {*elsewhere})
    return [use_of(tables, label, schema) for label in labels]


def shares_of(
    connection: sa.Connection,
    writer: TableWriter,
    config: SqlConfig,
    tables: Tables | None,
    work: Sequence[Work],
    refused: Mapping[str, str],
    elsewhere: Collection[str] = (),
) -> list[Share]:
    """The records of each table, in the order in which every process writes tables.

    Args:
        connection: In the transaction that writes them.
        writer: The writer for the connection.
        config: The pipeline's own table.
        tables: Those that routes send records to.
        work: What is left of each batch.
        refused: Why tables cannot be used, by label: their records fail.
        elsewhere: Labels whose records are not for tables.

    Raises:
        SinkFailed: Records are for a table that this sink does not have.
    """
    home = label_of(connection, config.table_name)
    schema = connection.dialect.default_schema_name
    uses: list[Use] = []
    parts: list[Parts] = []
    for label, of_table in dealt(work, home, schema).items():
        if label in elsewhere:
            continue
        if label in refused:
            _refuse(work, of_table, label, refused[label])
        elif label != UNROUTED or any(batch.raws for _, batch in of_table):
            uses.append(_use_of(label, home, schema, config, tables))
            parts.append(of_table)
    shares = []
    for place in targets.in_order(connection, writer, [use.config for use in uses]):
        target = targets.target_in(connection, uses[place].config, writer)
        of = None if target.label == home else target.label
        shares.append(Share(uses[place], target, of, parts[place]))
    return shares


def _use_of(
    label: str, home: str, schema: str | None, config: SqlConfig, tables: Tables | None
) -> Use:
    if tables is None and label == home and config.has_table:
        return Use(config)
    if tables is None:
        raise SinkFailed(
            f"records are for table {label}, and SqlSink has no such table; write "
            "routed records by RouteToSql(RoutedSink.of(sink, routes))"
        )
    return use_of(tables, label, schema)


def dealt(work: Sequence[Work], home: str, schema: str | None) -> dict[str, Parts]:
    """The records of ``work`` by the label of their table.

    Args:
        work: What is left of each batch.
        home: The label of the pipeline's own table, for records that were not routed.
        schema: The default schema, which labels leave out.
    """
    shares: dict[str, list[tuple[int, RecordBatch]]] = defaultdict(list)
    for number, part in enumerate(work):
        if part.batch.targets is None:
            shares[home].append((number, part.batch))
            continue
        labels = {name: without_schema(name, schema) for name in set(part.batch.targets)}
        part.targets = part.batch.targets
        if any(name != label for name, label in labels.items()):
            part.targets = [labels[name] for name in part.batch.targets]
        for label, batch in _by_label(part.batch, part.targets):
            shares[label].append((number, batch))
    return dict(shares)


def _refuse(work: Sequence[Work], parts: Parts, label: str, reason: str) -> None:
    """Let all records of a table fail that cannot be used for ``reason``."""
    error = UnusableTable(f"table {label}: {reason}")
    for number, batch in parts:
        failures = [
            replace(Failure.of(record, "write", NO_TABLE, error), target=label)
            for record in batch.records()
        ]
        work[number].poison += failures


def _by_label(batch: RecordBatch, labels: Sequence[str]) -> Iterator[tuple[str, RecordBatch]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        places[label].append(place)
    for label, indices in places.items():
        part = batch
        if len(places) > 1:
            values = batch.values
            part = batch.keep(indices, None if values is None else [values[i] for i in indices])
        yield label, _with_cells(part, indices[0], batch)


def _with_cells(part: RecordBatch, place: int, batch: RecordBatch) -> RecordBatch:
    """``part`` with the names that the mapping of its route has given to cells of CSV."""
    routed = batch.routed_cells
    name = None if batch.targets is None else batch.targets[place]
    return (
        replace(part, cells=routed[name])
        if routed and name is not None and name in routed
        else part
    )


def _has_deletes(batch: RecordBatch) -> bool:
    return batch.changes is not None and any(change.delete for change in batch.changes)


def _changed_table(target: Target) -> ChangedTable:
    keyed = () if target.origin_key else target.key
    types = {column.name: column.type for column in target.columns if column.name in keyed}
    return ChangedTable(target.label, target.key, types, target.whole_payload)
