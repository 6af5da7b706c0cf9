"""Read records, parse them, check them, write each once, and keep what failed.

    python -m pipelines.ingest --runner DirectRunner --source './events/*.jsonl' \\
        --sink sqlite:///ingest.db --table events --key event_id
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import command, options, progress, summary
from pipelines.options import IngestConfig, RunConfig
from runners import direct
from sinks.ledger import SqlLedger
from sinks.sql import SqlSink
from sinks.write import WriteToSql
from sources import kafka_commit
from sources.kafka_commit import CommitOffsets
from transforms import drain, metrics
from transforms.errors import SluiceError
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
    SqlSink(config.sql).prepare()
    for source in config.sources:
        source.check()
    started = time.monotonic()
    counted, signals = _run(config, run)
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


def _run(config: IngestConfig, run: RunConfig) -> tuple[dict[str, int], list[str]]:
    """Run the pipeline to its end; returns its counters and the signals received."""
    drain.reset()
    metrics.reset()
    direct.tune_process()
    bundle_seconds = direct.STREAMING_BUNDLE_SECONDS if config.streaming else None
    pipeline = beam.Pipeline(
        runner=direct.runner(), options=PipelineOptions(list(run.beam_options))
    )
    build(pipeline, config, Pacing(bundle_seconds=bundle_seconds))
    with direct.stop_on_signals(drain.request) as signals, progress.shown(run.progress):
        try:
            result = pipeline.run()
            result.wait_until_finish()
        finally:
            READERS.close()
            kafka_commit.flush()
    return summary.counters(result), signals


if __name__ == "__main__":
    sys.exit(command.run("ingest", main, None))
