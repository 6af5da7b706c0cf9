"""Every page that the console answers with, as addresses of a large database.

A page that nobody has listed here is an error, so that none goes unmeasured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from starlette.testclient import TestClient

from benchmarks.console.big import RECORDS, target
from pipelines.console.api.operations import OPERATIONS
from pipelines.console.api.routes import pages_of
from pipelines.console.application import Console
from pipelines.console.config import STATEMENT_SECONDS, ConsoleConfig
from pipelines.console.pages.screens import SCREENS
from pipelines.console.samples import KEPT, samples_of
from sinks.bulk.long_orders import give
from sinks.console.sums import records_read
from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.tables import audit, fingerprints, jobs, runs
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from transforms.batch.job_states import REPLAY

ADDRESS = "http://127.0.0.1:8400"
SAMPLE_SECONDS = 10


@contextmanager
def pages(database: Database) -> Iterator[Mapping[str, Callable[[], Any]]]:
    """What is called, by address.

    Raises:
        LookupError: A page is not listed.
    """
    seen = Database(database.url, statement_timeout=STATEMENT_SECONDS)
    _fill_samples(seen)
    application = Console(ConsoleConfig(seen))
    try:
        with TestClient(application, base_url=ADDRESS) as client:
            yield {
                address: lambda address=address: _get(client, address)  # type: ignore[misc]
                for address in addresses(database)
            }
    finally:
        application.close()


def addresses(database: Database) -> list[str]:
    """The addresses of every page, with the filters that are slowest.

    Raises:
        LookupError: A page is not listed.
    """
    table = target(7)
    with transaction(database, "choose what is opened", write=False) as connection:
        job, group, run, entry = (
            connection.scalar(query)
            for query in (
                sa.select(sa.func.min(jobs.c.id)).where(jobs.c.target == table),
                sa.select(sa.func.min(sa.cast(fingerprints.c.id, sa.String))),
                sa.select(sa.func.min(runs.c.id)),
                sa.select(sa.func.max(audit.c.id)).where(audit.c.action == REPLAY.name),
            )
        )
    order = give(database, Order.of(REPLAY, JobFilter(target=table)), actor="a", reason="measured")
    letters = {
        f"{prefix}/dead-letters{more}"
        for prefix in ("", "/api")
        for more in (
            "",
            f"?target={table}",
            "?stage=write&category=constraint",
            "?exception=Error07",
            "?text=kind",
            "?text=nowhere-to-be-seen",
            "?key=nowhere",
            "?header=nowhere",
            f"?source=file:///data/{table}/part-3.jsonl",
            "?since=1d",
            f"?fingerprint={group}",
            "?state=retryable",
            "?state=all",
            f"/{job}",
            "/groups",
            f"/groups?target={table}",
        )
    }
    listed = [
        "/",
        f"/targets/{table}",
        f"/targets/{table}/partitions",
        f"/targets/{table}/partitions?gaps=1",
        *sorted(letters),
        f"/dead-letters?id={job}",
        "/dead-letters/confirm?action=replay&every=1",
        f"/dead-letters/confirm?action=purge&every=1&target={table}",
        "/dead-letters/confirm?action=replay&every=1&text=kind",
        f"/dead-letters/outcome?entries={entry}",
        f"/dead-letters/{job}/edit",
        "/orders",
        f"/orders/{order}",
        "/due",
        f"/due?target={table}",
        "/outbox",
        f"/outbox?target={table}",
        "/runs",
        f"/runs?pipeline={table}",
        f"/runs/{run}",
        "/control",
        f"/control?pipeline={table}",
        "/audit",
        "/audit?actor=user3",
        "/audit?actor=nobody",
        "/audit?action=purge",
        "/alerts",
        "/about",
        "/api/openapi.json",
        "/api/overview",
        f"/api/targets/{table}",
        "/api/partitions",
        f"/api/partitions?target={table}&gaps=true",
        "/api/orders",
        f"/api/orders/{order}",
        "/api/due",
        "/api/outbox",
        "/api/runs",
        f"/api/runs/{run}",
        "/api/audit",
        "/api/alerts",
        "/api/control",
        "/api/about",
    ]
    _check(listed, {"id": str(job), "target": table, "run": str(run)}, str(order))
    return listed


def _check(listed: list[str], values: Mapping[str, str], order: str) -> None:
    """Make sure that every page that is got is listed."""
    paths = {address.partition("?")[0] for address in listed}
    for page in (*SCREENS, *pages_of(OPERATIONS)):
        if page.method != "GET":
            continue
        path = page.path
        for name, value in values.items():
            value = order if name == "id" and "/orders/" in path else value
            for kind in (f"{{{name}}}", f"{{{name}:int}}", f"{{{name}:path}}"):
                path = path.replace(kind, value)
        if path not in paths:
            raise LookupError(f"benchmarks.console.pages has no address for {page.path}")


def _get(client: TestClient, address: str) -> None:
    answer = client.get(address)
    if answer.status_code != 200:
        raise AssertionError(f"{address} answers {answer.status_code}: {answer.text[:500]}")


def _fill_samples(database: Database) -> None:
    """An hour of samples of every pipeline, as a console has that runs for long."""
    samples, now = samples_of(database), time.time()
    totals = records_read(database)
    for number in range(KEPT):
        read = {name: total + number * RECORDS for name, total in totals.items()}
        samples.add(now - (KEPT - number) * SAMPLE_SECONDS, read)
