"""A pipeline of your own on every runner: orders with their amount in euros, bounded or as a stream.

    python -m examples.own_stream --runner DirectRunner --source './orders/*.jsonl' \\
        --sink sqlite:///orders.db [--streaming]

What this program does not take are flags of Beam's, such as those of Flink.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines import command
from pipelines.execution import empty_pipeline, execute, reading
from runners.runner import named
from sinks.jobs.queue import SqlJobQueue
from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlConfig, SqlSink, WriteToSql
from sources.by_uri import SourceOptions, source_for
from sources.jobs.source import JobsSource
from transforms.batch.record import Record
from transforms.batch.splits import Source
from transforms.errors import Reject
from transforms.parse.parse import Parse
from transforms.steps.each_record import EachRecord
from transforms.steps.pipeline_identity import PipelineIdentity

RATES = {"EUR": 1.0, "USD": 0.9}


def in_euros(record: Record) -> Record:
    """The order with a field ``euros``."""
    order = record.value
    if order["currency"] not in RATES:
        raise Reject(f"no rate for {order['currency']}", "no_rate")
    return record.with_value({**order, "euros": float(order["amount"]) * RATES[order["currency"]]})


def main(argv: Sequence[str]) -> int:
    """Run the pipeline; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runner", default="DirectRunner")
    parser.add_argument("--source", required=True)
    parser.add_argument("--sink", required=True)
    arguments, flags = parser.parse_known_args(argv)
    runner = named(arguments.runner)
    streaming = bool(PipelineOptions(flags).view_as(StandardOptions).streaming)
    identity = PipelineIdentity("orders", ("InEuros",))
    config = SqlConfig.of(arguments.sink, "orders", key=["order_id"])
    sink = SqlSink(config, pipeline=identity)
    sink.prepare()
    orders = source_for(arguments.source, SourceOptions(streaming=streaming))
    jobs = JobsSource(SqlJobQueue(config, pipeline=identity), streaming=streaming)
    # A run that ends tries what has failed in it; a stream tries what is due before it reads on.
    in_turn: Sequence[Source] = (jobs, orders) if streaming else (orders, jobs)
    for source in in_turn:
        source.check()
    sources = [source.fixed() for source in in_turn]
    ledger = SqlLedger(config, identity.name)
    with empty_pipeline(runner, flags) as pipeline:
        batches = pipeline | reading(runner, sources, ledger, streaming=streaming) | Parse()
        batches | EachRecord(in_euros, "InEuros") | WriteToSql(sink)
        counters, _ = execute(pipeline, runner)
    read, dead = counters["read"], counters["dead"]
    sys.stdout.write(f"{read} orders read, {dead} of them are dead letters\n")
    return 0


if __name__ == "__main__":
    sys.exit(command.run("own_stream", main, None))
