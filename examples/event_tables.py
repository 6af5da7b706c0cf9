"""One stream into tables and Parquet: orders and their customers in a database, every event in a lake.

    python -m examples.event_tables --source './events/*.jsonl' --sink sqlite:///shop.db \\
        --lake file:///data/lake

An order has a row in the table ``orders`` and another in the lake. Both are settled in one transaction
with the ledger. Run it again: it reads what is new, and the jobs that are due.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal

import apache_beam as beam

from pipelines import command
from pipelines.execution import empty_pipeline, execute, reading
from runners.runner import named
from sinks.routed import RoutedSink, RouteToSql
from sinks.sql import SqlConfig, SqlSink
from sources.by_uri import source_for
from sources.jobs.source import JobsSource
from transforms.batch.record import Record
from transforms.errors import Reject
from transforms.mapping.mapping import Mapping
from transforms.parse.parse import Parse
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.steps.each_record import EachRecord
from transforms.steps.pipeline_identity import PipelineIdentity

EVENT = {
    "properties": {"type": {"type": "string"}, "id": {"type": "integer"}},
    "required": ["type"],
}
"""The JSON Schema of an event in the lake: its columns."""


def routes_to(lake: str) -> Routes:
    """Orders and customers go to tables, and every event to the folder ``events`` of the lake."""
    return Routes(
        [
            Route("customers", {"field": "type", "is": "customer"}, key=("id",)),
            Route(
                "orders",
                {"field": "type", "is": "order"},
                key=("id",),
                on_conflict="update",
                mapping=Mapping.of([{"drop": ["type"]}]),
            ),
            Route(
                "events",
                schema=json.dumps(EVENT),
                unknown_fields="ignore",
                sink=f"{lake}?format=parquet&partition=type",
            ),
        ]
    )


def in_cents(record: Record) -> Record:
    """The event with its ``amount`` in cents, if it has one."""
    event = record.value
    if "amount" not in event:
        return record
    if not isinstance(event["amount"], int | float | Decimal) or event["amount"] < 0:
        raise Reject("the amount is not a number of 0 or more", "amount")
    return record.with_value({**event, "amount": round(event["amount"] * 100)})


def routed_sink(url: str, lake: str) -> RoutedSink:
    """The tables, the lake and the routes to them; the steps are those of ``written``."""
    identity = PipelineIdentity("shop", ("InCents",), mapped=True)
    return RoutedSink.of(SqlSink(SqlConfig.of(url), pipeline=identity), routes_to(lake))


def written(batches: beam.PCollection, sink: RoutedSink) -> beam.pvalue.DoOutputsTuple:
    """What becomes of ``batches``: the steps, the routes and the write."""
    return batches | Parse() | EachRecord(in_cents, "InCents") | RouteToSql(sink)


def main(argv: Sequence[str]) -> int:
    """Run the pipeline; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runner", default="DirectRunner")
    parser.add_argument("--source", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--lake", required=True)
    arguments, flags = parser.parse_known_args(argv)
    runner = named(arguments.runner)
    sink = routed_sink(arguments.sink, arguments.lake)
    sink.prepare()
    every = (source_for(arguments.source), JobsSource(sink.queue))
    for source in every:
        source.check()
    sources = [source.fixed() for source in every]
    with empty_pipeline(runner, flags) as pipeline:
        read = reading(runner, sources, sink.ledger, streaming=False)
        written(pipeline | read, sink)
        counters, _ = execute(pipeline, runner)
    numbers = {name: counters[name] for name in ("read", "expanded", "inserted", "dead")}
    sys.stdout.write(", ".join(f"{number} {name}" for name, number in numbers.items()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(command.run("event_tables", main, None))
