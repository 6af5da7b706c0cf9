"""How ``pipelines.runs`` prints runs, as tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.table import Column, Table

from pipelines import command
from pipelines.pipeline_file.version_line import version_line
from pipelines.terminal import shown
from sinks.runs.history import RunRow
from transforms.batch.counts import COUNTS, Counts

SHORT = 8
"""How many characters of a run's id and of a version a list shows; enough to tell them apart."""


def print_list(runs: Sequence[RunRow], as_json: bool) -> None:
    """Print one line for each run, or all of them as a JSON list."""
    if as_json:
        print(json.dumps([_as_json(run) for run in runs], indent=2))
        return
    console = command.console()
    if not runs:
        console.print("no runs")
        return
    names = ("run", "pipeline", "version", "runner", "state", "started", "ended")
    table = Table(*names, "read", "rows", "dead", box=None)
    for run in runs:
        counts = run.counts
        cells = (
            run.id[:SHORT],
            run.pipeline,
            (run.pipeline_version or "")[:SHORT],
            run.runner,
            _state(run),
            _time(run.started_at),
            _time(run.ended_at),
            *(
                f"{n:,}"
                for n in (
                    counts.read,
                    counts.inserted + counts.updated + counts.deleted,
                    counts.dead,
                )
            ),
        )
        table.add_row(*map(shown, cells))
    command.print_whole(console, table)


def print_one(run: RunRow, as_json: bool) -> None:
    """Print everything that is known of one run."""
    if as_json:
        print(json.dumps(_as_json(run), indent=2))
        return
    grid = Table.grid(Column(), Column(overflow="fold"), padding=(0, 2))
    lines: list[tuple[str, object]] = [
        ("run", run.id),
        ("pipeline", run.pipeline),
        ("pipeline version", run.pipeline_version or ""),
        ("pipeline file", version_line(run.options)),
        ("table", run.target),
        ("state", _state(run)),
        ("runner", run.runner),
        ("job", run.job or ""),
        ("started by", run.program),
        ("sluice version", run.version),
        ("started", _time(run.started_at)),
        ("last heard", _time(run.heartbeat_at)),
        ("ended", _time(run.ended_at)),
        ("message", run.message or ""),
        *((name, f"{number:,}") for name, number in run.counts),
        *((f"--{name}", _option(value)) for name, value in sorted(_options(run))),
    ]
    for name, value in lines:
        if value != "":
            grid.add_row(shown(name), shown(value))
    console = command.console()
    console.print(grid)
    table = Table("process", "started", "last heard", "last commit", "ended", "read", box=None)
    for worker in run.workers:
        times = (worker.started_at, worker.heartbeat_at, worker.committed_at, worker.ended_at)
        cells = (worker.name, *map(_time, times), f"{worker.counts.read:,}")
        table.add_row(*map(shown, cells))
    if run.workers:
        command.print_whole(console, table)
    if len(run.tables) > 1:
        command.print_whole(console, tables_of(run.tables))


def tables_of(tables: Mapping[str, Counts]) -> Table:
    """A line for each table, with the outcomes that any of them has."""
    names = [
        name
        for name in COUNTS
        if name in ("read", "inserted") or any(dict(counts)[name] for counts in tables.values())
    ]
    table = Table("table", box=None)
    for name in names:
        table.add_column(name, justify="right")
    for label, counts in tables.items():
        numbers = dict(counts)
        table.add_row(shown(label), *(f"{numbers[name]:,}" for name in names))
    return table


def _state(run: RunRow) -> str:
    """Its state, and what holds it."""
    whole = run.held.get("")
    if whole:
        return f"{run.state}, {whole}"
    if not run.held:
        return run.state
    some = "1 source" if len(run.held) == 1 else f"{len(run.held):,} sources"
    return f"{run.state}, {some} held"


def _options(run: RunRow) -> Iterator[tuple[str, Any]]:
    """The options that were given; what was derived from them is left out."""
    return (pair for pair in run.options.items() if pair[0] not in ("sources", "file"))


def _option(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"


def _as_json(run: RunRow) -> dict[str, Any]:
    """One object with ISO 8601 times; the counts are those of all processes."""
    figures = asdict(run)
    for worker in figures["workers"]:
        worker.update(worker.pop("counts"))
    figures.update(dict(run.counts))
    figures["tables"] = {table: dict(counts) for table, counts in run.tables.items()}
    return {name: _plain(value) for name, value in figures.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
