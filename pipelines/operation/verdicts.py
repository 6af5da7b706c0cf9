"""The verdicts of the audit on each partition, and how they are printed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import command
from pipelines.operation.object_verdicts import ObjectVerdict
from pipelines.terminal import shown
from sinks.database.database import Database
from sinks.database.migrations import version
from sinks.database.tables import jobs as jobs_table
from sinks.jobs import store as jobs
from sinks.ledger.accounts import Account, Stored, accounts
from sinks.ledger.ledger import PartitionProgress
from sources.ownership import owned_by
from transforms.batch.counts import OUTCOMES, Counts
from transforms.errors import ConfigError

_RANGES = 5

SHOWN = 50
"""How many partitions the table lists one by one; `--json` lists all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the audit for one partition.

    Attributes:
        account: The counts of the ledger, and the jobs that exist.
        ok: Whether there is no gap, each record that was read has an outcome, each dead letter
            and retry that the ledger counts exists as a job, and the same holds for each table,
            whose counts add up to those of the ledger.
    """

    account: Account
    ok: bool

    @classmethod
    def of(cls, account: Account) -> Verdict:
        """Judge one partition."""
        progress = account.progress
        whole = not progress.coverage.holes and progress.counts.conserved
        tables = account.added_up and not account.faulty_tables
        return cls(account, whole and account.balanced and tables)

    @property
    def complaint(self) -> str:
        """What is wrong, with the figures; empty if nothing is."""
        progress, account = self.progress, self.account
        counts = progress.counts
        complaints = []
        if progress.coverage.holes:
            holes = progress.coverage.holes
            gaps = ", ".join(f"{low:,}–{high:,}" for low, high in holes[:_RANGES])
            complaints.append(
                f"not settled: {gaps}" + (" and more" if len(holes) > _RANGES else "")
            )
        if not counts.conserved:
            complaints.append(_not_conserved(counts))
        if not account.balanced:
            whole = Stored(account.retrying, account.dead, account.purged)
            complaints.append(f"the ledger {_not_balanced(counts, whole)}")
        if not account.added_up:
            complaints.append("the counts of its tables do not add up to those of the ledger")
        if len(account.tables) > 1:  # the counts of one are those of the ledger
            complaints += map(self._complaint_of, account.faulty_tables)
        return "; ".join(complaints)

    def _complaint_of(self, table: str) -> str:
        counts = self.account.tables[table]
        if not counts.conserved:
            return f"table {table}: {_not_conserved(counts)}"
        return f"table {table} {_not_balanced(counts, self.account.stored.get(table, Stored()))}"

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
            "faulty_tables": self.account.faulty_tables,
            "purged": self.account.purged,
            "ok": self.ok,
        }


def _not_conserved(counts: Counts) -> str:
    return f"{counts.read:,} read{_expanded(counts)}, but {_sums(counts)}"


def _not_balanced(counts: Counts, stored: Stored) -> str:
    return (
        f"has {counts.dead:,} dead and {counts.retrying:,} retrying, but there are {stored.dead:,} "
        f"jobs that are dead, {stored.purged:,} that were purged, and {stored.retrying:,} that wait"
    )


def _sums(counts: Counts) -> str:
    return " + ".join(f"{number:,} {name}" for name, number in counts if name in OUTCOMES)


def _expanded(counts: Counts) -> str:
    return f" + {counts.expanded:,} expanded" if counts.expanded else ""


def verdicts(sink: str, source: str | None) -> Iterator[Verdict]:
    """The verdicts on all partitions, ordered by pipeline, source and partition.

    Raises:
        ConfigError: ``sink`` or ``source`` is not a URL that this program can read, the ledger has
            other sources only, or the tables have another version than this program.
        SinkUnavailable: The database cannot be reached.
    """
    owned = None if source is None else owned_by(source)
    database = Database(sink)
    version.require(database)
    others = matching = 0
    for account in accounts(database):
        if owned is None or owned(account.progress.source):
            matching += 1
            yield Verdict.of(account)
        else:
            others += 1
    if others and not matching:
        raise ConfigError(
            f"the ledger has nothing of --source {source}; without --source, the audit lists all "
            "that is settled"
        )


def print_json(flags: Any, more: Iterable[ObjectVerdict] = ()) -> int:
    """Print every partition, and ``more``, as objects of one list; returns how many are not ok."""
    failed = 0
    separator = "["
    listed: Iterator[Verdict | ObjectVerdict] = chain(verdicts(flags.sink, flags.source), more)
    for verdict in listed:
        print(f"{separator}\n{json.dumps(verdict.as_json())}", end="")
        separator = ","
        failed += not verdict.ok
    print("\n]" if separator == "," else "[]")
    return failed


def print_table(flags: Any) -> int:
    """Print a table of the first partitions and the sums of all; returns how many are not ok."""
    shown_verdicts: list[Verdict] = []
    totals = Counts()
    tables: dict[str, dict[str, Counts]] = defaultdict(dict)
    partitions = failed = unfinished = 0
    for verdict in verdicts(flags.sink, flags.source):
        partitions += 1
        failed += not verdict.ok
        totals += verdict.progress.counts
        of_pipeline = tables[verdict.progress.pipeline]
        for table, counts in verdict.account.tables.items():
            of_pipeline[table] = of_pipeline.get(table, Counts()) + counts
        unfinished += verdict.progress.coverage.end is None
        if partitions <= SHOWN or not verdict.ok:
            shown_verdicts.append(verdict)
    console = command.console()
    if not partitions:
        console.print("the ledger is empty: nothing has been settled")
        return 0
    command.print_whole(console, _table(shown_verdicts))
    if partitions > SHOWN:
        console.print(f"… {partitions - SHOWN:,} more (--json lists all)")
    console.print(f"{totals.read:,} read{_expanded(totals)} = {_sums(totals)}", highlight=False)
    _print_tables(console, {name: each for name, each in tables.items() if len(each) > 1})
    stored = sum(jobs.count_jobs(Database(flags.sink), by=("state",)).values())
    console.print(f"{stored:,} rows in {jobs_table.name}", highlight=False)
    console.print(
        f"{partitions:,} partitions, {unfinished:,} still open, "
        + ("no gap, every record accounted for" if not failed else f"{failed:,} NOT OK"),
        highlight=False,
    )
    for verdict in shown_verdicts:
        if not verdict.ok:
            progress = verdict.progress
            place = f"{progress.pipeline}: {progress.source} ({progress.partition})"
            console.print(shown(f"{place}: {verdict.complaint}"), soft_wrap=True)
    return failed


def _print_tables(console: Console, of_pipelines: Mapping[str, Mapping[str, Counts]]) -> None:
    """A line for each table of the pipelines that have several."""
    several = len(of_pipelines) > 1
    for pipeline, tables in sorted(of_pipelines.items()):
        before = f"  {pipeline}, " if several else "  "
        for table, counts in sorted(tables.items()):
            line = f"{before}{table}: {counts.read:,} read{_expanded(counts)} = {_sums(counts)}"
            console.print(shown(line), soft_wrap=True)


def _table(listed: list[Verdict]) -> Table:
    """A line for each verdict; the table where it has not the pipeline's name."""
    named = any(list(one.account.tables) not in ([], [one.progress.pipeline]) for one in listed)
    heading = ("pipeline", *(("table",) if named else ()), "source", "partition", "settled")
    table = Table(*heading, "read", "rows", "dup", "dead", "", box=None)
    for verdict in listed:
        table.add_row(*_cells(verdict, named=named))
    return table


def _cells(verdict: Verdict, *, named: bool) -> list[Text]:
    progress = verdict.progress
    coverage, counts = progress.coverage, progress.counts
    settled = " ".join(f"{low}–{high}" for low, high in coverage.ranges[:_RANGES])
    if len(coverage.ranges) > _RANGES:
        settled += " …"
    state = "complete" if coverage.complete else "open"
    if not verdict.account.added_up or verdict.account.faulty_tables:
        state = "TABLES DO NOT ADD UP"
    if not verdict.account.balanced:
        state = "JOBS DO NOT MATCH"
    if not counts.conserved:
        state = "DOES NOT ADD UP"
    if coverage.holes:
        state = "GAPS"
    rows = counts.inserted + counts.updated + counts.deleted
    cells = [
        progress.pipeline,
        *([", ".join(sorted(verdict.account.tables))] if named else []),
        progress.source,
        progress.partition,
        settled,
        *(f"{number:,}" for number in (counts.read, rows, counts.duplicates, counts.dead)),
        state,
    ]
    return list(map(shown, cells))
