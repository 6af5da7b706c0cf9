"""What a run did, printed for people and written as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines import command
from pipelines.ingestion.config import IngestConfig
from pipelines.ingestion.own_table import own_table
from pipelines.operation.run_output import tables_of
from pipelines.terminal import shown
from sinks.ledger import ledger
from sinks.ledger.ledger import SqlLedger
from sinks.tables import default_schema
from sources.files.json.layout import LINES, parsed_partition
from transforms import notes
from transforms.batch.counts import COUNTS, Counts, by_table
from transforms.batch.splits import Source
from transforms.notes import Note
from transforms.read import standing
from transforms.read.job_queue import Waiting
from transforms.route.table_name import UNROUTED
from transforms.settle.target_counts import by_target

_ALWAYS_SHOWN = ("read", "inserted", "duplicates", "dead")

POSITIONS_SHOWN = 100
"""For how many partitions of a source the JSON lists the position reached, and the layout."""

_LAYOUTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run.

    Attributes:
        counts: Records settled by this run and their outcomes. A record counts as read once,
            however many attempts it took; one that an earlier run put off is read again.
        attempts: Further attempts at records that had failed before.
        scheduled: Records that now wait for an attempt of this pipeline, also those of earlier runs.
        next_attempt_at: When the first of them is due (ISO 8601), or None if none waits.
        batches: How many batches were settled.
        splits: How many splits were read.
        resumed: Objects that were not read because an earlier run had settled them completely.
        resumed_bytes: Stored bytes that were not read for that reason.
        skipped_offsets: Offsets of topics that were deleted before they were read; each range
            of them is one dead letter.
        unavailable: Objects that could not be read now and are left for a later run.
        passed_over: Objects that a glob matches and that are not read.
        seconds: Wall time of the run.
        records_per_second: Records, those within messages too, per second of wall time.
        left: Records of the table that wait for another pipeline, or for no pipeline.
        sources: For each ``--source``: its partitions, how many of them are complete, how many
            have a gap, the positions reached, and the layouts of JSON other than lines; of a
            topic that this process has read also how many are empty, how many are held back by
            an open transaction, and how many offsets that are.
        notes: What is said of objects that were left or passed over, or whose content told how
            to read them.
        tables: ``counts`` by table, also of those that got nothing, as far as their names are known
            beforehand. What concerns no table, such as a record that cannot be parsed, is counted
            for the pipeline's own.
        columns_added: Columns that tables got for new fields.
        columns_widened: Columns whose type takes more now.
    """

    counts: Counts
    attempts: int
    scheduled: int
    next_attempt_at: str | None
    batches: int
    splits: int
    resumed: int
    resumed_bytes: int
    skipped_offsets: int
    unavailable: int
    passed_over: int
    seconds: float
    records_per_second: float
    left: tuple[Waiting, ...] = ()
    sources: tuple[dict[str, Any], ...] = field(default=())
    notes: tuple[Note, ...] = ()
    tables: Mapping[str, Counts] = field(default_factory=dict)
    columns_added: int = 0
    columns_widened: int = 0

    def as_json(self) -> dict[str, Any]:
        """One flat object: the counts and all other figures by their names."""
        figures = asdict(self)
        return {**figures.pop("counts"), **figures}


def summarize(counters: Mapping[str, int], seconds: float, config: IngestConfig) -> Summary:
    """The summary of a run that ended with ``counters`` after ``seconds``."""
    scheduled, first = config.jobs.queue.waiting()
    counts = Counts(**{name: counters.get(name, 0) for name in COUNTS})
    return Summary(
        counts=counts,
        attempts=counters.get("attempts", 0),
        scheduled=scheduled,
        next_attempt_at=first.isoformat() if first else None,
        batches=counters.get("batches", 0),
        splits=counters.get("splits_planned", 0),
        resumed=counters.get("splits_skipped", 0),
        resumed_bytes=counters.get("bytes_skipped", 0),
        skipped_offsets=counters.get("skipped_offsets", 0),
        unavailable=counters.get("objects_unavailable", 0),
        passed_over=counters.get("objects_passed_over", 0),
        seconds=round(seconds, 3),
        records_per_second=round(counts.records / seconds, 1) if seconds > 0 else 0.0,
        left=tuple(config.jobs.queue.left()),
        sources=_reached(config.sources, config.ledger),
        notes=tuple(notes.noted()),
        tables=by_table(counts, by_target(counters), own_table(config.sql), _labels(config)),
        columns_added=counters.get("columns_added", 0),
        columns_widened=counters.get("columns_widened", 0),
    )


def _labels(config: IngestConfig) -> set[str]:
    """The tables and datasets that are known beforehand, by their labels."""
    own = own_table(config.sql)
    labels = {own} if config.routes is None or config.sql.table != UNROUTED else set[str]()
    if config.tables is not None:
        labels |= config.tables.known(default_schema(config.sql.database)).keys()
    if config.objects is not None:
        schema = default_schema(config.sql.database)
        labels |= config.objects.in_schema(schema).by_label.keys()
    return labels


