"""Publish what ingests with `--outbox` have written: each change at least once, in order per key.

    python -m pipelines.outbox --runner DirectRunner --sink postgresql://user@host/db \\
        --to kafka://host:port/topic [--table NAME] [--streaming]

Exit 0 when all is published, 1 when it failed or was stopped, 2 for a mistake of the command line.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import apache_beam as beam

from clients.kafka import address as kafka_address
from clients.kafka import config as kafka_config
from pipelines import command, execution, options, summary
from pipelines.command import Parser
from runners.runner import NAMES, Runner
from sinks.database.database import Database
from sinks.database.tables import SHARDS
from sinks.jobs.retention import duration
from sinks.outbox import queue as outbox_queue
from sinks.outbox.queue import SqlOutboxQueue
from sinks.outbox.topic import OutboxTopic
from sinks.text.table_name import TableName
from sources.outbox import OutboxSource
from transforms.batch.coverage import Coverage
from transforms.errors import ConfigError
from transforms.settle.write import Write, WriteConfig

SPLITS = 4
COMMIT_RECORDS = 5_000


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """Everything that ``build`` needs.

    Attributes:
        source: What is published.
        topic: Where.
        write: Bounds of what is sent before it is marked, waits.
    """

    source: OutboxSource
    topic: OutboxTopic
    write: WriteConfig


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run.

    Attributes:
        published: Changes sent and marked.
        left: Changes that are not published now.
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


def build(pipeline: beam.Pipeline, config: PublishConfig, runner: Runner) -> None:
    """Read what is not published, send it, mark it: one fused stage."""
    source, ledger = config.source, _NoLedger()
    _ = (
        pipeline
        | "Outbox" >> execution.reading(runner, [source], ledger, streaming=source.streaming)
        | "Publish" >> Write(config.topic, config.write)
    )


def parser() -> Parser:
    """The flags of ``pipelines.outbox``; each says its unit and default."""
    made = Parser(prog="python -m pipelines.outbox", description=__doc__)
    add = made.add_argument
    add("--runner", default="DirectRunner", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    add("--sink", required=True, metavar="URL", help="SQLAlchemy URL of the ingest's database")
    add("--to", required=True, metavar="URI", help="kafka://host:port[,host:port]/topic")
    add("--table", metavar="NAME", help="only changes to this table (default: to all)")
    add("--streaming", action="store_true", help="go on for ever")
    add(
        "--splits",
        type=options.positive_int,
        metavar="N",
        help=f"publish in so many parts side by side, by key, at most {SHARDS} (default: "
        f"{SPLITS} where the runner has several workers, else 1)",
    )
    add(
        "--lease",
        type=float,
        default=20.0,
        metavar="S",
        help="the part of a publisher that is silent for so long is taken over (default: 20)",
    )
    add("--retain", metavar="TIME", help="delete what was published 12h or 7d ago (default: keep)")
    add(
        "--kafka_config",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of librdkafka, e.g. security.protocol=SASL_SSL; may be repeated",
    )
    add(
        "--outage_budget",
        type=float,
        metavar="S",
        help="seconds to wait for a database or brokers that are away (default: 300; "
        "60 with FlinkRunner)",
    )
    add("--summary_json", metavar="FILE", help="write the summary there as JSON")
    add("--verbose", action="store_true", help="logs, and the stack of an error")
    return made


def main(argv: Sequence[str]) -> int:
    """Publish; returns the exit code (0 done, 1 failed or stopped, 2 usage)."""
    known, rest = parser().parse_known_args(list(argv))
    runner = options.runner_of(known.runner)  # the options of the runner's own are known from here
    options.refuse_unknown(rest, parser())
    config = _config(known, runner)
    if runner.submitted is not None:
        options.refuse_database_of_one_process(known.sink, runner)
        name = f"outbox-{known.table or 'all'}"
        rest += options.told_to_a_cluster(name, rest, streaming=known.streaming)
    with execution.empty_pipeline(runner, rest) as pipeline:
        config.source.check()
        config.topic.check()
        started = time.monotonic()
        build(pipeline, config, runner)
        counted, signals = execution.execute(pipeline, runner, release=outbox_queue.release_all)
    made = _summary(counted["read"], config, time.monotonic() - started)
    _show(made)
    if known.summary_json:
        summary.write_json(made, Path(known.summary_json))
    if signals and not config.source.streaming:
        print(f"outbox: stopped by {signals[0]}; run again to publish the rest", file=sys.stderr)
        return command.FAILED
    return command.OK


def _config(known: argparse.Namespace, runner: Runner) -> PublishConfig:
    splits = known.splits or (SPLITS if runner.parallel else 1)
    if splits > SHARDS:
        raise ConfigError(f"--splits must be {SHARDS} or less, got {splits}")
    if not known.lease >= 1:
        raise ConfigError(f"--lease must be 1 second or more, got {known.lease:g}")
    if known.outage_budget is None:
        known.outage_budget = runner.outage_budget
    if not known.outage_budget >= 0:
        raise ConfigError(f"--outage_budget must be 0 seconds or more, got {known.outage_budget:g}")
    brokers, topic, query = kafka_address.split(known.to)
    if query or not kafka_address.is_topic(topic):
        raise ConfigError(f"{known.to} is no topic to publish on; write kafka://host:port/topic")
    queue = SqlOutboxQueue(
        Database(known.sink),
        TableName.parse(known.table) if known.table else None,
        lease_seconds=known.lease,
        retain=_retain(known.retain),
    )
    return PublishConfig(
        OutboxSource(queue, splits, known.streaming, outage_budget=known.outage_budget),
        OutboxTopic(queue, brokers, topic, kafka_config.parse(known.kafka_config)),
        WriteConfig(commit_records=COMMIT_RECORDS, outage_budget=known.outage_budget),
    )


def _retain(text: str | None) -> timedelta | None:
    return None if text is None else duration(text)


def _summary(published: int, config: PublishConfig, seconds: float) -> Summary:
    rate = published / seconds if seconds > 0 else 0.0
    return Summary(published, config.topic.queue.waiting(), round(seconds, 3), round(rate, 1))


def _show(made: Summary) -> None:
    command.console().print(
        f"{made.published:,} published in {made.seconds:.1f} s, "
        f"{made.records_per_second:,.0f} records/s; {made.left:,} left",
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(command.run("outbox", main, None))
