"""How ``pipelines.dead_letters`` prints jobs, as tables and as JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipelines import command
from pipelines.terminal import safe, shown
from sinks.bulk.edits import Edit
from sinks.console import groups
from sinks.console.groups import Page
from sinks.dead.naming import short
from sinks.jobs.audit_trail import Entry
from sinks.jobs.stats import Group
from sinks.jobs.store import Job
from transforms.batch.expansion import Branch, text_of
from transforms.batch.record import Headers, Origin
from transforms.steps.pipeline_identity import PipelineIdentity

PREVIEW = 60
"""How many characters of a record a list shows."""

SHOWN = 2_000
"""How many bytes of one record are shown; ``--json`` has them all."""

HEX_SHOWN = 512

_REVEALS = "--reveal shows all"

NARROWEST = 40
"""A message that has fewer columns of the terminal than this stands below its job."""

_GAP = "  "
_LINE_ENDS = re.compile(r"[ ]*[\r\n\t]+[ ]*")


def print_json(objects: Sequence[Mapping[str, Any]]) -> None:
    """Print ``objects`` as one JSON list."""
    print(json.dumps(objects, indent=2))


def show_list(console: Console, jobs: Sequence[Job]) -> None:
    """Print one line for each job, with its whole message.

    On a terminal the message goes on in further lines, and the record's first bytes stand below it.
    """
    if not jobs:
        return
    cells = _cells(jobs)
    previews = [_preview(job) for job in jobs]
    messages = [safe(_LINE_ENDS.sub(" ", job.failure.message.strip())) for job in jobs]
    if not console.is_terminal:
        cells["bytes"] = previews
    widths = [max(map(cell_len, (name, *column))) for name, column in cells.items()]
    indent = sum(widths) + len(_GAP) * len(widths)
    below = console.is_terminal and console.width - indent < NARROWEST
    if below:
        indent = 2 * len(_GAP)
    _print(console, [_padded(list(cells), widths), "" if below else "message"], "bold")
    rows = map(list, zip(*cells.values(), strict=True))
    for row, message, preview in zip(rows, messages, previews, strict=True):
        lines = [message]
        if console.is_terminal:
            lines = _folded(console, message, indent) + [preview] * bool(preview)
        if below:
            lines = ["", *lines]
        _print(console, [_padded(row, widths), lines[0]])
        for line in lines[1:]:
            _print(console, [" " * indent, line])


def _cells(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """The columns before the message; the pipeline where one is not simply that of its table."""
    columns = {
        "id": [str(job.id) for job in jobs],
        "first failed": [f"{job.inserted_at:%Y-%m-%dT%H:%M:%SZ}" for job in jobs],
        "state": [job.state for job in jobs],
        "table": [job.target for job in jobs],
        "pipeline": [_called(job.pipeline) for job in jobs],
        "stage": [job.failure.stage for job in jobs],
        "category": [job.failure.category for job in jobs],
        "where": [_place(job.failure.origin) for job in jobs],
    }
    if all(job.pipeline == PipelineIdentity(job.target) for job in jobs):
        del columns["pipeline"]
    return {
        name: [safe(_LINE_ENDS.sub(" ", cell)) for cell in column]
        for name, column in columns.items()
    }


def _place(origin: Origin) -> str:
    """The end of a source's name, the partition of a topic, and the offset."""
    name = origin.source.rsplit("/", 1)[-1]
    if origin.source.startswith("kafka://"):
        name += f"/{origin.partition.partition('@')[0]}"
    return f"{name}@{origin.place}"


def _branch(branch: Branch) -> str:
    return (
        f"record {branch.number} (from 0) of the {branch.of:,} that step {branch.step} made of one"
    )


def _first(name: str, raw: bytes, limit: int) -> str:
    return name if len(raw) <= limit else f"{name} (first {limit:,})"


def _preview(job: Job) -> str:
    if job.preview.state == "withheld":
        return f"({job.preview.described})"
    text = as_text(job.failure.raw[: PREVIEW + 1])
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    """``row`` in columns: characters may be two cells wide, or none."""
    cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
    return "".join(f"{cell}{_GAP}" for cell in cells)


def _folded(console: Console, text: str, indent: int) -> list[str]:
    """The lines of ``text``, no longer than what ``indent`` leaves of a terminal's width."""
    if not console.is_terminal:
        return text.split("\n")
    lines = Text(text).wrap(console, max(console.width - indent, 1), overflow="fold")
    return [line.plain.rstrip() for line in lines] or [""]


def _print(console: Console, parts: Sequence[str], style: str = "") -> None:
    """Print one line, however long, and nothing of it as markup."""
    console.print(Text("".join(parts).rstrip(), style=style), soft_wrap=True)


