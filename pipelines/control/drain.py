"""Let a pipeline, or one of its sources, settle what it has read, and then read nothing more until it is resumed.

python -m pipelines.control.drain --sink URL --pipeline NAME --reason TEXT [--source URI]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.control import request

_DESCRIPTION = """\
Let a pipeline, or one of its sources, settle what it has read, and then read nothing more until it is resumed.

Failed records are tried again as they become due. A stream waits; a run without --streaming ends with exit
code 5. A drain lasts across restarts."""


def parser() -> command.Parser:
    """The flags of ``pipelines.control.drain``."""
    return request.parser_of(
        "drain", _DESCRIPTION, "--pipeline orders --reason 'before the upgrade'"
    )


def main(argv: Sequence[str]) -> int:
    """Drain; returns the exit code."""
    return request.main_of("drain", parser, argv)


if __name__ == "__main__":
    sys.exit(command.run("drain", main, None))
