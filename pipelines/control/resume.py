"""Let a pipeline, or one of its sources, go on after a pause or a drain.

python -m pipelines.control.resume --sink URL --pipeline NAME [--source URI]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.control import request

_DESCRIPTION = """\
Let a pipeline, or one of its sources, go on after a pause or a drain.

It goes on where the ledger says; nothing is lost or read twice. Sources that were paused by themselves stay
paused. What --max_dead counts begins anew."""


def parser() -> command.Parser:
    """The flags of ``pipelines.control.resume``."""
    return request.parser_of("resume", _DESCRIPTION, "--pipeline orders", reasoned=False)


def main(argv: Sequence[str]) -> int:
    """Resume; returns the exit code."""
    return request.main_of("resume", parser, argv)


if __name__ == "__main__":
    sys.exit(command.run("resume", main, None))
