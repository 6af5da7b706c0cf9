"""Say what is wrong with a database and the pipelines in it, and what to do.

    python -m pipelines.doctor --sink URL [--pipeline NAME] [--fail_on warning] [--json]
    python -m pipelines.doctor --sink URL --conformance [--json]

It only reads. Exit 0 when no check has found an error, 6 when one has; 1 when the database cannot be
reached. With ``--conformance`` it tries whether the database keeps what this program promises, in a
place of its own that it removes: exit 0 when it keeps all of it, otherwise 1.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_sink, add_verbose
from transforms.errors import ConfigError

_DESCRIPTION = """\
Say what is wrong with a database and the pipelines in it, and what to do.

It only reads, for 10 s a statement at most.

With --conformance it tries whether a database keeps what this program promises, in a schema (a
database, a file) of its own that it removes."""

_EXAMPLES = """\
examples:
  %(prog)s --sink sqlite:///ingest.db
  %(prog)s --sink postgresql://monitor@host/db --role ingest --json
  %(prog)s --sink postgresql://user@host/db --pipeline orders --fail_on warning
  %(prog)s --sink mysql+pymysql://user@host/db --conformance"""

_EXITS = {
    command.OK: "no check has found an error; with --conformance, the database keeps what is promised",
    command.FAILED: "the database cannot be reached; with --conformance, a check has failed",
    command.UNHEALTHY: "a check has found an error, or with --fail_on warning a warning",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.doctor``."""
    parser = command.Parser(
        prog="python -m pipelines.doctor", description=_DESCRIPTION, epilog=_EXAMPLES, exits=_EXITS
    )
    asked = parser.add_argument_group("what is asked")
    add_sink(asked)
    asked.add_argument(
        "--pipeline",
        metavar="NAME",
        help="what concerns this pipeline, besides the database as a whole (default: all)",
    )
    asked.add_argument(
        "--role",
        default="",
        metavar="NAME",
        help="the role that ingests, whose rights are looked at (default: that of --sink)",
    )
    asked.add_argument(
        "--fail_on",
        choices=("error", "warning"),
        default="error",
        metavar="LEVEL",
        help="exit with 6 from this level on: error or warning (default: error)",
    )
    asked.add_argument(
        "--conformance",
        action="store_true",
        help="try whether the database keeps what this program promises; it writes into a schema, a "
        "database or a file of its own, which it removes (docs/targets.md)",
    )
    printed = parser.add_argument_group("what is printed")
    printed.add_argument(
        "--json", action="store_true", help="a list of objects, also of the checks that are fine"
    )
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Make all checks; returns the exit code."""
    flags = parser().parse_args(list(argv))
    if flags.conformance:
        return _conformance(flags)
    with command.importing():
        from pipelines.operation import doctor_output
        from sinks.database.database import Database
        from sinks.doctor.examine import SECONDS, examine
        from sinks.doctor.scope import Question

    question = Question(flags.pipeline, flags.role, doctor_output.program_version())
    database = Database(flags.sink, statement_timeout=int(SECONDS))
    items = examine(database, question)
    doctor_output.show(items, flags.json)
    failing = ("error",) if flags.fail_on == "error" else ("error", "warning")
    bad = any(item.level in failing for item in items)
    return command.UNHEALTHY if bad else command.OK


def _conformance(flags: Namespace) -> int:
    """Try whether the database keeps what this program promises; returns the exit code."""
    for option in ("pipeline", "role", "fail_on"):
        if getattr(flags, option) != parser().get_default(option):
            raise ConfigError(
                f"--{option} is about the pipelines of a database, and --conformance looks at none of "
                "them; leave one out"
            )
    with command.importing():
        from pipelines.conformance import output, suite
        from sinks.database.database import Database

    results = output.show(suite.results(Database(flags.sink)), flags.json)
    return command.FAILED if any(each.status == "failed" for each in results) else command.OK


if __name__ == "__main__":
    sys.exit(command.run("doctor", main, None))
