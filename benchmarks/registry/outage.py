"""A registry that is away for half a minute in the middle of a stream: is anything dead, or lost?

    python -m benchmarks.registry.outage [--seconds 30]

A stream reads messages of a schema that it has and, from the middle on, of others that it has to look up. Before they
are produced, a proxy in front of the registry refuses connections; it takes them again after the time. At the end
there must be one row for each message, and no job: nothing was dead, and no attempt was used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from urllib.parse import urlsplit

import psycopg

from benchmarks.kafka.services import Services, services
from tests.services.process import ServiceProcess
from tests.services.registry import SchemaRegistry
from tests.services.tcp_proxy import TcpProxy
from tests.waiting import wait_until

MESSAGES = 20_000
SCHEMAS = 8


def main() -> None:
    """Run it; it ends with an error where something is dead or lost."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with services("registry-outage") as servers, SchemaRegistry() as registry:
        place = urlsplit(registry.url)
        with TcpProxy(("127.0.0.1", place.port or 0)) as proxy:
            url = registry.url.replace(f":{place.port}", f":{proxy.port}")
            measure(servers, registry, proxy, url, arguments.seconds)


def measure(
    servers: Services, registry: SchemaRegistry, proxy: TcpProxy, url: str, seconds: float
) -> None:
    """One outage."""
    heads = [head(registry, number) for number in range(SCHEMAS)]
    servers.broker.create_topic("events", 2)
    produce(servers, heads[:1], 0)
    command = [sys.executable, "-m", "pipelines.ingest", "--source", servers.uri("events")]
    command += ["--sink", servers.dsn, "--table", "events", "--key", "id", "--streaming"]
    command += ["--schema_registry", url, "--no_progress"]
    folder = servers.root / "ingest"
    folder.mkdir()
    process = ServiceProcess(command, folder, servers.root / "ingest.log")
    try:
        await_rows(servers, process, MESSAGES)
        proxy.refuse()
        proxy.cut()
        produce(servers, heads, MESSAGES)
        began = time.monotonic()
        time.sleep(seconds)  # that long is the outage
        during = rows(servers)
        assert process.exit_status is None, "the stream has ended"
        proxy.accept()
        back = time.monotonic()
        await_rows(servers, process, 2 * MESSAGES)
        caught_up = time.monotonic() - back
    finally:
        process.stop(60.0)
    with psycopg.connect(servers.dsn) as connection:
        jobs = connection.execute("SELECT count(*) FROM ingest_jobs").fetchone()
    assert jobs == (0,), f"{jobs} jobs: something was dead, or has used an attempt"
    print(
        f"away for {back - began:.0f} s: {during - MESSAGES:,} of {MESSAGES:,} messages had known "
        f"schemas and were written meanwhile, the others {caught_up:.1f} s after its return; nothing is dead"
    )


def head(registry: SchemaRegistry, number: int) -> bytes:
    """The first bytes of messages of a schema, which is registered."""
    fields = [{"name": "id", "type": "string"}, {"name": f"v{number}", "type": "long"}]
    schema = json.dumps({"type": "record", "name": f"Event{number}", "fields": fields})
    return b"\0" + registry.register(f"outage-{number}", schema).to_bytes(4, "big")


def produce(servers: Services, heads: list[bytes], first: int) -> None:
    """Append messages; each part of them is of another schema."""
    part = MESSAGES // len(heads)
    messages = (
        heads[min(n // part, len(heads) - 1)] + b"\x12" + b"%09d" % (first + n) + b"\2"
        for n in range(MESSAGES)
    )
    servers.broker.produce("events", ((None, raw, n % 2) for n, raw in enumerate(messages)))


def rows(servers: Services) -> int:
    """How many rows there are."""
    with psycopg.connect(servers.dsn) as connection:
        table = connection.execute("SELECT to_regclass('events')").fetchone()
        if table == (None,):
            return 0
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def await_rows(servers: Services, process: ServiceProcess, number: int) -> None:
    """Wait until there are so many rows."""
    wait_until(
        lambda: rows(servers) >= number,
        f"{number} rows",
        seconds=300.0,
        alive=lambda: process.exit_status is None,
    )


if __name__ == "__main__":
    main()
