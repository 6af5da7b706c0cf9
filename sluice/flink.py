"""``sluice flink``: the jobs of a Flink cluster, and the runs that end with them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from pipelines import command
from pipelines.flags import add_verbose, database_url
from runners.flink import jobs
from runners.parser import Parser

_PROGRAM = "python -m sluice.flink"


def parser() -> Parser:
    """The options of ``runners.flink``, and ``--sink``."""
    parser = jobs.parser(partial(command.Parser, exits={}), _PROGRAM)
    noted = parser.add_argument_group("what is noted")
    noted.add_argument(
        "--sink",
        type=database_url,
        metavar="URL",
        help="the database of the job's run: stop and cancel note there that it was stopped; otherwise "
        "a run that was submitted with --detach is shown as lost (default: nothing is noted)",
    )
    add_verbose(noted)
    return parser


def main(argv: Sequence[str]) -> int:
    """Do what the command line says; 0 done, 1 failed."""
    arguments = parser().parse_args(list(argv))
    if arguments.action == "status":
        code = jobs.carry_out(arguments)
        command.check_printed()
        return code
    if arguments.sink is None:
        return jobs.carry_out(arguments)
    with command.importing():
        from pipelines.operation.ended_jobs import noting
    return jobs.carry_out(arguments, noting(arguments.sink, "flink"))


if __name__ == "__main__":
    sys.exit(command.run("flink", main, None))
