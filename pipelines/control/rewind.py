"""Forget offsets of a pipeline that is paused or stopped, so that they are read again.

python -m pipelines.control.rewind --sink URL --pipeline NAME --source URI --from_offset N
    [--partition NAME] [--to_offset N] [--yes --reason TEXT]

Without ``--yes``, it only says what would be forgotten.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_kafka_config, add_reason, add_sink, add_verbose

_DESCRIPTION = """\
Forget offsets of a pipeline that is paused or stopped, so that they are read again.

Without --yes, it only says what would be forgotten. With it, the ledger forgets these offsets, and their
failed records are removed, in one transaction. Reading goes on there once the pipeline is resumed or
started, whatever a savepoint says. What is read again counts as read again; rows stay as they are until
then."""

_EXAMPLES = """\
examples:
  %(prog)s --sink postgresql://user@host/db --pipeline orders --source kafka://orders \\
      --partition 3 --from_offset 1200000
  %(prog)s --sink postgresql://user@host/db --pipeline orders --source kafka://orders \\
      --partition 3 --from_offset 1200000 --yes --reason 'the step had the wrong rate'
  %(prog)s --sink sqlite:///ingest.db --pipeline events --source ./in/a.csv --from_offset 0"""

_LARGEST = 2**63 - 1


def parser() -> command.Parser:
    """The flags of ``pipelines.control.rewind``."""
    parser = command.Parser(
        prog="python -m pipelines.control.rewind",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits={},
    )
    which = parser.add_argument_group("what is forgotten")
    add_sink(which)
    add = which.add_argument
    add(
        "--pipeline",
        required=True,
        metavar="NAME",
        help="whose ledger, as `sluice audit` shows it: --pipeline of the ingest, otherwise its table",
    )
    add(
        "--source",
        required=True,
        metavar="URI",
        help="of this source: as the ingest has it, or as `sluice audit` shows it; a kafka:// URI with its "
        "brokers also says what the topic still has",
    )
    add(
        "--partition",
        action="append",
        default=[],
        metavar="NAME",
        help="of this partition: of a topic its number, otherwise as `sluice audit` shows it; may be "
        "repeated (default: all, with --from_offset 0 or if there is only one)",
    )
    add(
        "--from_offset",
        required=True,
        type=_offset,
        metavar="N",
        help="the first offset that is forgotten; of a file or an object 0, which is read again as a whole",
    )
    add(
        "--to_offset",
        type=_offset,
        metavar="N",
        help="forget what lies before this offset only, which needs an ingest with --on_conflict ignore or "
        "newest (default: all that follows)",
    )
    add(
        "--on_conflict",
        metavar="MODE",
        help="how the pipeline writes: ignore, update or newest:FIELD, for --to_offset and for files that "
        "have grown (default: as the options of its last run say, which those with --routes do not)",
    )
    add_kafka_config(which)
    done = parser.add_argument_group("what is done")
    done.add_argument(
        "--yes",
        action="store_true",
        help="forget it, which needs --reason (default: only say what would be forgotten)",
    )
    add_reason(done, "why, for the audit trail; needed with --yes")
    printed = parser.add_argument_group("what is printed")
    printed.add_argument("--json", action="store_true", help="one object, in a list")
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Say what would be forgotten, or forget it; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.control import rewinding

    return rewinding.carry_out(flags)


def _offset(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not 0 <= number <= _LARGEST:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(command.run("rewind", main, None))
