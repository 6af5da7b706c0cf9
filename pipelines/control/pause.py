"""Let a pipeline, or one of its sources, read nothing more until it is resumed.

python -m pipelines.control.pause --sink URL --pipeline NAME --reason TEXT [--source URI]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.control import request

_DESCRIPTION = """\
Let a pipeline, or one of its sources, read nothing more until it is resumed.

Its processes see it within about two seconds. What they have written to the database by then is settled;
the rest is read later. A paused pipeline tries no failed records again either. A stream waits; a run
without --streaming ends with exit code 5. A pause lasts across restarts."""


def parser() -> command.Parser:
    """The flags of ``pipelines.control.pause``."""
    return request.parser_of("pause", _DESCRIPTION, "--pipeline orders --reason 'the disk is full'")


def main(argv: Sequence[str]) -> int:
    """Pause; returns the exit code."""
    return request.main_of("pause", parser, argv)


if __name__ == "__main__":
    sys.exit(command.run("pause", main, None))
