"""Write what an operator asks of a pipeline, and print what is asked of it now."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipelines import command
from pipelines.control.named_sources import named_sources
from pipelines.operation.dead_letter_filters import actor_of
from pipelines.terminal import safe, say
from sinks.control import requests
from sinks.control.requests import WHOLE, Limits, Requested
from sinks.database.database import Database
from sinks.database.migrations import version
from transforms.errors import ConfigError
from transforms.read.control import State
from transforms.secrets import redact

_STATES: dict[str, State] = {"pause": "paused", "drain": "draining", "resume": "running"}


def carry_out(action: str, flags: Any) -> int:
    """Carry out ``pause``, ``drain``, ``resume`` or ``rate``; returns the exit code.

    Raises:
        ConfigError: There is no such pipeline or source, or an option is missing.
        SinkUnavailable: The database cannot be reached.
    """
    reason = (flags.reason or "").strip() or ("resumed" if action == "resume" else "")
    if not reason:
        raise ConfigError("--reason is empty; say why, for the audit trail")
    limits = _limits(flags) if action == "rate" else None
    database = Database(flags.sink)
    version.require(database)
    read = requests.read_by(database, flags.pipeline)
    sources = [WHOLE] if flags.source is None else named_sources(flags.source, flags.pipeline, read)
    who = {"actor": actor_of(flags), "reason": reason}
    if limits is not None:
        rows = requests.limit(database, flags.pipeline, sources, limits, **who)
    else:
        rows = requests.ask(database, flags.pipeline, sources, _STATES[action], **who)
    if flags.json:
        print(json.dumps([_as_json(row) for row in rows], indent=2))
    else:
        _print(action, rows, flags)
    if action == "resume":
        _say_what_is_still_held(requests.requested(database, flags.pipeline), flags)
    command.check_printed()
    return command.OK


def _limits(flags: Any) -> Limits:
    limits = Limits(flags.max_rate, flags.max_bytes_rate, flags.no_limit)
    if limits == Limits():
        raise ConfigError("give --max_rate, --max_bytes_rate or --no_limit")
    if flags.no_limit and limits != Limits(none=True):
        raise ConfigError("--no_limit contradicts --max_rate and --max_bytes_rate")
    return limits


def _print(action: str, rows: Sequence[Requested], flags: Any) -> None:
    for row in rows:
        print(safe(row.limits_in_words if action == "rate" else str(row)))
    if rows and rows[0].holds and action != "rate":
        source = "" if flags.source is None else f" --source {shlex.quote(flags.source)}"
        url = shlex.quote(redact(flags.sink))
        pipeline = shlex.quote(flags.pipeline)
        print(safe(f"go on with: sluice resume --pipeline {pipeline}{source} --sink {url}"))


def _say_what_is_still_held(rows: Sequence[Requested], flags: Any) -> None:
    """A source is held by its own row as well as by that of the whole pipeline."""
    for row in rows:
        if row.holds and (flags.source is None or row.source == WHOLE):
            part = f"--source {shlex.quote(row.source)}"
            which = "leave out --source" if row.source == WHOLE else part
            say(f"resume: {row}; to resume that, too: {which}")


def _as_json(row: Requested) -> dict[str, Any]:
    values = asdict(row)
    for name in ("changed_at", "resumed_at"):
        values[name] = values[name] and values[name].isoformat()
    return values
