"""The verdicts of the audit on each partition, and how they are printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from pipelines import command
from pipelines.terminal import shown
from sinks.database.database import Database
from sinks.database.migrations import version
from sinks.database.tables import jobs as jobs_table
from sinks.jobs import store as jobs
from sinks.ledger.accounts import Account, accounts
from sinks.ledger.ledger import PartitionProgress
from sources.ownership import owned_by
from transforms.batch.counts import OUTCOMES, Counts

SHOWN = 50
"""How many partitions the table lists one by one; `--json` lists all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the audit for one partition.

    Attributes:
        account: The counts of the ledger, and the jobs that exist.
        ok: Whether there is no gap, each record that was read has an outcome, each dead letter
            and retry that the ledger counts exists as a job, and the tables' counts add up.
    """

    account: Account
    ok: bool

    @classmethod
    def of(cls, account: Account) -> Verdict:
        """Judge one partition."""
        progress = account.progress
        whole = not progress.coverage.holes and progress.counts.conserved
        return cls(account, whole and account.balanced and account.added_up)

    @property
    def progress(self) -> PartitionProgress:
        """Ranges and counts of the ledger."""
        return self.account.progress

    def as_json(self) -> dict[str, Any]:
        """One object of the list that ``--json`` prints."""
        coverage = self.progress.coverage
        return {
            "pipeline": self.progress.pipeline,
            "target": ", ".join(sorted(self.account.tables)),
            "source": self.progress.source,
            "partition": self.progress.partition,
            "ranges": [list(bounds) for bounds in coverage.ranges],
            "gaps": [list(bounds) for bounds in coverage.holes],
            "end": coverage.end,
            "complete": coverage.complete,
            **dict(self.progress.counts),
            "conserved": self.progress.counts.conserved,
            "tables": {
                table: dict(counts) for table, counts in sorted(self.account.tables.items())
            },
            "jobs": {"retrying": self.account.retrying, "dead": self.account.dead},
            "purged": self.account.purged,
            "ok": self.ok,
        }


def verdicts(sink: str, source: str | None) -> Iterator[Verdict]:
    """The verdicts on all partitions, ordered by pipeline, source and partition.

    Raises:
        ConfigError: ``sink`` or ``source`` is not a URL that this program can read, or the tables
            have another version than this program.
        SinkUnavailable: The database cannot be reached.
    """
    owned = None if source is None else owned_by(source)
    database = Database(sink)
    version.require(database)
    for account in accounts(database):
        if owned is None or owned(account.progress.source):
            yield Verdict.of(account)


def print_json(flags: Any) -> int:
    """Print every partition as an object of one list; returns how many are not ok."""
    failed = 0
    separator = "["
    for verdict in verdicts(flags.sink, flags.source):
        print(f"{separator}\n{json.dumps(verdict.as_json())}", end="")
        separator = ","
        failed += not verdict.ok
    print("\n]" if separator == "," else "[]")
    return failed


def print_table(flags: Any) -> int:
    """Print a table of the first partitions and the sums of all; returns how many are not ok."""
    table = Table(
        "pipeline", "source", "partition", "settled", "read", "rows", "dup", "dead", "", box=None
    )
    totals = Counts()
    partitions = failed = unfinished = 0
    for verdict in verdicts(flags.sink, flags.source):
        partitions += 1
        failed += not verdict.ok
        totals += verdict.progress.counts
        unfinished += verdict.progress.coverage.end is None
        if partitions <= SHOWN or not verdict.ok:
            table.add_row(*_cells(verdict))
    console = command.console()
    if not partitions:
        console.print("the ledger is empty: nothing has been settled")
        return 0
    console.print(table)
    if partitions > SHOWN:
        console.print(f"… {partitions - SHOWN:,} more (--json lists all)")
    sums = " + ".join(f"{number:,} {name}" for name, number in totals if name in OUTCOMES)
    console.print(f"{totals.read:,} read = {sums}", highlight=False)
    stored = sum(jobs.count_jobs(Database(flags.sink), by=("state",)).values())
    console.print(f"{stored:,} rows in {jobs_table.name}", highlight=False)
    console.print(
        f"{partitions:,} partitions, {unfinished:,} still open, "
        + ("no gap, every record accounted for" if not failed else f"{failed:,} NOT OK"),
        highlight=False,
    )
    return failed


def _cells(verdict: Verdict) -> list[Text]:
    progress = verdict.progress
    coverage, counts = progress.coverage, progress.counts
    settled = " ".join(f"{low}–{high}" for low, high in coverage.ranges[:5])
    if len(coverage.ranges) > 5:
        settled += " …"
    state = "complete" if coverage.complete else "open"
    if not verdict.account.added_up:
        state = "TABLES DO NOT ADD UP"
    if not verdict.account.balanced:
        state = "JOBS DO NOT MATCH"
    if not counts.conserved:
        state = "DOES NOT ADD UP"
    if coverage.holes:
        state = "GAPS"
    rows = counts.inserted + counts.updated
    cells = [
        progress.pipeline,
        progress.source,
        progress.partition,
        settled,
        *(f"{number:,}" for number in (counts.read, rows, counts.duplicates, counts.dead)),
        state,
    ]
    return list(map(shown, cells))