def show_one(console: Console, job: Job, edits: Sequence[Edit] = ()) -> None:
    """Print everything that the database holds about one job."""
    failure = job.failure
    lines: list[tuple[str, object]] = [
        ("id", job.id),
        ("table", job.target),
        ("state", job.state),
        ("pipeline", _called(job.pipeline)),
        ("version", job.pipeline.version if job.pipeline else ""),
        ("source", failure.origin.source),
        ("partition", failure.origin.partition),
        ("offset", failure.origin.offset),
        *([] if failure.origin.element is None else [("element", failure.origin.element)]),
        *(("expansion", _branch(branch)) for branch in failure.origin.expansion),
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
        *(("edit", _edit(edit)) for edit in edits),
        ("size", f"{job.preview.size:,} bytes"),
        *_bytes(job),
    ]
    if failure.key is not None:
        lines.append(("key", as_text(failure.key)))
    for header, content in failure.headers:
        lines.append((f"header {header}", "" if content is None else as_text(content)))
    names = [safe(name) for name, _ in lines]
    width = max(map(cell_len, names))
    for name, (_, value) in zip(names, lines, strict=True):
        head = _padded([name], [width])
        for line in _folded(console, safe(str(value)), len(head)):
            _print(console, [head, line])
            head = " " * len(head)
    console.print(shown(failure.stack), soft_wrap=True)


def _bytes(job: Job) -> list[tuple[str, object]]:
    """The lines with the bytes of a record, as far as they may be shown."""
    raw = job.failure.raw
    if job.preview.state == "withheld":
        return [("bytes", f"({job.preview.described}; {_REVEALS})")]
    shown_bytes: tuple[str, object] = (_first("bytes", raw, SHOWN), as_text(raw[:SHOWN]))
    if job.preview.state == "masked":
        return [shown_bytes, ("masked", f"fields that a pipeline of the table hides; {_REVEALS}")]
    return [shown_bytes, (_first("hex", raw, HEX_SHOWN), raw[:HEX_SHOWN].hex(" "))]


def folding(*headings: str) -> Table:
    """A table with texts that take several lines each: they are folded, and none is cut."""
    return Table(*(Column(heading, overflow="fold") for heading in headings), box=None)


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
        command.print_whole(console, table)


def show_groups(console: Console, page: Page) -> None:
    """Print one line for each group of dead letters."""
    columns = ("fingerprint", "count", "first seen", "last seen", "table", "stage", "category")
    table = folding(*columns, "code", "message", "job")
    for group in page.groups:
        count = f"{group.count.number:,}"
        times = (group.first_seen, group.last_seen)
        names = (group.target, group.stage, group.category, group.sqlstate or "", group.message)
        table.add_row(
            short(group.fingerprint),
            count if group.count.exact else f"≈ {count}",
            *(f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else "" for time in times),
            *map(shown, names),
            str(group.sample),
        )
    if page.groups:
        console.print(table)


def show_audit(console: Console, entries: Sequence[Entry]) -> None:
    """Print one line for each entry of the audit trail."""
    table = folding("at", "action", "by", "count", "reason", "filter")
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
    """One job. Its bytes are given as base64 and, if they are UTF-8, as text. Times are ISO 8601.

    ``record`` says how much of the record they are: ``whole``, ``masked`` or ``withheld``.
    """
    failure, seen = job.failure, job.preview
    raw = None if seen.state == "withheld" else failure.raw
    try:
        text = None if raw is None else raw.decode()
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
        "element": failure.origin.element,
        "expansion": text_of(failure.origin.expansion) or None,
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
        "record": seen.state,
        "size": seen.size,
        **({"sha256": seen.digest} if seen.state == "withheld" else {}),
        "text": text,
        "raw_base64": _base64(raw),
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


def fingerprint_as_json(group: groups.Group) -> dict[str, Any]:
    """A group of dead letters; whether its count is exact stands beside it."""
    return {
        **asdict(group),
        "fingerprint": str(group.fingerprint),
        "first_seen": group.first_seen.isoformat(),
        "last_seen": None if group.last_seen is None else group.last_seen.isoformat(),
        "count": group.count.number,
        "count_is_exact": group.count.exact,
    }


def owner_as_json(owner: PipelineIdentity | None) -> dict[str, Any]:
    """The pipeline that owns jobs; nulls where no pipeline does."""
    if owner is None:
        return {"pipeline": None, "steps": None, "mapped": None}
    return {"pipeline": owner.name, "steps": list(owner.steps), "mapped": owner.mapped}


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
    version = f", version {error['version']}" if error.get("version") else ""
    attempt = f"attempt {error.get('attempt')}{replay}{version}, {error.get('at')}"
    return f"{attempt}: {error.get('error')}"


def _edit(edit: Edit) -> str:
    fields = ", ".join(edit.fields)
    return f"{edit.at.isoformat()} by {edit.actor} ({fields}; {edit.size:,} bytes before): {edit.reason}"


def _headers(headers: Headers) -> list[dict[str, Any]]:
    return [{"name": name, "value_base64": _base64(value)} for name, value in headers]


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
