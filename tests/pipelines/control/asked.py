"""The commands that steer a pipeline, called in this process as the command line calls them."""

from __future__ import annotations

from importlib import import_module

from pipelines import command
from sinks.control import requests
from sinks.control.requests import Requested
from sinks.database.database import Database


def steer(action: str, sink: str, *more: str, pipeline: str = "events", reason: str = "why") -> int:
    """Run ``pause``, ``drain``, ``resume`` or ``rate``; returns its exit code."""
    argv = ["--sink", sink, "--pipeline", pipeline, "--reason", reason, *more]
    return command.run(action, import_module(f"pipelines.control.{action}").main, argv)


def rows(sink: str) -> dict[str, Requested]:
    """What is asked of the pipeline ``events``, by source."""
    return {row.source: row for row in requests.requested(Database(sink), "events")}
