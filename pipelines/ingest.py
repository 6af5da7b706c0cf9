"""Read records, parse them, check them, write each once, and keep what failed.

    python -m pipelines.ingest --runner DirectRunner --source './events/*.jsonl' \\
        --sink sqlite:///ingest.db --table events --key event_id
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext

import apache_beam as beam

from pipelines import command, options, progress, summary
from pipelines.options import IngestConfig, RunConfig
from runners import RunnerUnavailable
from runners.signals import stop_on_signals
from sinks.ledger import SqlLedger
from sinks.sql import SqlSink
from sinks.write import WriteToSql
from sources import kafka_commit
from sources.kafka_commit import CommitOffsets
from transforms import drain, metrics
from transforms.errors import ConfigError, SluiceError
from transforms.parse import Parse
from transforms.read import Pacing, ReadSplits
from transforms.readers import READERS
from transforms.validate import Validate


def build(
    pipeline: beam.Pipeline, config: IngestConfig, pacing: Pacing
) -> beam.pvalue.DoOutputsTuple:
    """The whole way of a record; one fused stage from the split to the commit."""
    written = (
        pipeline
        | "Read"
        >> ReadSplits(config.sources, SqlLedger(config.sql), pacing, streaming=config.streaming)
        | "Parse" >> Parse(config.parse)
        | "Validate" >> Validate(config.schema)
        | "Write" >> WriteToSql(config.sql, config.write)
    )
    written.settled | "CommitOffsets" >> CommitOffsets(config.sources)
    return written


def main(argv: Sequence[str]) -> int:
    """Run one ingestion and return its exit code (0 done, 1 failed, 2 usage, 3 dead letters)."""
    config, run = options.from_argv(argv)
    with _empty_pipeline(run) as pipeline:  # first of all: no table is made for a runner that fails
        SqlSink(config.sql).prepare()
        for source in config.sources:
            source.check()
        started = time.monotonic()
        counted, signals = _run(pipeline, config, run)
    made = summary.of(counted, time.monotonic() - started, config.sources, config.sql)
    summary.show(made, command.console())
    if run.summary_json is not None:
        summary.write_json(made, run.summary_json)
    if not made.adds_up:
        raise SluiceError(
            f"the counts of this run do not add up ({made.read:,} read): a defect, please report "
            "it; `python -m pipelines.audit` has the truth from the database"
        )
    if signals and not config.streaming:
        print(f"ingest: stopped by {signals[0]}; run again to read the rest", file=sys.stderr)
        return command.FAILED
    if made.dead and run.fail_on_dead_letters:
        print(f"ingest: {made.dead:,} records were dead-lettered", file=sys.stderr)
        return command.DEAD_LETTERS
    return command.OK


@contextmanager
def _empty_pipeline(run: RunConfig) -> Iterator[beam.Pipeline]:
    """A pipeline of the runner's; what the runner lacks is a mistake of the command line."""
    with ExitStack() as stack:
        try:
            pipeline = stack.enter_context(run.runner.pipeline(run.beam_options))
        except RunnerUnavailable as error:
            raise ConfigError(str(error)) from error
        yield pipeline


def _run(
    pipeline: beam.Pipeline, config: IngestConfig, run: RunConfig
) -> tuple[dict[str, int], list[str]]:
    """Run the pipeline to its end; returns its counters and the signals received."""
    drain.reset()
    metrics.reset()
    run.runner.tune_process()
    bundle_seconds = run.runner.streaming_bundle_seconds if config.streaming else None
    build(pipeline, config, Pacing(bundle_seconds=bundle_seconds))
    drained = run.runner.drained_by_signals
    stopping = stop_on_signals(drain.request) if drained else nullcontext(list[str]())
    with stopping as signals, progress.shown(run.progress):
        try:
            result = pipeline.run()
            result.wait_until_finish()
        finally:
            READERS.close()
            kafka_commit.flush()
    return summary.counters(result), signals


if __name__ == "__main__":
    sys.exit(command.run("ingest", main, None))
