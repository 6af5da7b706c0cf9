"""Publish the changes that ingests with `--outbox` have kept: each at least once, in order per key.

    python -m pipelines.outbox --runner DirectRunner --sink postgresql://user@host/db \\
        --to kafka://host:port/topic [--table NAME] [--streaming]

Exit 0 when everything is published, 1 when it failed or was stopped, 2 for a usage error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command, flags
from pipelines.command import FAILED, OK, Parser
from runners.beam.imports import import_beam

_DESCRIPTION = """\
Publish the changes that ingests with --outbox have kept: each at least once, in order per key.

Exit 0 when everything is published, 1 when it failed or was stopped, 2 for a usage error."""

_EXAMPLES = """\
examples:
  %(prog)s --sink postgresql://user@host/db --to kafka://localhost:9092/changes
  %(prog)s --sink postgresql://user@host/db --to kafka://localhost:9092/changes \\
      --table people --streaming --retain 7d"""

_EXITS = {
    OK: "everything is published, or a signal has ended a stream",
    FAILED: "it failed, or a signal stopped it; run it again to go on",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> Parser:
    """Every flag of ``pipelines.outbox``; each states its unit and its default."""
    parser = Parser(
        prog="python -m pipelines.outbox", description=_DESCRIPTION, epilog=_EXAMPLES, exits=_EXITS
    )
    what = parser.add_argument_group("what is published")
    flags.add_sink(what, "SQLAlchemy URL of the ingest's database")
    what.add_argument(
        "--table", metavar="NAME", help="only changes to this table (default: to all tables)"
    )
    where = parser.add_argument_group("where it is published")
    where.add_argument(
        "--to", required=True, metavar="URI", help="kafka://host:port[,host:port]/topic"
    )
    flags.add_kafka_config(where)
    how = parser.add_argument_group("how it is published")
    how.add_argument(
        "--streaming",
        action="store_true",
        help="go on forever (default: end when all is published)",
    )
    how.add_argument(
        "--splits",
        type=flags.positive_int,
        metavar="N",
        help="publish in this many parts side by side, by key, at most 64 (default: "
        "4 where the runner has several workers, otherwise 1)",
    )
    how.add_argument(
        "--lease",
        type=flags.seconds(at_least=1),
        default=20.0,
        metavar="S",
        help="take over the part of a publisher that has been silent for this many seconds "
        "(default: 20)",
    )
    how.add_argument(
        "--retain", metavar="TIME", help="delete what was published 12h or 7d ago (default: keep)"
    )
    flags.add_outage_budget(how)
    run = parser.add_argument_group("the run")
    flags.add_runner(run)
    flags.add_output(run)
    return parser


def main(argv: Sequence[str]) -> int:
    """Publish; returns the exit code (0 done, 1 failed or stopped, 2 usage)."""
    options, rest = parser().parse_known_args(list(argv))
    with command.importing():
        import_beam(rest)
        from pipelines.operation.publish import publish

    return publish(options, rest, parser())


if __name__ == "__main__":
    sys.exit(command.run("outbox", main, None))
