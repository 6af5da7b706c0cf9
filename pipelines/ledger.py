"""Take out of the ledger what nobody needs any more.

    python -m pipelines.ledger forget --sink URL --source URI --older_than 30d --reason TEXT [--yes]

Exit 0 when it is done, or when nothing was to be done; 1 when it failed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_reason, add_sink, add_verbose

_DESCRIPTION = """\
Take out of the ledger what nobody needs any more.

The ledger has a row for each file that was read, so that no file is read twice. Every change leaves a
row in ingest_audit, in the same transaction."""

_FORGET = """\
Forget files that are gone: delete their rows of the ledger. Without --yes it only says what it would do.

A file stays that was not read to its end, has jobs, or is still there. Should a forgotten file come
back, it is read again, and the key decides what becomes of its records. Totals in the metrics do not
fall."""

_EXAMPLES = """\
examples:
  sluice ledger forget --sink sqlite:///ingest.db --source './in/*.jsonl' --older_than 30d
  sluice ledger forget --sink postgresql://user@host/db --source 's3://bucket/2025/*' --older_than 90d \\
      --reason 'deleted by the lifecycle of the bucket' --yes"""


def parser() -> command.Parser:
    """The flags of ``pipelines.ledger``."""
    parser = command.Parser(
        prog="python -m pipelines.ledger", description=_DESCRIPTION, epilog=_EXAMPLES, exits={}
    )
    actions = parser.add_subparsers(dest="action", required=True, title="actions", metavar="forget")
    forget = actions.add_parser(
        "forget", help="forget files that are gone", description=_FORGET, epilog=_EXAMPLES
    )
    add_sink(forget.add_argument_group("the database"))
    which = forget.add_argument_group("which files").add_argument
    which(
        "--source",
        required=True,
        metavar="URI",
        help="files or objects that this URI or glob matches: './in/*.jsonl', 's3://bucket/2025/*'",
    )
    which(
        "--older_than",
        required=True,
        metavar="TIME",
        help="only files whose ledger has not changed for 30d, 12h, …",
    )
    which("--pipeline", metavar="NAME", help="in the ledger of this pipeline (default: of all)")
    which(
        "--no_look",
        action="store_true",
        help="do not look whether files are still there; those that are will be read again (default: "
        "they stay)",
    )
    which("--s3_endpoint_url", metavar="URL", help="an S3 service other than AWS")
    done = forget.add_argument_group("what is done")
    done.add_argument(
        "--yes", action="store_true", help="do it (default: only say what would be done)"
    )
    add_reason(done, "why, for the audit trail; required with --yes")
    printed = forget.add_argument_group("what is printed")
    printed.add_argument("--json", action="store_true", help="one object, in a list")
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Forget files; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.operation import forgetting

    return forgetting.carry_out(flags)


if __name__ == "__main__":
    sys.exit(command.run("ledger", main, None))
