"""Bring the tables beside yours (``ingest_…``) to the version of this program.

    python -m pipelines.migrate --sink postgresql://user@host/db [--check | --sql] [--force]

Exit 0 when the tables are up to date; 1 when they are not: with ``--check`` a migration is due,
otherwise it failed; 2 if there are no tables, a newer program has migrated them, or a program is at
work.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_sink, add_verbose
from transforms.errors import ConfigError

_DESCRIPTION = """\
Bring the tables beside yours (ingest_…) to the version of this program.

An ingest does the same when it starts, unless the tables would be locked for more than a second. End
the programs that use the tables first: while one holds a lease, or has written within a minute,
nothing is migrated."""

_EXAMPLES = """\
examples:
  %(prog)s --sink sqlite:///ingest.db --check
  %(prog)s --sink postgresql://user@host/db --sql > migration.sql
  %(prog)s --sink postgresql://user@host/db"""

_EXITS = {
    command.OK: "the tables are of this version, or --sql has printed how they get there",
    command.FAILED: "it failed; with --check, migrations are due",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.migrate``."""
    parser = command.Parser(
        prog="python -m pipelines.migrate", description=_DESCRIPTION, epilog=_EXAMPLES, exits=_EXITS
    )
    done = parser.add_argument_group("what is done")
    add_sink(done)
    only = done.add_mutually_exclusive_group()
    only.add_argument(
        "--check", action="store_true", help="only list the migrations that are due (exit 1 if any)"
    )
    only.add_argument(
        "--sql", action="store_true", help="only print the statements, to be executed by hand"
    )
    done.add_argument(
        "--force",
        action="store_true",
        help="migrate although a program is at work; it fails at its next commit and loses nothing",
    )
    add_verbose(parser.add_argument_group("what is printed"))
    return parser


def main(argv: Sequence[str]) -> int:
    """Migrate; returns the exit code."""
    flags = parser().parse_args(list(argv))
    if flags.force and (flags.check or flags.sql):
        raise ConfigError("--force is for migrating; --check and --sql change nothing")
    with command.importing():
        from sinks.database.database import Database
        from sinks.database.migrations import migrate

    database = Database(flags.sink)
    if flags.sql:
        print(migrate.script(database), end="")
        command.check_printed()
        return command.OK
    if flags.check:
        version, due = migrate.due(database)
        for migration in due:
            print(f"due: version {migration.version}: {migration.summary}")
        if not due:
            print(f"up to date: version {version}")
        command.check_printed()
        return command.FAILED if due else command.OK
    before, after = migrate.migrate(database, force=flags.force)
    print(
        f"up to date: version {after}"
        if before == after
        else f"migrated from version {before} to version {after}"
    )
    return command.OK


if __name__ == "__main__":
    sys.exit(command.run("migrate", main, None))
