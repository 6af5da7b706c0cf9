"""How ``pipelines.dead_letters`` prints jobs, as tables and as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.terminal import safe, shown
from sinks.jobs.audit_trail import Entry
from sinks.jobs.stats import Group
from sinks.jobs.store import Job
from transforms.batch.record import Headers
from transforms.steps.pipeline_identity import PipelineIdentity

PREVIEW = 60
"""How many bytes of a record a list shows."""


def print_json(objects: Sequence[Mapping[str, Any]]) -> None:
    """Print ``objects`` as one JSON list."""
    print(json.dumps(objects, indent=2))


def show_list(console: Console, jobs: Sequence[Job]) -> None:
    """Print one line for each job."""
    columns = ("id", "state", "pipeline", "stage", "category", "where", "what", "bytes")
    table = Table(*columns, box=None)
    for job in jobs:
        failure = job.failure
        place = failure.origin.source.rsplit("/", 1)[-1]
        table.add_row(
            str(job.id),
            job.state,
            shown(_called(job.pipeline)),
            shown(failure.stage),
            shown(failure.category),
            shown(f"{place}@{failure.origin.offset}"),
            shown(failure.message[:PREVIEW]),
            shown(as_text(failure.raw[:PREVIEW])),
        )
    if jobs:
        console.print(table)


def show_one(console: Console, job: Job) -> None:
    """Print everything that the database holds about one job."""
    failure = job.failure
    grid = Table.grid(padding=(0, 2))
    lines: list[tuple[str, object]] = [
        ("id", job.id),
        ("table", job.target),
        ("state", job.state),
        ("pipeline", _called(job.pipeline)),
        ("version", job.pipeline.version if job.pipeline else ""),
        ("source", failure.origin.source),
        ("partition", failure.origin.partition),
        ("offset", failure.origin.offset),
        ("stage", failure.stage),
        ("category", failure.category),
        ("exception", failure.exception),
        ("message", failure.message),
        ("sqlstate", failure.sqlstate or ""),
        ("attempts", f"{job.attempt} of {job.max_attempts}"),
        ("replays", job.replays),
        *((name, value) for name, value in _times(job).items() if value),
        *([("attempted_by", job.attempted_by)] if job.attempted_by else []),
        *(("error", _attempt(error)) for error in job.errors),
        ("size", f"{len(failure.raw):,} bytes"),
        ("bytes", as_text(failure.raw[:2_000])),
        ("hex", failure.raw[:512].hex(" ")),
    ]
    if failure.key is not None:
        lines.append(("key", as_text(failure.key)))
    for header, content in failure.headers:
        lines.append((f"header {header}", "" if content is None else as_text(content)))
    for name, value in lines:
        grid.add_row(Text(safe(name), style="bold"), shown(value))
    console.print(grid)
    console.print(shown(failure.stack))


def show_stats(console: Console, groups: Sequence[Group]) -> None:
    """Print one line for each kind of job."""
    columns = ("table", "state", "pipeline", "stage", "category", "count", "oldest")
    table = Table(*columns, box=None)
    for group in groups:
        called = _called(group.pipeline)
        names = (group.target, group.state, called, group.stage, group.category)
        table.add_row(
            *map(shown, names), f"{group.count:,}", group.oldest.isoformat(timespec="seconds")
        )
    if groups:
        console.print(table)


def show_audit(console: Console, entries: Sequence[Entry]) -> None:
    """Print one line for each entry of the audit trail."""
    table = Table("at", "action", "by", "count", "reason", "filter", box=None)
    for entry in entries:
        table.add_row(
            entry.at.isoformat(timespec="seconds"),
            entry.action,
            shown(entry.actor),
            f"{entry.count:,}",
            shown(entry.reason),
            shown(json.dumps(entry.filter, ensure_ascii=False)),
        )
    if entries:
        console.print(table)


def job_as_json(job: Job) -> dict[str, Any]:
    """One job. Its bytes are given as base64 and, if they are UTF-8, as text. Times are ISO 8601."""
    failure = job.failure
    try:
        text = failure.raw.decode()
    except UnicodeDecodeError:
        text = None
    return {
        "id": job.id,
        "table": job.target,
        "state": job.state,
        **owner_as_json(job.pipeline),
        "version": job.pipeline.version if job.pipeline else None,
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
        "replays": job.replays,
        **_times(job),
        "attempted_by": job.attempted_by,
        "event_time": failure.event_time,
        "text": text,
        "raw_base64": _base64(failure.raw),
        "key_base64": _base64(failure.key),
        "headers": _headers(failure.headers),
    }


def group_as_json(group: Group) -> dict[str, Any]:
    """One kind of job, with the age of the oldest in seconds."""
    return {
        "target": group.target,
        "state": group.state,
        "stage": group.stage,
        "category": group.category,
        **owner_as_json(group.pipeline),
        "count": group.count,
        "oldest_inserted_at": group.oldest.isoformat(),
        "oldest_age_seconds": max(0.0, (datetime.now(UTC) - group.oldest).total_seconds()),
    }


def owner_as_json(owner: PipelineIdentity | None) -> dict[str, Any]:
    """The pipeline that owns jobs; nulls where no pipeline does."""
    if owner is None:
        return {"pipeline": None, "steps": None}
    return {"pipeline": owner.name, "steps": list(owner.steps)}


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """One entry of the audit trail."""
    return {**asdict(entry), "at": entry.at.isoformat()}


def as_text(raw: bytes) -> str:
    """``raw`` as in a Python literal, without quotes: everything but printable ASCII is escaped."""
    return repr(raw)[2:-1]


def _called(owner: PipelineIdentity | None) -> str:
    return "nobody's" if owner is None else str(owner)


def _times(job: Job) -> dict[str, str | None]:
    names = ("inserted", "scheduled", "attempted", "completed", "cancelled", "discarded")
    times: dict[str, datetime | None] = {f"{name}_at": getattr(job, f"{name}_at") for name in names}
    return {name: None if at is None else at.isoformat() for name, at in times.items()}


def _attempt(error: Mapping[str, Any]) -> str:
    replay = f", replay {error['replay']}" if error.get("replay") else ""
    return f"attempt {error.get('attempt')}{replay}, {error.get('at')}: {error.get('error')}"


def _headers(headers: Headers) -> list[dict[str, Any]]:
    return [{"name": name, "value_base64": _base64(value)} for name, value in headers]


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
