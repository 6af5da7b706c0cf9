"""Limit how fast a pipeline, or one of its sources, is read.

python -m pipelines.control.rate --sink URL --pipeline NAME --max_rate N --reason TEXT
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.control import request
from pipelines.flags import rate, size

_DESCRIPTION = """\
Limit how fast a pipeline, or one of its sources, is read.

The limit is of all processes of the pipeline together, and of its due retries. It takes the place of --max_rate
and --max_bytes_rate of the ingest; those of a source hold besides. It lasts across restarts."""


def parser() -> command.Parser:
    """The flags of ``pipelines.control.rate``."""
    example = "--pipeline orders --max_rate 500 --reason 'month end'"
    parser = request.parser_of("rate", _DESCRIPTION, example)
    limits = parser.add_argument_group("the limit")
    limits.add_argument(
        "--max_rate", type=rate, metavar="RATE", help="records per second (default: as it is)"
    )
    limits.add_argument(
        "--max_bytes_rate",
        type=size,
        metavar="SIZE",
        help="bytes of records per second, e.g. 10MB (default: as it is)",
    )
    limits.add_argument(
        "--no_limit",
        action="store_true",
        help="forget the limits of this command; those of the ingest count again",
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Limit the rate; returns the exit code."""
    return request.main_of("rate", parser, argv)


if __name__ == "__main__":
    sys.exit(command.run("rate", main, None))
