"""Show what a database says of its pipelines, as metrics for Prometheus.

    python -m pipelines.exporter --sink postgresql://user@host/db [--listen HOST:PORT]

It answers ``/metrics``, ``/live`` and ``/ready`` until a signal ends it (exit 0). The database may be away
meanwhile.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_sink, add_verbose, seconds
from pipelines.telemetry.address import address

_DESCRIPTION = """\
Show what a database says of its pipelines, as metrics for Prometheus: /metrics, /live and /ready.

The figures come from the ledger and the jobs: they are the same for every runner, and survive
restarts. docs/metrics.md explains each of them."""

_EXAMPLES = """\
examples:
  %(prog)s --sink postgresql://user@host/db
  %(prog)s --sink 'postgresql://user:${env:PGPASSWORD}@host/db' --listen 0.0.0.0:9401"""

_EXITS = {command.OK: "a signal has ended it"}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.exporter``."""
    parser = command.Parser(
        prog="python -m pipelines.exporter",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits=_EXITS,
    )
    shown = parser.add_argument_group("what is shown")
    add_sink(shown)
    shown.add_argument(
        "--listen",
        type=address,
        default="127.0.0.1:9401",
        metavar="HOST:PORT",
        help="where to answer; without a host, only on this machine (default: 127.0.0.1:9401)",
    )
    shown.add_argument(
        "--interval",
        type=seconds(at_least=1),
        default=10.0,
        metavar="S",
        help="read the figures every S seconds (default: 10)",
    )
    shown.add_argument(
        "--audit_interval",
        type=seconds(at_least=1),
        default=300.0,
        metavar="S",
        help="audit every S seconds, which reads every job and partition (default: 300)",
    )
    add_verbose(parser.add_argument_group("the process"))
    return parser


def main(argv: Sequence[str]) -> int:
    """Answer until a signal comes; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.telemetry.exporter import Exporter
        from pipelines.telemetry.server import serving
        from runners.signals import stop_on_signals
        from sinks.database.database import Database
        from sinks.database.engine import engine_of

    database = Database(flags.sink)
    engine_of(database)  # a mistake in the URL is said at once
    exporter = Exporter(database, flags.interval, flags.audit_interval)
    stopped = threading.Event()
    with (
        stop_on_signals(stopped.set),
        exporter.reading() as registry,
        serving(flags.listen, registry, live=exporter.live, ready=exporter.ready) as port,
    ):
        host = flags.listen[0]
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{port}/metrics", flush=True)
        stopped.wait()
    return command.OK


if __name__ == "__main__":
    sys.exit(command.run("exporter", main, None))
