"""Read records, parse them, check them, write each once, and keep what failed.

    python -m pipelines.ingest --runner DirectRunner --source './events/*.jsonl' \\
        --sink sqlite:///ingest.db --table events --key event_id

``ingest`` is the same for a program that has steps of its own.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import apache_beam as beam

from pipelines import command, execution, options, summary
from pipelines.options import IngestConfig, Option, RunConfig
from pipelines.steps import applied
from runners.runner import Runner, Submission
from sinks.database import leases
from sinks.ledger import submissions
from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlSink
from sinks.write import WriteToSql
from sources.by_uri import expecting, with_splits_fixed
from sources.jobs.source import JobsSource
from sources.kafka import commit as kafka_commit
from sources.kafka.commit import CommitOffsets
from transforms.errors import SluiceError
from transforms.parse.parse import Parse
from transforms.parse.validate import Validate
from transforms.read.job_queue import Waiting


def build(
    pipeline: beam.Pipeline, config: IngestConfig, sink: SqlSink, runner: Runner
) -> beam.pvalue.DoOutputsTuple:
    """The whole way of a record; one fused stage from the split to the commit.

    What fails and may succeed later is stored by Write, and read again by Read once it is due.
    """
    sources, ledger = (*config.sources, config.jobs), SqlLedger(config.sql)
    checked = (
        pipeline
        | "Read" >> execution.reading(runner, sources, ledger, streaming=config.streaming)
        | "Parse" >> Parse(config.parse)
        | "Validate" >> Validate(config.schema)
    )
    written = applied(checked, config.steps) | "Write" >> WriteToSql(sink, config.write)
    written.settled | "CommitOffsets" >> CommitOffsets(config.sources)
    return written


def ingest(
    *, steps: Sequence[beam.PTransform] = (), argv: Sequence[str] | None = None, **given: Option
) -> int:
    """Be the program ``pipelines.ingest`` with steps of your own; returns its exit code.

    A whole program: it takes its own retries and replays, which go through ``steps`` like fresh
    records, prints the summary, stops on signals, and says what is wrong in one line.

        sys.exit(ingest(steps=[EachRecord(hide, "Hide")], source="./people/*.jsonl",
                        sink="sqlite:///people.db", table="people", key="id"))

    Args:
        steps: Transforms from RecordBatch to RecordBatch, in order, each with a label of its own.
            Retries are kept for the pipeline of this name (``pipeline``, or else the table) and
            these labels, and for no other.
        argv: The command line's flags, the process's own by default.
        given: Values for flags that ``argv`` does not have, by name: ``True`` for a switch, a list
            for several values.
    """

    def program(flags: Sequence[str]) -> int:
        return carry_out(*options.from_argv(options.with_defaults(flags, given), steps))

    return command.run("ingest", program, argv)


def main(argv: Sequence[str]) -> int:
    """Run one ingestion and return its exit code (0 done, 1 failed, 2 usage, 3 dead letters)."""
    return carry_out(*options.from_argv(argv))


def carry_out(config: IngestConfig, run: RunConfig) -> int:
    """Run one ingestion: prepare, read, retry, sum up; returns the exit code.

    Raises:
        SluiceError: What is wrong, in one line.
    """
    sink = SqlSink(
        config.sql,
        config.retry,
        config.dead_letters,
        outbox=config.outbox,
        pipeline=config.pipeline,
    )
    # First of all: no table is made for a runner that fails.
    with execution.empty_pipeline(run.runner, run.beam_options) as pipeline:
        _refuse_state_of_another(config, run)
        sink.prepare()
        known = sink.fields()
        config = replace(config, sources=tuple(expecting(each, known) for each in config.sources))
        for source in config.sources:
            source.check()
        config = replace(config, sources=tuple(map(with_splits_fixed, config.sources)))
        if config.dead_letters is not None:
            config.dead_letters.check()
        started = time.monotonic()
        if run.detach or (config.streaming and run.runner.submitted is not None):
            _say_left(config.jobs.queue.left())  # later the readers say it, elsewhere
        if run.detach:
            return _detach(pipeline, config, sink, run)
        counted, signals = _run(pipeline, config, sink, run)
    while not config.streaming and not signals and _due_soon(config.jobs):
        # Where splits are read side by side, the one of retries may end before the others.
        with execution.empty_pipeline(run.runner, run.beam_options) as pipeline:
            more, signals = _run(pipeline, replace(config, sources=()), sink, run)
        counted.update(more)  # += would drop what is not positive
    made = summary.of(counted, time.monotonic() - started, config)
    summary.show(made, command.console())
    if not config.streaming:
        _say_left(made.left)
    if run.summary_json is not None:
        summary.write_json(made.as_json(), run.summary_json)
    if not made.counts.conserved:
        raise SluiceError(
            f"the counts of this run do not add up ({made.counts.read:,} read): a defect, please report "
            "it; `python -m pipelines.audit` has the truth from the database"
        )
    if signals and not config.streaming:
        print(f"ingest: stopped by {signals[0]}; run again to read the rest", file=sys.stderr)
        return command.FAILED
    if made.counts.dead and run.fail_on_dead_letters:
        print(f"ingest: {made.counts.dead:,} records were dead-lettered", file=sys.stderr)
        return command.DEAD_LETTERS
    return command.OK


def _say_left(left: Sequence[Waiting]) -> None:
    """Say which jobs this program leaves alone: they wait for another pipeline."""
    for each in left:
        print(f"ingest: {each}", file=sys.stderr)


def _due_soon(jobs: JobsSource) -> bool:
    """Whether a retry is due that this run is to wait for."""
    due = jobs.queue.due_in()
    return due is not None and due <= jobs.retry_wait


def _run(
    pipeline: beam.Pipeline, config: IngestConfig, sink: SqlSink, run: RunConfig
) -> tuple[Counter[str], list[str]]:
    """Run the pipeline to its end; returns its counters and the signals received."""
    build(pipeline, config, sink, run.runner)
    return execution.execute(
        pipeline,
        run.runner,
        release=_release,
        shown=run.progress,
        noted=lambda submitted: _note(config, submitted),
    )


def _release() -> None:
    """Tell the groups how far they are, and others that this process runs no jobs any more."""
    kafka_commit.flush()
    leases.release_all()


def _detach(pipeline: beam.Pipeline, config: IngestConfig, sink: SqlSink, run: RunConfig) -> int:
    """Submit the pipeline and leave it to the cluster."""
    build(pipeline, config, sink, run.runner)
    submitted = execution.submit(pipeline, run.runner)
    _note(config, submitted)
    print(submitted.job)
    execution.announce(submitted)
    return command.OK


def _refuse_state_of_another(config: IngestConfig, run: RunConfig) -> None:
    """Refuse to go on from what a job with other sources, or of another table, has left."""
    resumed = run.runner.resumed(run.beam_options) if run.runner.resumed is not None else None
    if resumed is not None:
        uris = (source.uri for source in config.sources)
        submissions.check(config.sql, resumed.given, resumed.job, uris)


def _note(config: IngestConfig, submitted: Submission) -> None:
    """Remember what a stream was submitted with, for when it goes on from its state."""
    if not config.streaming:
        return
    if submitted.address is None:
        print(
            "ingest: without --flink_master the cluster's id of the job is not known, so that a "
            "savepoint of it will be refused",
            file=sys.stderr,
        )
        return
    try:
        submissions.note(config.sql, submitted.job, (source.uri for source in config.sources))
    except SluiceError as error:
        print(
            f"ingest: job {submitted.job} goes on, but a savepoint of it will be refused: {error}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    sys.exit(command.run("ingest", main, None))