def _reached(sources: Sequence[Source], of: SqlLedger) -> tuple[dict[str, Any], ...]:
    """How far each ``--source`` is settled, over all runs."""
    reached: list[dict[str, Any]] = [
        {
            "source": source.uri,
            "partitions": 0,
            "complete": 0,
            "gaps": 0,
            "empty": 0,
            "held_back": 0,
            "held_offsets": 0,
            "positions": {},
            "layouts": {},
        }
        for source in sources
    ]
    standings = {(each.source, each.partition): each for each in standing.noted()}
    for state in standings.values():
        for source, entry in zip(sources, reached, strict=True):
            if source.owns(state.source):
                entry["partitions"] += 1
                entry["empty"] += state.empty
                entry["held_back"] += state.held > 0
                entry["held_offsets"] += state.held
    for progress in ledger.audit(of.config.database, of):
        is_new = (progress.source, progress.partition) not in standings
        for source, entry in zip(sources, reached, strict=True):
            if not source.owns(progress.source):
                continue
            entry["partitions"] += is_new
            entry["complete"] += progress.coverage.complete
            entry["gaps"] += bool(progress.coverage.holes)
            layout = parsed_partition(progress.partition)[1]
            layouts = entry["layouts"]
            if layout != LINES and not source.open_ended and len(layouts) < POSITIONS_SHOWN:
                layouts[progress.source] = str(layout)
            positions = entry["positions"]
            if len(positions) < POSITIONS_SHOWN and progress.coverage.ranges:
                positions[f"{progress.source}#{progress.partition}"] = progress.coverage.ranges[-1][
                    1
                ]
    return tuple(reached)


def show(summary: Summary, sources: Sequence[Source], console: Console) -> None:
    """Print the summary of a run that read ``sources`` as a small table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="bold")
    table.add_column()
    for name, number in summary.counts:
        if number or name in _ALWAYS_SHOWN:
            table.add_row(f"{number:,}", name)
    console.print(table)
    tables = {label: counts for label, counts in summary.tables.items() if counts != Counts()}
    if len(tables) > 1:
        command.print_whole(console, tables_of(tables))
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
    _show_notes(summary, console)
    for done, verb in ((summary.columns_added, "added"), (summary.columns_widened, "widened")):
        if done:
            columns = "column" if done == 1 else "columns"
            console.print(f"{verb}: {done:,} {columns}", highlight=False)
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
    for source, reached in zip(sources, summary.sources, strict=True):
        if source.open_ended:
            state = f"{_partitions(reached)}, {reached['gaps']:,} with a gap"
        else:
            state = f"{reached['complete']:,} of {reached['partitions']:,} complete"
        console.print(shown(f"{source.uri}: {state}"), soft_wrap=True)
        for line in _layouts(reached["layouts"]):
            _line(console, line)


def _show_notes(summary: Summary, console: Console) -> None:
    """Print what is said once of objects; elsewhere than in this process, only how many."""
    said = {note.topic for note in summary.notes}
    if summary.unavailable and "unavailable" not in said:
        _line(console, f"left for a later run: {summary.unavailable:,} objects")
    if summary.passed_over and "passed_over" not in said:
        _line(console, f"passed over: {summary.passed_over:,} objects")
    for note in summary.notes:
        if note.topic == "unavailable":
            _line(console, f"left for a later run: {note.count:,} objects: {note}")
        elif note.topic == "continued":
            _line(
                console,
                f"{note.count:,} {'file' if note.count == 1 else 'files'} {note.group}: {note}",
            )
        elif note.topic == "passed_over":
            _line(console, f"passed over: {note.count:,} objects ({note.group}): {note}")
        else:
            _line(console, f"detected: {note.group} in {note}")


def _line(console: Console, text: str) -> None:
    console.print(shown(text), soft_wrap=True)


def _partitions(reached: Mapping[str, Any]) -> str:
    """How many partitions there are, and of how many there is nothing, or not all, to read."""
    names = {"empty": "empty", "held_back": "held back by an open transaction"}
    parts = [f"{reached[name]:,} {text}" for name, text in names.items() if reached.get(name)]
    among = f" ({', '.join(parts)})" if parts else ""
    return f"{reached['partitions']:,} partitions{among}"


def _layouts(layouts: Mapping[str, str]) -> list[str]:
    """A line for each of the first objects that are not JSON lines, and one for the others."""
    lines = [f"{name}: {layout}" for name, layout in islice(layouts.items(), _LAYOUTS_SHOWN)]
    return [*lines, "… and others that are not JSON lines"] if len(layouts) > len(lines) else lines
