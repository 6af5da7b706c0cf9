"""Say once, at the start of a run, that nobody has tested the database that it writes."""

from __future__ import annotations

import logging

from sinks.database.database import Database
from sinks.database.engine import dialect_for

_log = logging.getLogger(__name__)


def announce(database: Database) -> None:
    """Log a warning if nobody has tested that ``database`` keeps what this program promises.

    Raises:
        ConfigError: Its URL cannot be read, or its driver is missing.
    """
    if dialect_for(database).experimental:
        _log.warning(
            "%s: this kind of database is experimental, since nobody has tested that it keeps the "
            "guarantees; try it first: sluice doctor --conformance --sink URL",
            database,
        )
