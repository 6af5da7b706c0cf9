"""Prove from the database that nothing was lost: coverage, gaps, sums and jobs.

    python -m pipelines.audit --sink postgresql://user@host/db [--source URI] [--json]

A partition is one version of an object, or one partition of a topic.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_sink, add_verbose
from transforms.errors import ConfigError

_DESCRIPTION = """\
Prove from the database that nothing was lost: coverage, gaps, sums and jobs.

A partition is one version of an object, or one partition of a topic.

The audit looks at the ledger and the jobs. It does not count the rows of your tables, which others
may change. With --objects, it looks into buckets and folders."""

_EXAMPLES = """\
examples:
  %(prog)s --sink sqlite:///ingest.db
  %(prog)s --sink postgresql://user@host/db --source 's3://bucket/2026/*' --json
  %(prog)s --sink postgresql://user@host/db --objects"""

_EXITS = {
    command.OK: "nothing is lost: each partition is covered without a gap, adds up, and has its failed records as "
    "jobs, and each dataset of objects has as many rows as were inserted",
    command.FAILED: "something is missing or does not add up, or the database cannot be reached",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.audit``."""
    parser = command.Parser(
        prog="python -m pipelines.audit", description=_DESCRIPTION, epilog=_EXAMPLES, exits=_EXITS
    )
    asked = parser.add_argument_group("what is asked")
    add_sink(asked)
    asked.add_argument(
        "--source", metavar="URI", help="only what this URI or glob matches (default: everything)"
    )
    asked.add_argument(
        "--objects",
        action="store_true",
        help="look at the manifest and every object of each bucket and folder, too: a request for each "
        "500 objects of the manifest and for each 1,000 objects (default: only at the state)",
    )
    asked.add_argument("--s3_endpoint_url", metavar="URL", help="an S3 service other than AWS")
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
        from pipelines.operation import object_verdicts, verdicts

    if flags.objects and flags.source is not None:
        raise ConfigError("--objects looks at all of a bucket or folder: leave out --source")
    of_objects = object_verdicts.object_verdicts(
        flags.sink, objects=flags.objects, endpoint_url=flags.s3_endpoint_url
    )
    if flags.source is not None:
        of_objects = iter(())  # they hold records of several sources
    if flags.json:
        failed = verdicts.print_json(flags, of_objects)
    else:
        failed = verdicts.print_table(flags) + object_verdicts.print_all(of_objects)
    command.check_printed()
    return command.FAILED if failed else command.OK


if __name__ == "__main__":
    sys.exit(command.run("audit", main, None))
