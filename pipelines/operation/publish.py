"""Publish changes: from the options of ``pipelines.outbox`` to the topic, and what a run did."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

import apache_beam as beam

from clients.kafka import address as kafka_address
from clients.kafka import config as kafka_config
from pipelines import command, execution
from pipelines.command import Parser
from pipelines.flags import set_outage_budget
from pipelines.operation.start import once_reachable
from pipelines.running import cluster
from pipelines.running.beam_options import refuse_unknown, runner_of
from runners.runner import Runner
from sinks.database.database import Database
from sinks.database.tables import SHARDS
from sinks.jobs.retention import duration
from sinks.outbox import queue as outbox_queue
from sinks.outbox.queue import SqlOutboxQueue
from sinks.outbox.topic import OutboxTopic
from sources.outbox import OutboxSource
from transforms.batch.coverage import Coverage
from transforms.errors import ConfigError
from transforms.route.table_name import TableName
from transforms.settle.write import Write, WriteConfig

SPLITS = 4
COMMIT_RECORDS = 5_000


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """Everything that ``build`` needs.

    Attributes:
        source: The changes to publish.
        topic: Where to publish them.
        write: How much is sent before it is marked as published, and waits during an outage.
    """

    source: OutboxSource
    topic: OutboxTopic
    write: WriteConfig


@dataclass(frozen=True, slots=True)
class PublishSummary:
    """The figures of one run.

    Attributes:
        published: Changes that were sent and marked as published.
        left: Changes that are not published yet.
        seconds: Wall time of the run.
        records_per_second: ``published / seconds``.
    """

    published: int
    left: int
    seconds: float
    records_per_second: float


@dataclass(frozen=True, slots=True)
class _NoLedger:
    """Settles nothing: the rows of the outbox themselves say what is published."""

    def coverage(self, partitions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Coverage]:
        return {}

    def partitions(self, source: str) -> dict[str, Coverage]:
        return {}

    def is_empty(self) -> bool:
        """Yes."""
        return True

    def versions(self, sources: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}

    def elsewhere(self, partitions: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}


def build(pipeline: beam.Pipeline, config: PublishConfig, runner: Runner) -> None:
    """Read the changes that are not published, send them, mark them: one fused stage."""
    source, ledger = config.source, _NoLedger()
    _ = (
        pipeline
        | "Outbox" >> execution.reading(runner, [source], ledger, streaming=source.streaming)
        | "Publish" >> Write(config.topic, config.write)
    )


@execution.alone()
def publish(options: argparse.Namespace, rest: Sequence[str], parser: Parser) -> int:
    """Publish; returns the exit code (0 done, 1 failed or stopped).

    Args:
        options: What ``parser`` has made of the command line.
        rest: The arguments that it did not take.
        parser: The parser of ``pipelines.outbox``.

    Raises:
        ConfigError: An option is unknown or wrong, or another thread of this process runs a
            pipeline.
        SluiceError: The database or the cluster cannot be reached, or refuses.
    """
    kafka_config.parse(options.kafka_config)  # first: what stands behind it may be a password
    runner = runner_of(options.runner)  # from here on, Beam knows the runner's own options
    refuse_unknown(rest, parser)
    set_outage_budget(options, runner)
    config = _config(options, runner)
    summary_json = command.summary_path(options.summary_json)
    if runner.remote:
        cluster.refuse_local_database(options.sink, runner)
        name = f"outbox-{options.table or 'all'}"
        rest = [*rest, *cluster.job_options(name, rest, streaming=options.streaming)]
    with execution.empty_pipeline(runner, rest) as pipeline:
        once_reachable(config.source.check, options.outage_budget)
        once_reachable(config.topic.check, options.outage_budget)
        started = time.monotonic()
        build(pipeline, config, runner)
        counters, signals = execution.execute(pipeline, runner, release=outbox_queue.release_all)
    result = _summary(counters["read"], config, time.monotonic() - started)
    _show(result)
    if summary_json is not None:
        command.write_summary(asdict(result), summary_json)
    if signals and not config.source.streaming:
        print(f"outbox: stopped by {signals[0]}; run again to publish the rest", file=sys.stderr)
        return command.FAILED
    return command.OK


def _config(options: argparse.Namespace, runner: Runner) -> PublishConfig:
    splits = options.splits or (SPLITS if runner.parallel else 1)
    if splits > SHARDS:
        raise ConfigError(f"--splits must be {SHARDS} or less, got {splits}")
    brokers, topic, query = kafka_address.split(options.to)
    if query or not kafka_address.is_topic(topic):
        raise ConfigError(f"{options.to} is not a Kafka topic; write kafka://host:port/topic")
    queue = SqlOutboxQueue(
        Database(options.sink),
        TableName.parse(options.table) if options.table else None,
        lease_seconds=options.lease,
        retain=_retain(options.retain),
    )
    return PublishConfig(
        OutboxSource(queue, splits, options.streaming, outage_budget=options.outage_budget),
        OutboxTopic(queue, brokers, topic, kafka_config.parse(options.kafka_config)),
        WriteConfig(commit_records=COMMIT_RECORDS, outage_budget=options.outage_budget),
    )


def _retain(text: str | None) -> timedelta | None:
    return None if text is None else duration(text)


def _summary(published: int, config: PublishConfig, seconds: float) -> PublishSummary:
    rate = published / seconds if seconds > 0 else 0.0
    return PublishSummary(
        published, config.topic.queue.waiting(), round(seconds, 3), round(rate, 1)
    )


def _show(result: PublishSummary) -> None:
    command.console().print(
        f"{result.published:,} published in {result.seconds:.1f} s, "
        f"{result.records_per_second:,.0f} records/s; {result.left:,} left",
        highlight=False,
    )
