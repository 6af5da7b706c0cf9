"""Try the pipeline of a file on a sample, and take back all that it writes.

    python -m pipelines.planning.command orders.yaml [--sample 1000] [--call_steps] [--json]

Exit 0, or 3 with ``--fail_on_dead_letters`` if a record would be a dead letter.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_verbose, positive_int
from pipelines.pipeline_file.layer_flags import add_layers
from runners.beam.imports import import_beam

MOST_RECORDS = 100_000

_DESCRIPTION = """\
Try the pipeline of a file: read a sample, map and check it, write it as a run would, and take all of it
back. It says what would be inserted, updated, refused and created, and what cannot be taken back.

PostgreSQL and SQLite; with another database, or with objects, it stops before the write and says so."""

_EXAMPLES = """\
examples:
  %(prog)s orders.yaml
  %(prog)s orders.yaml --env prod --sample 10000
  %(prog)s orders.yaml --call_steps --from_start --json"""

_EXITS = {
    command.OK: "the plan is printed",
    command.DEAD_LETTERS: "with --fail_on_dead_letters: records of the sample would be dead letters",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``sluice plan``."""
    parser = command.Parser(
        prog="python -m pipelines.planning.command",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits=_EXITS,
    )
    asked = parser.add_argument_group("what is tried")
    asked.add_argument("file", metavar="FILE", help="a pipeline file (docs/pipeline-file.md)")
    add_layers(asked)
    asked.add_argument(
        "--sample",
        type=_records,
        default=1_000,
        metavar="N",
        help=f"how many records are read, at most {MOST_RECORDS:,} (default: 1,000); 64 MiB and 30 s "
        "bound them too",
    )
    asked.add_argument(
        "--from_start",
        action="store_true",
        help="read from the start, whatever is settled already (default: what a run would read)",
    )
    asked.add_argument(
        "--call_steps",
        action="store_true",
        help="call your own steps: what they do elsewhere cannot be taken back (default: records pass "
        "them unchanged)",
    )
    printed = parser.add_argument_group("what is printed")
    printed.add_argument("--json", action="store_true", help="one object")
    printed.add_argument(
        "--fail_on_dead_letters",
        action="store_true",
        help="exit with 3 if some records would be dead letters",
    )
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Try the pipeline; returns the exit code."""
    flags = parser().parse_args(list(argv))
    from pipelines.pipeline_file.loading import load

    file = load(flags.file, flags.env, flags.set)
    with command.importing():
        import_beam(file.runner_flags)
        from pipelines.planning import report
        from pipelines.planning.plan import Asked, plan

    config, _ = file.configs()
    result = plan(config, Asked(flags.sample, flags.call_steps, flags.from_start))
    report.show(result, as_json=flags.json)
    command.check_printed()
    return command.DEAD_LETTERS if flags.fail_on_dead_letters and result.dead else command.OK


def _records(text: str) -> int:
    number = positive_int(text)
    if number > MOST_RECORDS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_RECORDS:,}, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(command.run("plan", main, None))
