"""Prove from the database that nothing was lost: coverage, gaps, the sums, and the jobs.

    python -m pipelines.audit --sink postgresql://user@host/db [--source URI] [--json]

A partition is one version of an object, or one partition of a topic. Exit 0 when every one
is covered without a gap, adds up, and has its failed records as jobs; 1 otherwise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from pipelines import command
from sinks.database.database import Database
from sinks.database.tables import jobs as jobs_table
from sinks.jobs import store as jobs
from sinks.ledger.accounts import Account, accounts
from sinks.ledger.ledger import PartitionProgress
from sources.by_uri import source_for
from transforms.batch.counts import OUTCOMES, Counts

SHOWN = 50
"""Partitions listed one by one; `--json` lists all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit says of one partition.

    Attributes:
        account: What the ledger has, and which jobs there are.
        ok: No gap, every record that was read became something, and those that the ledger
            counts as retrying are there as jobs.
    """

    account: Account
    ok: bool

    @classmethod
    def of(cls, account: Account) -> Verdict:
        """Judge one partition."""
        progress = account.progress
        whole = not progress.coverage.holes and progress.counts.conserved
        return cls(account, whole and account.balanced)

    @property
    def progress(self) -> PartitionProgress:
        """What the ledger has."""
        return self.account.progress

    def as_json(self) -> dict[str, Any]:
        """One object of the list that ``--json`` prints."""
        coverage = self.progress.coverage
        return {
            "target": self.progress.target,
            "source": self.progress.source,
            "partition": self.progress.partition,
            "ranges": [list(each) for each in coverage.ranges],
            "gaps": [list(each) for each in coverage.holes],
            "end": coverage.end,
            "complete": coverage.complete,
            **dict(self.progress.counts),
            "conserved": self.progress.counts.conserved,
            "jobs": {"retrying": self.account.retrying, "dead": self.account.dead},
            "ok": self.ok,
        }


def parser() -> command.Parser:
    """The flags of ``pipelines.audit``."""
    made = command.Parser(prog="python -m pipelines.audit", description=__doc__)
    made.add_argument("--sink", required=True, metavar="URL", help="SQLAlchemy URL")
    made.add_argument("--source", metavar="URI", help="only what this URI or glob matches")
    made.add_argument("--json", action="store_true", help="print a list of objects")
    made.add_argument("--verbose", action="store_true", help="logs, and the stack of an error")
    return made


def verdicts(sink: str, source: str | None) -> Iterator[Verdict]:
    """The verdict on every partition, ordered by target, source and partition.

    Raises:
        ConfigError: ``sink`` or ``source`` is no URL that is known.
        SinkUnavailable: The database cannot be reached.
    """
    of = None if source is None else source_for(source)
    for account in accounts(Database(sink)):
        if of is None or of.owns(account.progress.source):
            yield Verdict.of(account)


def main(argv: Sequence[str]) -> int:
    """Print the audit; returns the exit code."""
    given = parser().parse_args(list(argv))
    failed = _print_json(given) if given.json else _print_table(given)
    return command.FAILED if failed else command.OK


def _print_json(given: Any) -> int:
    """Print every partition as an object of one list; returns how many are not ok."""
    failed = 0
    separator = "["
    for verdict in verdicts(given.sink, given.source):
        print(f"{separator}\n{json.dumps(verdict.as_json())}", end="")
        separator = ","
        failed += not verdict.ok
    print("\n]" if separator == "," else "[]")
    return failed


def _print_table(given: Any) -> int:
    """Print a table of the first partitions and the sums of all; returns how many are not ok."""
    table = Table("source", "partition", "settled", "read", "rows", "dup", "dead", "", box=None)
    totals = Counts()
    seen = failed = unfinished = 0
    for verdict in verdicts(given.sink, given.source):
        seen += 1
        failed += not verdict.ok
        totals += verdict.progress.counts
        unfinished += verdict.progress.coverage.end is None
        if seen <= SHOWN or not verdict.ok:
            table.add_row(*_cells(verdict))
    console = command.console()
    if not seen:
        console.print("the ledger is empty: nothing has been settled")
        return 0
    console.print(table)
    if seen > SHOWN:
        console.print(f"… {seen - SHOWN:,} more (--json lists all)")
    sums = " + ".join(f"{number:,} {name}" for name, number in totals if name in OUTCOMES)
    console.print(f"{totals.read:,} read = {sums}", highlight=False)
    stored = sum(jobs.count_jobs(Database(given.sink), by=("state",)).values())
    console.print(f"{stored:,} rows in {jobs_table.name}", highlight=False)
    console.print(
        f"{seen:,} partitions, {unfinished:,} still open, "
        + ("no gap, every record accounted for" if not failed else f"{failed:,} NOT OK"),
        highlight=False,
    )
    return failed


def _cells(verdict: Verdict) -> list[str]:
    progress = verdict.progress
    coverage, counts = progress.coverage, progress.counts
    settled = " ".join(f"{low}–{high}" for low, high in coverage.ranges[:5])
    if len(coverage.ranges) > 5:
        settled += " …"
    state = "complete" if coverage.complete else "open"
    if not verdict.account.balanced:
        state = "JOBS DO NOT MATCH"
    if not counts.conserved:
        state = "DOES NOT ADD UP"
    if coverage.holes:
        state = "GAPS"
    rows = counts.inserted + counts.updated
    return [
        progress.source,
        progress.partition,
        settled,
        *(f"{number:,}" for number in (counts.read, rows, counts.duplicates, counts.dead)),
        state,
    ]


if __name__ == "__main__":
    sys.exit(command.run("audit", main, None))
