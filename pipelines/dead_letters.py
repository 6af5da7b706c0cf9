"""List, replay, cancel or purge the records that could not be written.

python -m pipelines.dead_letters list   --sink URL [filters] [--json]
python -m pipelines.dead_letters show   --sink URL --id N [--json]
python -m pipelines.dead_letters stats  --sink URL [filters] [--json]
python -m pipelines.dead_letters groups --sink URL [filters] [--json]
python -m pipelines.dead_letters replay --sink URL --reason TEXT [filters] [--dry_run]
python -m pipelines.dead_letters cancel --sink URL --reason TEXT [filters] [--dry_run]
python -m pipelines.dead_letters purge  --sink URL --reason TEXT [filters] [--dry_run]
python -m pipelines.dead_letters adopt  --sink URL --reason TEXT --pipeline NAME --steps A,B [filters]
python -m pipelines.dead_letters prune  --sink URL --retain STATE=DURATION [--dry_run]
python -m pipelines.dead_letters edit   --sink URL --reason TEXT --id N --file FILE [--replay]
python -m pipelines.dead_letters orders --sink URL [--work] [--cancel N --reason TEXT]
python -m pipelines.dead_letters audit  --sink URL [--json]

Every change leaves a row in ``ingest_audit``, in the same transaction.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.operation.dead_letter_options import parser


def main(argv: Sequence[str]) -> int:
    """Carry out one action; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.operation.dead_letter_actions import carry_out

    return carry_out(flags)


if __name__ == "__main__":
    sys.exit(command.run("dead_letters", main, None))
