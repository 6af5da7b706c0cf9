"""Prove from the database that nothing was lost: coverage, gaps, sums and jobs.

    python -m pipelines.audit --sink postgresql://user@host/db [--source URI] [--json]

A partition is one version of an object, or one partition of a topic. Exit 0 when each partition
is covered without a gap, adds up, and has its failed records as jobs; 1 otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_sink, add_verbose

_DESCRIPTION = """\
Prove from the database that nothing was lost: coverage, gaps, sums and jobs.

A partition is one version of an object, or one partition of a topic. Exit 0 when each partition
is covered without a gap, adds up, and has its failed records as jobs; 1 otherwise."""

_EXAMPLES = """\
examples:
  %(prog)s --sink sqlite:///ingest.db
  %(prog)s --sink postgresql://user@host/db --source 's3://bucket/2026/*' --json"""


def parser() -> command.Parser:
    """The flags of ``pipelines.audit``."""
    parser = command.Parser(
        prog="python -m pipelines.audit", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    asked = parser.add_argument_group("what is asked")
    add_sink(asked)
    asked.add_argument(
        "--source", metavar="URI", help="only what this URI or glob matches (default: everything)"
    )
    printed = parser.add_argument_group("what is printed")
    printed.add_argument(
        "--json", action="store_true", help="a list of objects, one for each partition"
    )
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Print the audit; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.operation import verdicts

    failed = verdicts.print_json(flags) if flags.json else verdicts.print_table(flags)
    return command.FAILED if failed else command.OK


if __name__ == "__main__":
    sys.exit(command.run("audit", main, None))
