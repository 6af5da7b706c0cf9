"""Which offsets ``sluice rewind`` means, whether they may be forgotten, and what it prints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from clients.kafka import config as kafka_config
from pipelines import command
from pipelines.operation.dead_letter_filters import actor_of
from pipelines.terminal import safe, shown
from sinks.database.database import Database
from sinks.database.migrations import version
from sinks.ledger import ledger
from sinks.ledger.ledger import PartitionProgress
from sinks.rewind.order import Forgotten, Outcome, Rewind
from sinks.rewind.rewind import carry_out as forget
from sinks.rewind.rewind import preview
from sinks.runs.history import list_runs
from sinks.table.config import OnConflict
from sources.kafka import uri as kafka_uri
from sources.kafka.label import number_of, same_partition
from sources.ownership import names, owned_by
from transforms.errors import ConfigError, SourceUnavailable

_TOPIC = "kafka://"

_NAMED = 20
"""How many names a message lists."""

_SHOWN = 50
"""How many partitions the table lists one by one; ``--json`` lists all."""

_RANGES = 5

_ANSWER_SECONDS = 10.0
"""Within which a cluster says what it still has."""


def carry_out(flags: Any) -> int:
    """Say what would be forgotten or, with ``--yes``, forget it; returns the exit code.

    Raises:
        ConfigError: Options contradict each other, the ledger has nothing there, or the pipeline is neither
            paused nor stopped.
        SluiceError: The database cannot be reached, or refuses.
    """
    reason = (flags.reason or "").strip()
    if flags.yes and not reason:
        raise ConfigError(
            "--yes needs --reason TEXT for the audit trail; without --yes, it only looks"
        )
    database = Database(flags.sink)
    version.require(database)
    if flags.to_offset is not None:
        _refuse_middle(database, flags)
    chosen = _chosen(database, flags)
    places = tuple((progress.source, progress.partition) for progress in chosen)
    rewind = Rewind(flags.pipeline, places, flags.from_offset, flags.to_offset)
    retained = Retained.of(flags)
    if flags.yes:
        actor = actor_of(flags)
        outcome = forget(database, rewind, actor=actor, reason=reason, names=names)
    else:
        outcome = preview(database, rewind, names)
    _print(flags, outcome, retained)
    command.check_printed()
    return command.OK


@dataclass(frozen=True, slots=True)
class Retained:
    """What the topics still have, as far as the cluster says.

    Attributes:
        bounds: The first offset and the end of each partition, by source and partition.
        unknown: Why it is not known; empty if nobody was asked, or it is.
        asked: Whether the cluster has answered.
    """

    bounds: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    unknown: str = ""
    asked: bool = False

    @classmethod
    def of(cls, flags: Any) -> Retained:
        """Ask the cluster, if ``--source`` names one."""
        try:
            address = kafka_uri.parse(flags.source) if flags.source.startswith(_TOPIC) else None
        except ConfigError:  # a name of the ledger has no brokers
            address = None
        if address is None:
            return cls()
        from sources.kafka.cluster import (
            cluster,
        )  # with librdkafka, which other sources do not need

        try:
            config = kafka_config.parse(flags.kafka_config)
            return cls(
                cluster(address.brokers, config, _ANSWER_SECONDS).retained(address), asked=True
            )
        except SourceUnavailable as error:
            return cls(unknown=f"which offsets the topic still has is not known: {error}")

    def of_partition(self, part: Forgotten) -> tuple[int, int] | None:
        """The first offset and the end of a partition, whatever the ledger knows of the topic's id."""
        for (source, label), bounds in self.bounds.items():
            if source == part.source and same_partition(label, part.partition):
                return bounds
        return None

    def line(self, part: Forgotten) -> str:
        """What of a partition cannot be read again; empty if all can, as far as is known."""
        if not self.asked:
            return ""
        where = f"{part.source} ({part.partition})"
        bounds = self.of_partition(part)
        if bounds is None:
            return f"{where} does not exist any more: nothing of it is read again"
        first, _ = bounds
        gone = sum(min(high, first) - low for low, high in part.ranges if low < first)
        if not gone:
            return ""
        return f"{where} begins at offset {first:,} now: {gone:,} offsets are gone, and become a dead letter"


