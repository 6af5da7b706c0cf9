"""Merge the small objects of an ingest into larger ones, and delete what no reader needs any more.

    python -m pipelines.compact --sink s3://bucket/prefix --state postgresql://user@host/db \\
        [--table NAME] [--target_bytes 256MB] [--keep 1h] [--dry_run] [--json]

It may run while ingests write. Exit 0 when it is done; 1 when it failed, another compaction of the
sink is at work, or an object could not be merged.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_reason, add_verbose, database_url, size

TARGET = "256MB"
KEEP = "1h"

_DESCRIPTION = """\
Merge the small objects of an ingest into larger ones, and delete what no reader needs any more.

Readers of the manifest see the small objects, or the larger one in their place, and the same records
before and after. It may run while ingests write. Each change leaves a row in ingest_audit."""

_EXAMPLES = """\
examples:
  %(prog)s --sink s3://lake/events --state postgresql://user@host/db
  %(prog)s --sink file:///data/events --state sqlite:///state.db --dry_run --json
  %(prog)s --sink s3://lake/events --state postgresql://user@host/db \\
      --table orders --target_bytes 512MB --keep 1d"""

_EXITS = {
    command.OK: "everything that was due is merged and deleted",
    command.FAILED: "it failed, a signal stopped it, or an object could not be merged; everything else was",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.compact``."""
    parser = command.Parser(
        prog="python -m pipelines.compact", description=_DESCRIPTION, epilog=_EXAMPLES, exits=_EXITS
    )
    which = parser.add_argument_group("which objects").add_argument
    which(
        "--sink",
        required=True,
        metavar="URI",
        help="where the objects are, as in the ingest: s3://bucket/prefix or file:///folder",
    )
    which(
        "--state",
        type=database_url,
        required=True,
        metavar="URL",
        help="the database of their ledger, as in the ingest: postgresql://user@host/db, "
        "sqlite:///state.db",
    )
    which("--table", metavar="NAME", help="merge objects of this dataset only (default: of all)")
    which("--s3_endpoint_url", metavar="URL", help="an S3 service other than AWS")
    done = parser.add_argument_group("what is done")
    done.add_argument(
        "--target_bytes",
        type=size,
        default=size(TARGET),
        metavar="SIZE",
        help="how large objects should become; those smaller than half of it are merged with others of "
        f"their folder (default: {TARGET})",
    )
    done.add_argument(
        "--keep",
        default=KEEP,
        metavar="DURATION",
        help="how long replaced objects and orphans stay, for readers of an older manifest: 30m, 12h, 7d "
        f"(default: {KEEP})",
    )
    done.add_argument(
        "--dry_run", action="store_true", help="only say what would be merged and deleted"
    )
    add_reason(done, "why, for the audit trail (default: compaction)")
    printed = parser.add_argument_group("what is printed")
    printed.add_argument("--json", action="store_true", help="one object, in a list")
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Compact and sweep; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.operation import compaction

    return compaction.carry_out(flags)


if __name__ == "__main__":
    sys.exit(command.run("compact", main, None))
