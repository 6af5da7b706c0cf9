"""Show the runs of pipelines: which go on, which have ended and how, and which are lost.

python -m pipelines.runs list --sink URL [--pipeline NAME] [--limit N] [--json]
python -m pipelines.runs show --sink URL --run ID [--json]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_sink, add_verbose, positive_int

_DESCRIPTION = """\
Show the runs of pipelines: which go on, which have ended and how, and which are lost.

A run is lost when no end of it was noted and none of its processes has been heard for a minute.
That also shows for a job that was submitted to a cluster with --detach, once it has ended, unless
`sluice flink stop` or `cancel` has noted its end (--sink)."""

_EXAMPLES = """\
examples:
  %(prog)s list --sink sqlite:///ingest.db
  %(prog)s show --sink postgresql://user@host/db --run 3f2a"""


def parser() -> command.Parser:
    """The flags of ``pipelines.runs``."""
    parser = command.Parser(
        prog="python -m pipelines.runs", description=_DESCRIPTION, epilog=_EXAMPLES, exits={}
    )
    actions = parser.add_subparsers(
        dest="action", required=True, title="actions", metavar="list|show"
    )
    listing = actions.add_parser(
        "list", help="list runs, the newest first", description="list runs, the newest first"
    )
    asked = listing.add_argument_group("what is asked")
    add_sink(asked)
    asked.add_argument("--pipeline", metavar="NAME", help="only of this pipeline (default: all)")
    asked.add_argument(
        "--limit", type=positive_int, default=20, metavar="N", help="at most N runs (default: 20)"
    )
    text = "show one run in full: its options, its processes, what each has settled"
    showing = actions.add_parser("show", help=text, description=text)
    asked = showing.add_argument_group("what is asked")
    add_sink(asked)
    asked.add_argument("--run", required=True, metavar="ID", help="the run's id, or how it begins")
    for action in (listing, showing):
        printed = action.add_argument_group("what is printed")
        printed.add_argument("--json", action="store_true", help="JSON instead of a table")
        add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Print runs; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.operation import run_output
        from sinks.database.database import Database
        from sinks.database.migrations import version
        from sinks.runs import history

    database = Database(flags.sink)
    version.require(database)
    if flags.action == "list":
        run_output.print_list(history.list_runs(database, flags.pipeline, flags.limit), flags.json)
    else:
        run_output.print_one(history.run_called(database, flags.run), flags.json)
    command.check_printed()
    return command.OK


if __name__ == "__main__":
    sys.exit(command.run("runs", main, None))