def _chosen(database: Database, flags: Any) -> list[PartitionProgress]:
    """The partitions that the options name, each of which may be read again from ``--from_offset`` on."""
    if not flags.source.startswith(_TOPIC):
        owned_by(flags.source)  # a mistake is told as such
    listed = list(ledger.audit(database))
    of_pipeline = [progress for progress in listed if progress.pipeline == flags.pipeline]
    if not of_pipeline:
        others = sorted({progress.pipeline for progress in listed})
        raise ConfigError(
            f"there is no pipeline {flags.pipeline!r} with a ledger here; there "
            + (f"are: {_some(others)}" if others else "are none yet")
        )
    of_source = [progress for progress in of_pipeline if names(flags.source, progress.source)]
    if not of_source:
        there = sorted({progress.source for progress in of_pipeline})
        raise ConfigError(
            f"the ledger of pipeline {flags.pipeline} has nothing of {flags.source}; it has: {_some(there)}"
        )
    chosen = _of_partitions(of_source, flags)
    for progress in chosen:
        _refuse_unreadable(progress, flags)
    _refuse_versions(database, of_source, flags)
    return chosen


def _refuse_versions(
    database: Database, of_source: Sequence[PartitionProgress], flags: Any
) -> None:
    """Refuse a file that has grown where records have no key but their place, which another version has.

    Its last version has taken over what was settled of the ones before, and would be read as a whole.
    """
    versions = Counter(progress.source for progress in of_source)
    grown = [
        name for name, number in versions.items() if number > 1 and not name.startswith(_TOPIC)
    ]
    if not grown or flags.on_conflict is not None:
        return
    run = next(iter(list_runs(database, flags.pipeline, 1)), None)
    if run is None or run.options.get("routes") or not run.options.get("key"):
        raise ConfigError(
            f"the ledger has several versions of {grown[0]}: read again as a whole, records that have no key "
            "of their own would be there twice. If every table has a key, say so with --on_conflict, as the "
            "ingest has it"
        )


def _of_partitions(of_source: Sequence[PartitionProgress], flags: Any) -> list[PartitionProgress]:
    if not flags.partition:
        if flags.from_offset and len(of_source) > 1:
            there = [progress.partition for progress in of_source]
            raise ConfigError(
                f"{flags.source} has {len(there):,} partitions, and an offset is one of a partition: give "
                f"--partition; there are: {_some(there)}"
            )
        # Of a topic that was deleted and created again, only the new one can be read.
        open_ended = [progress for progress in of_source if not _is_gone(progress)]
        return open_ended or list(of_source)
    chosen: list[PartitionProgress] = []
    for name in dict.fromkeys(flags.partition):
        called = [progress for progress in of_source if progress.partition == name]
        called = called or [
            progress
            for progress in of_source
            if progress.source.startswith(_TOPIC)
            and name.isdecimal()
            and number_of(progress.partition) == int(name)
        ]
        if len(called) > 1:  # also of earlier topics
            called = [progress for progress in called if not _is_gone(progress)] or called
        if len(called) != 1:
            there = [progress.partition for progress in (called or of_source)]
            what = "several partitions" if called else "no partition"
            raise ConfigError(f"{flags.source} has {what} {name}; there are: {_some(there)}")
        chosen += called
    return chosen


def _is_gone(progress: PartitionProgress) -> bool:
    """Whether it is a partition of a topic that does not exist any more."""
    return progress.source.startswith(_TOPIC) and progress.coverage.end is not None


def _refuse_unreadable(progress: PartitionProgress, flags: Any) -> None:
    if _is_gone(progress):
        raise ConfigError(
            f"{progress.source} ({progress.partition}) ended at offset {progress.coverage.end:,}, as its "
            "topic was deleted: nothing of it could be read again"
        )
    whole = flags.from_offset == 0 and flags.to_offset is None
    if not progress.source.startswith(_TOPIC) and not whole:
        raise ConfigError(
            f"{progress.source} is read again as a whole, since not every offset in it begins a record: "
            "give --from_offset 0, and no --to_offset"
        )


