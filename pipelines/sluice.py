"""The command ``sluice``: every program of ``pipelines`` under one name.

sluice ingest --source './events/*.jsonl' --sink sqlite:///ingest.db --table events --key id
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "ingest": "pipelines.ingest",
    "audit": "pipelines.audit",
    "dead-letters": "pipelines.dead_letters",
    "outbox": "pipelines.outbox",
    "flink": "runners.flink.jobs",
}
"""The module of each command; a command is imported only when it is called."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        print(f"sluice: name one command of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    from pipelines import command

    module = import_module(COMMANDS[name])
    return command.run(name, module.main, arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
