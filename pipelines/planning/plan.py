"""Try a pipeline on a sample: read, shape, write, and take back what was written."""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines import execution
from pipelines.ingestion.checked import expected_fields
from pipelines.ingestion.config import IngestConfig
from pipelines.planning.detected import Detected, detected
from pipelines.planning.no_ledger import NoLedger
from pipelines.planning.sample import Bounds, Sample, aside, sample
from pipelines.planning.shaping import Shaped, shaped
from sinks.database.engine import exists
from sinks.failures import fates_of
from sinks.ledger import ledger
from sinks.rehearsal.attempt import Attempt, attempt, look, rehearsed
from sinks.rehearsal.rehearsal import TooLong, rehearsal, rehearsing_of
from sinks.sql import SqlSink
from sinks.tables import default_schema, without_schema
from transforms import notes
from transforms.batch.counts import Counts, by_table
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import SluiceError
from transforms.notes import Note
from transforms.parse.hidden.preview import preview
from transforms.read import standing
from transforms.steps.retry import Retry

EXAMPLES = 3
"""How many failed records of each kind are shown."""

_TRIES = 3
PAUSE_SECONDS = 1.0
"""How long others have their turn before a trial that took too long is made smaller."""

NO_ROLLBACK = "the database cannot take back the tables that it creates"
OBJECTS = "objects are not written to be taken back"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is tried.

    Attributes:
        records: The most records.
        call_steps: Whether the user's steps are called.
        from_start: Whether what is settled is read as well.
    """

    records: int = 1_000
    call_steps: bool = False
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A record that failed, as it may be shown."""

    source: str
    partition: str
    offset: str
    message: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Failures that are alike.

    Attributes:
        outcome: ``dead`` or ``retrying``.
        table: The table that they were meant for.
        stage: The step that failed.
        category: Why.
        count: How many there are.
        examples: The first of them.
    """

    outcome: str
    table: str
    stage: str
    category: str
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do with the sample.

    Attributes:
        sample: What was read.
        shaped_seconds: How long the way from the source to the write took.
        detected: How it is written.
        notes: What the readers have said of objects.
        counts: What became of the records. Those that were not tried are in none of the outcomes.
        left_out: How many of the last records of the sample are not in ``counts``, because a trial with
            them would have taken too long.
        untried: How many records were not written, and so have no outcome, by table or dataset.
        why_untried: Why they were not; empty if all were tried.
        tables: ``counts`` by table.
        kinds: The failures.
        attempt: What the write has shown; None if nothing was written.
        missing: The tables that do not exist, where nothing was written.
        steps: The labels of the user's steps.
        called: Whether these were called.
    """

    sample: Sample
    shaped_seconds: float
    detected: tuple[Detected, ...]
    notes: tuple[Note, ...]
    counts: Counts
    left_out: int
    untried: Mapping[str, int]
    why_untried: str
    tables: Mapping[str, Counts]
    kinds: tuple[Kind, ...]
    attempt: Attempt | None
    missing: tuple[str, ...]
    steps: tuple[str, ...]
    called: bool

    @property
    def dead(self) -> int:
        """How many records would become dead letters."""
        return self.counts.dead


@dataclass(slots=True)
class _Target:
    """Where records go, as far as it is needed before they are written.

    Attributes:
        fields: What the tables expect.
        schema: The default schema.
        missing: The tables that do not exist, if nothing can be tried.
        tries: Whether a write can be tried.
        why: Why not; or why not all records.
        datasets: The labels of datasets, whose records are never tried.
        has_ledger: Whether there may be a ledger. A file without one is not opened for it: that would
            change how SQLite keeps its journal.
    """

    fields: ExpectedFields = field(default_factory=ExpectedFields)
    schema: str = ""
    missing: tuple[str, ...] = ()
    tries: bool = True
    why: str = ""
    datasets: frozenset[str] = frozenset()
    has_ledger: bool = True


