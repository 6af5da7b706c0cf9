"""Propose a pipeline file for a source, from a sample of its records.

    python -m pipelines.proposal.init ./orders.csv [--sink URL] [--table NAME] [--output FILE]

Nothing is written but the file: no database is asked, and no consumer group hears of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_verbose, database_url, whole
from pipelines.proposal.how_read import add_how_read

MOST_RECORDS = 100_000

_DESCRIPTION = """\
Propose a pipeline file for a source, from a sample of its records: how they are read, a table with a
type for each column, a key. Each line of the file says what the sample has for it.

Nothing is written but the file: no database is asked, and no consumer group hears of it."""

_EXAMPLES = """\
examples:
  %(prog)s ./orders.csv
  %(prog)s 's3://bucket/2026/*.jsonl.gz' --sink 'postgresql://user:${env:PGPASSWORD}@host/db' --table events
  %(prog)s kafka://localhost:9092/orders --output orders.pipeline.yaml
  %(prog)s ./old.csv --encoding cp1252 --csv_delimiter ';' --output -"""


def _records(text: str) -> int:
    number = whole(at_least=1)(text)
    if number > MOST_RECORDS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_RECORDS:,}, got {text!r}")
    return number


def parser() -> command.Parser:
    """The flags of ``pipelines.proposal.init``."""
    parser = command.Parser(
        prog="python -m pipelines.proposal.init",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits={},
    )
    group = parser.add_argument_group("what is read")
    group.add_argument(
        "source",
        metavar="SOURCE",
        help="./events/*.jsonl, file:///…, s3://bucket/prefix/*.jsonl.gz, kafka://host:port/topic",
    )
    group.add_argument(
        "--sample",
        type=_records,
        default=10_000,
        metavar="N",
        help="read at most so many records, and at most 64 MiB or 30 seconds "
        f"(default: 10000; at most {MOST_RECORDS})",
    )
    written = parser.add_argument_group("what is proposed")
    written.add_argument(
        "--sink",
        type=database_url,
        metavar="URL",
        help="the database (default: sqlite:///, with the name of the table)",
    )
    written.add_argument(
        "--table", metavar="NAME", help="the table (default: named after the source)"
    )
    written.add_argument(
        "--output",
        metavar="FILE",
        help="where to write the proposal; - prints it (default: the name of the table, with .yaml)",
    )
    written.add_argument(
        "--schema_file",
        metavar="FILE",
        help="write the JSON Schema to this file (default: into the pipeline file)",
    )
    add_how_read(parser)
    add_verbose(parser.add_argument_group("what is logged"))
    return parser


def main(argv: Sequence[str]) -> int:
    """Read the sample and write the proposal; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.proposal import proposing

    proposing.propose(flags)
    command.check_printed()
    return command.OK


if __name__ == "__main__":
    sys.exit(command.run("init", main, None))
