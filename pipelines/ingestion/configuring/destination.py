"""Where records go, as the options say together: what is missing, and what does not fit."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from pipelines.flags import is_of_objects
from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part

_OF_TABLE = ("key", "on_conflict", "unknown_fields", "schema")
"""Options that say how the one table of ``--table`` is written."""

_OF_DATABASE = ("key", "on_conflict", "outbox", "evolve", "schema_wait")
"""Options that only a database can honour: objects are written once, and never changed."""


def check(flags: argparse.Namespace, defaults: argparse.Namespace) -> None:
    """Refuse options that do not say where records go, or that nothing would honour.

    Args:
        flags: The options.
        defaults: What they are if none is given.

    Raises:
        ConfigError: One line that names the option, and what to do: the first of ``faults``.
    """
    for fault in faults(flags, defaults):
        raise fault


def faults(flags: argparse.Namespace, defaults: argparse.Namespace) -> Iterator[ConfigError]:
    """Each way in which options do not say where records go, or would not be honoured.

    Args:
        flags: The options.
        defaults: What they are if none is given.
    """
    objects = flags.sink is not None and is_of_objects(flags.sink)
    tableless = objects or flags.routes
    required = ("source", "sink") if tableless else ("source", "sink", "table")
    missing = [f"--{name}" for name in required if not getattr(flags, name)]
    if missing:
        yield ConfigError(f"missing {', '.join(missing)} (--help lists every option)")

    def chosen(names: tuple[str, ...]) -> str:
        options = [name for name in names if getattr(flags, name) != getattr(defaults, name)]
        return ", ".join(f"--{name}" for name in options)

    if objects and not flags.state:
        yield ConfigError(
            "--sink of objects: missing --state URL, the database that keeps the ledger, the jobs and "
            "the dead letters"
        )
    if flags.state and not objects:
        yield ConfigError(
            "--state is for a --sink of objects; the ledger of tables is in their own database, so "
            "leave it out"
        )
    if objects and (options := chosen(_OF_DATABASE)):
        yield ConfigError(
            f"{options}: objects are only added to, never changed; leave it out, or write to a database"
        )
    if flags.evolve != "freeze" and flags.create == "never":
        yield ConfigError(
            f"--evolve {flags.evolve} changes tables, and --create never forbids it: leave one of them out"
        )
    if flags.evolve != "freeze" and flags.unknown_fields != "reject":
        yield ConfigError(
            f"--evolve {flags.evolve} gives each field a column, and --unknown_fields "
            f"{flags.unknown_fields} none: leave one of them out"
        )
    if flags.routes and not flags.table and not flags.pipeline:
        yield ConfigError(
            "--routes without --table: missing --pipeline NAME, under which the ledger and the retries "
            "are kept"
        )
    if flags.routes and not flags.table and (options := chosen(_OF_TABLE)):
        place = flags.routes
        if not isinstance(place, str):
            place = "the file" if isinstance(place, Part) else "the program"
        yield ConfigError(
            f"{options}: with --routes this is for the records of --table, and there is none; write it "
            f"in {place} with each route"
        )