@execution.alone()
def plan(config: IngestConfig, asked: Asked) -> Plan:
    """Try the pipeline of ``config``. Nothing of what it writes stays.

    Raises:
        ConfigError: An option, the table or a source is wrong.
        SluiceError: A service is away, or the trial had to be ended; its text is one line.
    """
    notes.reset()
    standing.reset()
    run = str(uuid.uuid4())
    sink = SqlSink(
        *(config.sql, config.retry),
        run=run,
        outbox=config.outbox,
        pipeline=config.pipeline,
        hidden=config.hidden,
        tables=config.tables,
    )
    target = _target(config, sink)
    of_sources = _sample(config, target, asked)
    result = shaped(of_sources.batches, config, target.schema, run=run, call_steps=asked.call_steps)
    if not (target.tries and result.batches):
        return _plan(config, asked, of_sources, result, target, None)
    tried, count = _attempted(sink, [_for_tables(b, target, config) for b in result.batches])
    result.batches = result.batches[:count]
    return _plan(config, asked, of_sources, result, target, tried)


def _attempted(sink: SqlSink, batches: Sequence[RecordBatch]) -> tuple[Attempt, int]:
    """Try as many of the first of ``batches`` as the time suffices for; and how many these are."""
    count = len(batches)
    for _ in range(_TRIES - 1):
        try:
            return attempt(sink, batches[:count]), count
        except TooLong:
            if count == 1:
                raise
            count = max(1, count // 4)
            time.sleep(PAUSE_SECONDS)  # whoever has waited goes first
    return attempt(sink, batches[:count]), count


def _target(config: IngestConfig, sink: SqlSink) -> _Target:
    """Look at the tables, and prepare them for a moment if that can be taken back."""
    database = config.sql.database
    target = _Target(has_ledger=exists(database))
    has_tables = config.sql.has_table or config.tables is not None
    if config.objects is not None:
        target.why = OBJECTS
        target.tries = has_tables
    if has_tables and rehearsing_of(database) is None:
        target.tries, target.why = False, NO_ROLLBACK
    if not has_tables:
        return target
    if not target.tries:
        target.missing = look(sink)
        target.fields = expected_fields(config, sink)
        target.schema = default_schema(database) or ""
    else:
        with rehearsal(database) as trial:
            target.has_ledger = ledger.exists(trial.connection)
            own = rehearsed(sink, trial.database)
            own.prepare()
            target.fields = expected_fields(config, own)
            target.schema = default_schema(trial.database) or ""
    if config.objects is not None:
        target.datasets = frozenset(config.objects.in_schema(target.schema or None).by_label)
    return target


def _sample(config: IngestConfig, target: _Target, asked: Asked) -> Sample:
    sources = [source.expecting(target.fields) for source in config.sources]
    for source in sources:
        source.check()
    fixed = [aside(source.fixed(), from_start=asked.from_start) for source in sources]
    has_ledger = target.has_ledger and not asked.from_start
    return sample(
        fixed,
        config.ledger if has_ledger else NoLedger(),
        Bounds(asked.records, batch=config.batch_records),
    )


def _for_tables(batch: RecordBatch, target: _Target, config: IngestConfig) -> RecordBatch:
    """``batch`` without the records that are for objects."""
    if not target.datasets:
        return batch
    labels = _labels(batch, target.schema, config)
    places = [place for place, label in enumerate(labels) if label not in target.datasets]
    if len(places) == len(labels):
        return batch
    values = None if batch.values is None else [batch.values[place] for place in places]
    return batch.keep(places, values)


def _untried(
    batches: Sequence[RecordBatch], target: _Target, tried: Attempt | None, config: IngestConfig
) -> dict[str, int]:
    """How many records were not written, by table or dataset."""
    labels = (label for batch in batches for label in _labels(batch, target.schema, config))
    return dict(Counter(label for label in labels if tried is None or label in target.datasets))


def _labels(batch: RecordBatch, schema: str, config: IngestConfig) -> list[str]:
    """The table or dataset of each good record."""
    if batch.targets is None:
        return [config.sql.table_name.label(schema)] * len(batch.raws)
    return [without_schema(label, schema or None) for label in batch.targets]


def _plan(
    config: IngestConfig,
    asked: Asked,
    of_sources: Sample,
    result: Shaped,
    target: _Target,
    tried: Attempt | None,
) -> Plan:
    untried = _untried(result.batches, target, tried, config)
    expanded = sum(batch.expanded for batch in result.batches)
    read = sum(batch.read for batch in result.batches) - expanded
    if tried is None:
        dead, retrying = _fates(config, result.batches)
        filtered = sum(len(batch.filtered) for batch in result.batches)
        outcomes = Counts(filtered=filtered, dead=len(dead), retrying=len(retrying))
        home, tables = config.sql.table_name.label(target.schema), dict[str, Counts]()
    else:
        dead = [failure for part in tried.settled for failure in part.dead]
        retrying = [failure for part in tried.settled for failure in part.retry]
        outcomes = sum((part.counts for part in tried.settled), Counts())
        home, tables = tried.home, _by_target(tried)
        tables = by_table(outcomes, tables, home, tried.tables)
    counts = replace(outcomes, read=read, expanded=expanded)
    if counts.records - sum(untried.values()) != _settled(counts):
        raise SluiceError(
            f"the counts of this trial do not add up ({counts.read:,} read): a defect, please report it"
        )
    labels = [str(step.label) for step in config.steps if not isinstance(step, Retry)]
    return Plan(
        sample=of_sources,
        shaped_seconds=result.seconds,
        detected=detected(of_sources.batches, notes.noted()),
        notes=tuple(note for note in notes.noted() if note.topic != "detected"),
        counts=counts,
        left_out=of_sources.records
        - sum(batch.read for batch in of_sources.batches[: len(result.batches)]),
        untried=untried,
        why_untried=target.why if untried else "",
        tables=tables,
        kinds=(
            *_kinds("dead", dead, home, config),
            *_kinds("retrying", retrying, home, config),
        ),
        attempt=tried,
        missing=target.missing,
        steps=tuple(labels),
        called=asked.call_steps,
    )


def _settled(counts: Counts) -> int:
    return sum(number for name, number in counts if name not in ("read", "expanded"))


def _by_target(tried: Attempt) -> dict[str, Counts]:
    sums: dict[str, Counts] = {}
    for part in tried.settled:
        for label, counts in part.by_target.items():
            sums[label] = sums.get(label, Counts()) + counts
    return sums


def _fates(
    config: IngestConfig, batches: Sequence[RecordBatch]
) -> tuple[list[Failure], list[Failure]]:
    """The failures before the write: those that are dead, and those that are tried again."""
    fates = [fate for batch in batches for fate in fates_of(batch.failures, None, config.retry)]
    dead = [fate.failure for fate in fates if fate.is_dead]
    return dead, [fate.failure for fate in fates if not fate.is_dead]


def _kinds(
    outcome: str, failures: Sequence[Failure], home: str, config: IngestConfig
) -> list[Kind]:
    """Failures by table, step and category: first those of which there are most."""
    groups: dict[tuple[str, str, str], list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[failure.target or home, failure.stage, failure.category].append(failure)
    kinds = [
        Kind(
            *(outcome, table, stage, category, len(alike)),
            examples=tuple(_example(failure, config) for failure in alike[:EXAMPLES]),
        )
        for (table, stage, category), alike in groups.items()
    ]
    return sorted(kinds, key=lambda kind: (-kind.count, kind.table, kind.stage, kind.category))


def _example(failure: Failure, config: IngestConfig) -> Example:
    """A failed record without what the mapping hides."""
    version = config.pipeline.version
    masked = preview(failure, version, (), config.hidden, {version}).failure
    origin = failure.origin
    message = " ".join(masked.message.split())
    return Example(origin.source, origin.partition, origin.place, message)
