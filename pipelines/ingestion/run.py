"""One ingestion from its configuration to its exit code: the picture of the pipeline, and its run."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import apache_beam as beam

from pipelines import command, execution
from pipelines.conformance import experimental
from pipelines.control import held
from pipelines.ingestion import stuck_step, summary
from pipelines.ingestion.begun import begun
from pipelines.ingestion.checked import checked, refuse_before_creating
from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.ingestion.observed import observed
from pipelines.ingestion.own_table import own_table
from pipelines.ingestion.pulse import beating
from pipelines.ingestion.run_entry import Ending, entered, entry_of
from pipelines.ingestion.steps import Steps, applied
from pipelines.ingestion.stored_types import with_stored_types
from pipelines.operation.start import once_reachable
from pipelines.telemetry import progress
from pipelines.terminal import safe, say
from runners.runner import Runner, Submission
from sinks import targets
from sinks.jobs.store import check_room
from sinks.ledger import submissions
from sinks.runs.heartbeat import Heartbeat
from sinks.runs.runs import Outcome, Run
from sinks.sql import SqlSink, WriteToSql
from sinks.table.config import SqlConfig
from sources.jobs.source import JobsSource
from transforms import notes
from transforms.errors import SluiceError
from transforms.parse.parse import Parse
from transforms.parse.validate import Validate
from transforms.read import standing
from transforms.read.job_queue import Waiting
from transforms.settle import first_dead_letters
from transforms.settle.acknowledge import Acknowledge
from transforms.settle.bounds import OF_OBJECTS, Bounds, TableBounds
from transforms.steps.service import Waits

if TYPE_CHECKING:
    from runners.workers.pool import Worker


def build(
    pipeline: beam.Pipeline,
    config: IngestConfig,
    sink: SqlSink,
    runner: Runner,
    *,
    planned_elsewhere: Collection[str] = (),
) -> beam.pvalue.DoOutputsTuple:
    """The whole path of a record: one fused stage from the split to the commit.

    Write stores a record that fails and may succeed later; Read reads it again once it is due.
    ``planned_elsewhere`` names the sources of a worker process (``pipelines.workers``).
    """
    # In a stream, jobs come first in each bundle: nothing that is read before keeps them, or would be
    # committed before them. A run that ends tries what has failed in it.
    jobs_first = config.streaming
    sources = (config.jobs, *config.sources) if jobs_first else (*config.sources, config.jobs)
    reading = execution.reading(
        runner,
        sources,
        config.ledger,
        streaming=config.streaming,
        most_records=config.batch_records,
        controls=config.controls,
        planned_elsewhere=planned_elsewhere,
    )
    read = pipeline | "Read" >> reading
    waits = Waits(config.write.backoff, config.write.outage_budget)
    good = shaped(read, config, config.steps, run=sink.run, waits=waits)
    if config.routes is None:
        bounds = TableBounds(home=Bounds() if config.objects is None else OF_OBJECTS)
    else:
        from sinks.routed import RoutedSink  # with mappings; most runs have no routes

        routed = RoutedSink(sink, config.routes)
        good, bounds = good | "Route" >> routed.assign(), routed.bounds()
    write = config.write.with_bounds(bounds, config.batch_records)
    write = replace(write, emits_failures=False)
    written = good | "Write" >> WriteToSql(sink, write)
    written.settled | "CommitOffsets" >> Acknowledge(sources)
    return written


def shaped(
    read: beam.PCollection, config: IngestConfig, steps: Steps, *, run: str, waits: Waits
) -> beam.PCollection:
    """What stands between the source and the routes: parse, map and validate, and ``steps``.

    Args:
        read: What is read.
        config: How records are parsed, mapped and validated.
        steps: The user's own, or none of them.
        run: What ``@run`` stands for in mappings.
        waits: How long steps wait for their services.
    """
    parse = replace(config.parse, quotes=not config.hidden)
    if parse.schemas is not None:
        from transforms.parse.registry.await_schemas import AwaitSchemas, Registry

        registry = Registry(parse.schemas, parse.bounds, waits, parse.keys)
        read = read | "AwaitSchemas" >> AwaitSchemas(registry)
    apart = config.unwrap.is_needed
    if apart or config.mapping is None:
        read = read | "Parse" >> Parse(parse)
    if apart:
        from transforms.envelope.unwrap import Unwrap  # most runs have none, and it takes time

        read = read | "Unwrap" >> Unwrap(config.unwrap)
    if config.mapping is not None:
        from transforms.mapping.map import Map  # the same

        shape = Map(config.mapping, run=run, parse=None if apart else parse)
        read = read | "Map" >> shape
    checked = read | "Validate" >> Validate(config.schema)
    return applied(checked, steps, waits)


@execution.alone()
def carry_out(config: IngestConfig, run: RunConfig) -> int:
    """Run one ingestion: prepare, read, retry, report; returns the exit code.

    Raises:
        ConfigError: Another thread of this process runs a pipeline.
        SluiceError: Something is wrong; its text is one line.
    """
    run_id = str(uuid.uuid4())
    sink = SqlSink(
        config.sql,
        config.retry,
        config.dead_letters,
        run=run_id,
        outbox=config.outbox,
        budget=config.budget,
        pipeline=config.pipeline,
        heartbeat=Heartbeat(config.sql.database, run_id),
        hidden=config.hidden,
        tables=config.tables,
        objects=config.objects,
        controls=config.controls,
    )
    entry = entry_of(run_id, config, run)
    with (
        _workers(config, run) as workers,
        observed(config, run),
        ExitStack() as entries,
    ):
        # The runner comes first, so that no table is created for one that cannot start.
        with execution.empty_pipeline(run.runner, run.beam_options) as pipeline:
            budget = config.write.outage_budget
            once_reachable(lambda: _refuse_state_of_another(config, run), budget)
            experimental.announce(config.sql.database)
            once_reachable(
                lambda: check_room(config.sql.database, config.parse.max_record_bytes), budget
            )
            refuse_before_creating(config, sink)
            created = once_reachable(sink.prepare, budget)
            if workers:
                from pipelines.workers import connections

                once_reachable(lambda: connections.check(config.sql.database, run.workers), budget)
            ending = entries.enter_context(entered(entry))
            hold, whole = held.holding(config), config
            config = checked(held.at_start(config, run, hold), sink)
            sink = with_stored_types(sink, config)
            entries.enter_context(begun(entry, whole, run))
            _report_created(created, run)
            notes.reset()
            standing.reset()
            first_dead_letters.reset()
            started = time.monotonic()
            if run.detach or (config.streaming and run.runner.remote):
                _report_left(config.jobs.queue.left())  # the readers will report it elsewhere
            if run.detach:
                ending.outcome = None
                return _detach(pipeline, config, sink, run, entry)
            if workers:
                from pipelines.workers import side_by_side

                counters, signals = side_by_side.read(workers, config, sink, run)
            else:
                counters, signals = _run(pipeline, config, sink, run, entry)
        while not (config.streaming or signals or held.pauses_jobs(config)) and _due_soon(
            config.jobs
        ):
            # Where splits are read side by side, the split of retries may end before the others.
            with execution.empty_pipeline(run.runner, run.beam_options) as pipeline:
                more, signals = _run(pipeline, replace(config, sources=()), sink, run, entry)
            counters.update(more)  # += would drop counts that are not positive
        result = summary.summarize(counters, time.monotonic() - started, config)
        is_held = held.holds_all(hold) or counters["splits_held"] > 0
        return _report(result, config, run, signals, ending, is_held=is_held)


def _workers(config: IngestConfig, run: RunConfig) -> AbstractContextManager[Sequence[Worker]]:
    """The worker processes of the run, which wait for what to read; none if this process reads."""
    if run.workers == 1:
        return nullcontext(())
    # Here, because most runs read in this process, and these take time.
    from pipelines.workers.worker import serve
    from runners.workers.pool import forked

    return forked(run.workers, lambda line: serve(line, config, run, build))


def _report(
    result: summary.Summary,
    config: IngestConfig,
    run: RunConfig,
    signals: Sequence[str],
    ending: Ending,
    *,
    is_held: bool,
) -> int:
    """Show what the run did; returns its exit code."""
    summary.show(result, config.sources, command.console())
    if not config.streaming:
        _report_left(result.left)
    if run.summary_json is not None:
        command.write_summary(result.as_json(), run.summary_json)
    if not result.counts.conserved:
        raise SluiceError(
            f"the counts of this run do not add up ({result.counts.read:,} read): a defect, please "
            "report it; `sluice audit` has the truth from the database"
        )
    if signals:
        ending.outcome = "stopped"
    if signals and not config.streaming:
        return _failed(ending, f"stopped by {signals[0]}; run again to read the rest", "stopped")
    if is_held and not config.streaming:
        line = held.line_of(held.holding(config), run)
        return _failed(ending, line, "paused", command.PAUSED)
    if result.unavailable and not config.streaming:
        return _failed(ending, _left_for_later(result), "failed")
    if run.fail_on_dead_letters and (dead := _unresolved(config, result.counts.dead)):
        say(f"ingest: {dead}")
        return command.DEAD_LETTERS
    return command.OK


def _failed(ending: Ending, line: str, outcome: Outcome, code: int = command.FAILED) -> int:
    ending.outcome, ending.message = outcome, line
    say(f"ingest: {line}")
    return code


def _unresolved(config: IngestConfig, fresh: int) -> str:
    """One line on the dead letters of this run, and on those of its sources that nobody resolved."""
    left = sum(
        number
        for name, number in config.ledger.unresolved().items()
        if any(source.owns(name) for source in config.sources)
    )
    parts = []
    if fresh:
        parts.append(f"{fresh:,} records became dead letters in this run")
    if left:
        parts.append(
            f"{left:,} dead letters of these sources are unresolved; `sluice "
            f"dead-letters list {_which(config)}` shows them (add "
            "--state cancelled for those given up by hand); replay or purge resolves them"
        )
    return "; ".join(parts)


def _which(config: IngestConfig) -> str:
    """The filter for the failed records of a pipeline: with routes they are of several tables."""
    if config.routes is None:
        return f"--table {config.sql.table}"
    return f"--pipeline {config.pipeline.name or own_table(config.sql)}"


def _left_for_later(result: summary.Summary) -> str:
    """One line on the objects that could not be read."""
    first = next((note.names[0] for note in result.notes if note.topic == "unavailable"), "")
    more = result.unavailable - 1
    others = f", and {more:,} more" if more else ""
    return f"{first or 'objects could not be read'}{others}; run again to read what is left"


def _report_created(created: Sequence[SqlConfig], run: RunConfig) -> None:
    """Say which tables were made: a name may be a mistake."""
    for table in created:
        text = safe(f"made table {table.table} ({targets.shape_of(table)})")
        if run.detach:  # nothing but the job's id goes to stdout
            say(f"ingest: {text}")
        else:
            command.console().print(text, highlight=False, markup=False, soft_wrap=True)


def _report_left(left: Sequence[Waiting]) -> None:
    """Say which jobs this program leaves alone, because they wait for another pipeline."""
    for waiting in left:
        say(f"ingest: {waiting}")


def _due_soon(jobs: JobsSource) -> bool:
    """Whether a retry will be due so soon that this run waits for it."""
    due = jobs.queue.due_in()
    return due is not None and due <= jobs.retry_wait


def _run(
    pipeline: beam.Pipeline, config: IngestConfig, sink: SqlSink, run: RunConfig, entry: Run
) -> tuple[Counter[str], list[str]]:
    """Run the pipeline to its end; returns its counters and the signals received."""
    build(pipeline, config, sink, run.runner)
    watched = config.streaming and run.runner.drained_by_signals  # otherwise others read
    with beating(level=progress.level_beside(run.progress)) if watched else nullcontext():
        return execution.execute(
            pipeline,
            run.runner,
            display=run.progress,
            sources=config.sources,
            streaming=config.streaming,
            submitted=lambda submission: _note(config, submission, entry),
            stop=stuck_step.stop,
        )


def _detach(
    pipeline: beam.Pipeline, config: IngestConfig, sink: SqlSink, run: RunConfig, entry: Run
) -> int:
    """Submit the pipeline and leave it to the cluster."""
    build(pipeline, config, sink, run.runner)
    submission = execution.submit(pipeline, run.runner)
    _note(config, submission, entry)
    print(submission.job)
    execution.announce(submission)
    return command.OK


def _refuse_state_of_another(config: IngestConfig, run: RunConfig) -> None:
    """Refuse the state of a job that had other sources or another table."""
    resumed = run.runner.resumed(run.beam_options) if run.runner.resumed is not None else None
    if resumed is not None:
        uris = (source.uri for source in config.sources)
        submissions.check(config.ledger, resumed.option, resumed.job, uris)


def _note(config: IngestConfig, submission: Submission, entry: Run) -> None:
    """Record the job, and which sources a stream was submitted with, for when it goes on."""
    if config.streaming and submission.address is None:
        say(
            "ingest: without --flink_master the id that the cluster gave the job is not known, so a "
            "savepoint of it will be refused"
        )
        return
    try:
        entry.submitted(submission.job)
        if config.streaming:
            uris = (source.uri for source in config.sources)
            submissions.note(config.ledger, submission.job, uris)
    except SluiceError as error:
        say(f"ingest: job {submission.job} goes on, but a savepoint of it will be refused: {error}")
