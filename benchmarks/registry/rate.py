"""How fast are a million messages of Avro, of Protobuf and of the same as JSON, into Postgres?

    python -m benchmarks.registry.rate [--records 1000000] [--rounds 3] [--formats json,avro]

Each run is a process of its own that reads a topic to its end; the runs take turns. The rate is that of the summary,
without the start of the program. On a busy machine, the seconds of the processor say more. The last line compares with JSON, round by round; it should be 1.0 or more.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import fastavro
import psycopg
from google.protobuf.message_factory import GetMessageClass

from benchmarks.events_table import fresh
from benchmarks.kafka.services import Services, services
from tests.services.registry import SchemaRegistry
from transforms.parse.protobuf.descriptors import Descriptors

PARTITIONS = 4
TABLE = "events"

AVRO = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "user_id", "type": "long"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["click", "view"]}},
        {"name": "amount", "type": "double"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
    ],
}
PROTOBUF = """syntax = "proto3";
message Event {
  string event_id = 1;
  int64 user_id = 2;
  string kind = 3;
  double amount = 4;
  optional string note = 5;
  repeated string tags = 6;
}
"""
DDL = f"""CREATE TABLE {TABLE} (event_id text PRIMARY KEY, user_id bigint, kind text,
amount double precision, note text, tags jsonb)"""


def events(count: int) -> Iterator[dict[str, Any]]:
    """The records, the same for every format."""
    for n in range(count):
        yield {
            "event_id": f"event-{n:09}",
            "user_id": n % 9_973,
            "kind": ("click", "view")[n % 2],
            "amount": n / 8,
            "note": None if n % 3 else f"note {n}",
            "tags": ["a", "bb"][: n % 3],
        }


def written(form: str, registry: SchemaRegistry) -> Callable[[dict[str, Any]], bytes]:
    """What writes an event in a format."""
    if form == "json":
        return lambda event: json.dumps(event, separators=(",", ":")).encode()
    text, kind = (json.dumps(AVRO), "AVRO") if form == "avro" else (PROTOBUF, "PROTOBUF")
    head = b"\0" + registry.register(f"{form}-value", text, kind).to_bytes(4, "big")
    if form == "avro":
        schema = fastavro.parse_schema(AVRO)

        def avro(event: dict[str, Any]) -> bytes:
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, event)
            return head + out.getvalue()

        return avro
    message = GetMessageClass(Descriptors(PROTOBUF, ()).message([0]))
    return lambda event: head + b"\0" + message(**event).SerializeToString()


def measured(
    servers: Services, registry: SchemaRegistry, form: str, records: int
) -> tuple[float, float]:
    """The rate of one run, and the seconds of the processor that its process took."""
    fresh(servers.dsn)
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {TABLE}")
        connection.execute(DDL)
    summary = servers.root / "summary.json"
    command = [sys.executable, "-m", "pipelines.ingest", "--source", servers.uri(form)]
    command += ["--sink", servers.dsn, "--table", TABLE, "--key", "event_id", "--no_progress"]
    command += ["--summary_json", str(summary), "--pipeline", form]
    command += [] if form == "json" else ["--schema_registry", registry.url]
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = json.loads(summary.read_text())
    assert figures["inserted"] == records, figures
    return float(figures["records_per_second"]), seconds


def main() -> None:
    """Measure all formats in turn."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", default="json,avro,protobuf")
    arguments = parser.parse_args()
    forms = arguments.formats.split(",")
    with services("registry-rate") as servers, SchemaRegistry() as registry:
        for form in forms:
            write = written(form, registry)
            servers.broker.create_topic(form, PARTITIONS)
            each = enumerate(events(arguments.records))
            servers.broker.produce(
                form, ((None, write(event), n % PARTITIONS) for n, event in each)
            )
        rates: dict[str, list[float]] = {form: [] for form in forms}
        for number in range(arguments.rounds):
            for form in forms:
                rate, seconds = measured(servers, registry, form, arguments.records)
                rates[form].append(rate)
                print(
                    f"round {number + 1}: {form} {rate:,.0f}/s, {seconds:.1f} s of the processor",
                    flush=True,
                )
        for form in forms[1:]:
            ratios = [one / other for one, other in zip(rates[form], rates[forms[0]], strict=True)]
            print(f"{form}: {statistics.median(ratios):.2f} times the rate of {forms[0]} (median)")


if __name__ == "__main__":
    main()