def _refuse_middle(database: Database, flags: Any) -> None:
    """Refuse a range in the middle where its records would overwrite those of later ones."""
    if (mode := _on_conflict(database, flags)) is None:
        raise ConfigError(
            "--to_offset needs to know how the pipeline writes, and the options of its last run do not say: "
            "give --on_conflict"
        )
    if mode == "update":
        raise ConfigError(
            "with --on_conflict update, a range in the middle would overwrite what later records have "
            "written: leave out --to_offset, so that these are read again too"
        )


def _on_conflict(database: Database, flags: Any) -> str | None:
    """How the pipeline writes a row that is there; None if nobody says. Without a key, no row ever is."""
    if flags.on_conflict is not None:
        return OnConflict.parse(flags.on_conflict).mode
    run = next(iter(list_runs(database, flags.pipeline, 1)), None)
    if run is None or run.options.get("routes"):
        return None
    if not run.options.get("key"):
        return "ignore"
    return OnConflict.parse(run.options.get("on_conflict", "ignore")).mode


def _print(flags: Any, outcome: Outcome, retained: Retained) -> None:
    if flags.json:
        print(json.dumps([_as_json(flags, outcome, retained)], indent=2))
        return
    console = command.console()
    command.print_whole(console, _table(outcome.forgotten))
    if len(outcome.forgotten) > _SHOWN:
        console.print(f"… {len(outcome.forgotten) - _SHOWN:,} more (--json lists all)")
    told = [retained.unknown, *map(retained.line, outcome.forgotten[:_SHOWN])]
    for line in [*filter(None, told), *_lines(flags, outcome)]:
        console.print(safe(line), highlight=False, markup=False, soft_wrap=True)


def _lines(flags: Any, outcome: Outcome) -> list[str]:
    forgotten = outcome.forgotten
    offsets = sum(part.offsets for part in forgotten)
    partitions = f"{len(forgotten):,} partition{'s' if len(forgotten) > 1 else ''}"
    jobs = _states(forgotten)
    if not flags.yes:
        would = f"{offsets:,} offsets of {partitions} would be forgotten, and {jobs} removed"
        lines = [f"dry run: {would}; nothing was changed"]
        if outcome.obstacle:
            lines.append(f"it would be refused now: {outcome.obstacle}")
        return [*lines, "do it with --yes and --reason TEXT"]
    again = "they are read again once the pipeline is started, or resumed where it is paused"
    return [
        f"{offsets:,} offsets of {partitions} forgotten, and {jobs} removed",
        f"{again}; it is rewind {outcome.generation:,} of pipeline {flags.pipeline}",
    ]


def _states(forgotten: Sequence[Forgotten]) -> str:
    states: Counter[str] = Counter()
    for part in forgotten:
        states.update(part.states)
    total = states.total()
    listed = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    return f"{total:,} failed record{'' if total == 1 else 's'}" + (
        f" ({listed})" if listed else ""
    )


def _table(forgotten: Sequence[Forgotten]) -> Table:
    table = Table("source", "partition", "forgotten", "offsets", "failed records", box=None)
    for part in forgotten[:_SHOWN]:
        ranges = " ".join(f"{low}–{high}" for low, high in part.ranges[:_RANGES])
        ranges += " …" if len(part.ranges) > _RANGES else ""
        numbers = (f"{part.offsets:,}", f"{part.removed:,}")
        table.add_row(*map(shown, (part.source, part.partition, ranges, *numbers)))
    return table


def _as_json(flags: Any, outcome: Outcome, retained: Retained) -> dict[str, Any]:
    return {
        "pipeline": flags.pipeline,
        "from_offset": flags.from_offset,
        "to_offset": flags.to_offset,
        "dry_run": not flags.yes,
        "obstacle": outcome.obstacle,
        "generation": outcome.generation,
        "offsets": sum(part.offsets for part in outcome.forgotten),
        "removed": sum(part.removed for part in outcome.forgotten),
        "partitions": [
            {
                "source": part.source,
                "partition": part.partition,
                "ranges": [list(bounds) for bounds in part.ranges],
                "offsets": part.offsets,
                "states": part.states,
                "counts": dict(part.counts),
                "retained": retained.of_partition(part),
            }
            for part in outcome.forgotten
        ],
    }


def _some(listed: Sequence[str]) -> str:
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
