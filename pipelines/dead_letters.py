"""Look at what could not be written: list, show and count the dead letters.

python -m pipelines.dead_letters list  --sink URL [filters] [--json]
python -m pipelines.dead_letters show  --sink URL --id N [--json]
python -m pipelines.dead_letters stats --sink URL [filters] [--json]
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pipelines import command
from pipelines.audit import database
from sinks import jobs
from sinks.jobs import Job, JobFilter
from sinks.tables import JOB_STATES
from transforms.errors import ConfigError

PREVIEW = 60
"""Bytes of a record that a list shows."""


def parser() -> command.Parser:
    """The flags of ``pipelines.dead_letters``."""
    made = command.Parser(prog="python -m pipelines.dead_letters", description=__doc__)
    actions = made.add_subparsers(dest="action", required=True, metavar="list|show|stats")
    for name, said in (
        ("list", "the newest first"),
        ("show", "one, whole: bytes (also as hex), error and stack"),
        ("stats", "how many of each kind"),
    ):
        action = actions.add_parser(name, help=said, description=said)
        action.add_argument("--sink", required=True, metavar="URL", help="SQLAlchemy URL")
        action.add_argument("--json", action="store_true", help="print a list of objects")
        action.add_argument("--verbose", action="store_true", help="logs, and an error's stack")
        if name == "show":
            action.add_argument("--id", type=int, required=True, metavar="N", help="its number")
            continue
        filters = action.add_argument_group("filters")
        filters.add_argument("--table", metavar="NAME", help="meant for this table")
        filters.add_argument("--state", choices=JOB_STATES, default="discarded")
        filters.add_argument("--stage", help="read, parse, validate, write or a step's label")
        filters.add_argument("--category", help="e.g. malformed, schema, constraint")
        filters.add_argument("--origin", metavar="URI", help="from this object or topic")
        filters.add_argument("--exception", metavar="CLASS", help="class of the exception")
        filters.add_argument("--text", help="with this text in its bytes")
        if name == "list":
            filters.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    return made


def main(argv: Sequence[str]) -> int:
    """Carry out one action; returns the exit code."""
    given = parser().parse_args(list(argv))
    return {"list": _list, "show": _show, "stats": _stats}[given.action](given)


def _filter(given: Any) -> JobFilter:
    return JobFilter(
        target=given.table,
        state=given.state,
        stage=given.stage,
        category=given.category,
        source=given.origin,
        exception=given.exception,
        text=given.text,
    )


def _list(given: Any) -> int:
    if given.limit < 1:
        raise ConfigError(f"--limit must be 1 or more, got {given.limit}")
    config, which = database(given.sink), _filter(given)
    found = jobs.list_jobs(config, which, limit=given.limit)
    if given.json:
        print(json.dumps([as_json(job) for job in found], indent=2))
        return command.OK
    table = Table("id", "stage", "category", "where", "what", "bytes", box=None)
    for job in found:
        failure = job.failure
        place = failure.origin.source.rsplit("/", 1)[-1]
        table.add_row(
            str(job.id),
            failure.stage,
            failure.category,
            Text(f"{place}@{failure.origin.offset}"),
            Text(failure.message[:PREVIEW]),
            Text(repr(failure.raw[:PREVIEW])[2:-1]),
        )
    total = sum(jobs.count_jobs(config, which, by=("state",)).values())
    console = command.console()
    if found:
        console.print(table)
    console.print(f"{len(found):,} of {total:,} {given.state}", highlight=False)
    return command.OK


def _show(given: Any) -> int:
    job = jobs.get_job(database(given.sink), given.id)
    if job is None:
        raise ConfigError(f"there is no dead letter {given.id} in this database")
    if given.json:
        print(json.dumps([as_json(job)], indent=2))
        return command.OK
    failure = job.failure
    grid = Table.grid(padding=(0, 2))
    for name, value in (
        ("id", job.id),
        ("table", job.target),
        ("state", job.state),
        ("source", failure.origin.source),
        ("partition", failure.origin.partition),
        ("offset", failure.origin.offset),
        ("stage", failure.stage),
        ("category", failure.category),
        ("exception", failure.exception),
        ("message", failure.message),
        ("sqlstate", failure.sqlstate or ""),
        ("attempts", f"{job.attempt} of {job.max_attempts}"),
        ("inserted_at", job.inserted_at.isoformat()),
        ("size", f"{len(failure.raw):,} bytes"),
        ("bytes", repr(failure.raw[:2_000])[2:-1]),
        ("hex", failure.raw[:512].hex(" ")),
    ):
        grid.add_row(Text(name, style="bold"), Text(str(value)))
    console = command.console()
    console.print(grid)
    console.print(Text(failure.stack))
    return command.OK


def _stats(given: Any) -> int:
    by = ("target", "state", "stage", "category")
    counted = jobs.count_jobs(database(given.sink), _filter(given), by=by)
    if given.json:
        rows = [{**dict(zip(by, key, strict=True)), "count": n} for key, n in counted.items()]
        print(json.dumps(rows, indent=2))
        return command.OK
    table = Table("table", "state", "stage", "category", "count", box=None)
    for key, number in counted.items():
        table.add_row(*map(Text, key), f"{number:,}")
    console = command.console()
    if counted:
        console.print(table)
    console.print(f"{sum(counted.values()):,} {given.state}", highlight=False)
    return command.OK


def as_json(job: Job) -> dict[str, Any]:
    """One dead letter as JSON; its bytes as text where they are, and always as base64."""
    failure = job.failure
    try:
        text = failure.raw.decode()
    except UnicodeDecodeError:
        text = None
    return {
        "id": job.id,
        "table": job.target,
        "state": job.state,
        "source": failure.origin.source,
        "partition": failure.origin.partition,
        "offset": failure.origin.offset,
        "stage": failure.stage,
        "category": failure.category,
        "exception": failure.exception,
        "message": failure.message,
        "stack": failure.stack,
        "sqlstate": failure.sqlstate,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "errors": list(job.errors),
        "inserted_at": job.inserted_at.isoformat(),
        "text": text,
        "raw_base64": base64.b64encode(failure.raw).decode(),
    }


if __name__ == "__main__":
    sys.exit(command.run("dead_letters", main, None))
