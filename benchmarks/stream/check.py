"""Compare a database with the log of a producer: every offset must be accounted for once.

What must be there follows from the log alone (``records.outcome``): the rows and their content, the
dead letters and their categories. Only then are the ledger's sums and ``pipelines.audit`` compared
with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.kafka.checks import Offsets, audited, partition_of
from benchmarks.stream.feed import Produced, produced
from benchmarks.stream.records import (
    COLUMNS,
    DEAD,
    GOOD,
    LATE,
    NEVER,
    Outcome,
    Record,
    Row,
    outcome,
)

SHOWN = 20

LOST = "the process that ran it is gone"
"""How the error of an attempt begins that ended with its process."""

OPEN_SECONDS = 15.0
"""A transaction that has written a row may be open for this long, and nobody sees the row meanwhile."""

APPLIED = """
CREATE TABLE applied (n bigint, id text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION note_applied() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO applied VALUES (NEW.n, NEW.id); RETURN NULL; END $$;
CREATE TRIGGER note_applied AFTER INSERT OR UPDATE ON events
  FOR EACH ROW EXECUTE FUNCTION note_applied()
"""
"""Note each change of a row, with the number of the content that made it."""

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Job:
    """A failed record, as the database has it.

    Attributes:
        state: The state of the job.
        stage: Where the record failed last.
        category: Why.
        raw: The record's bytes.
        history: When it was tried, and what each attempt said.
        gave_up: When its last attempt failed, if it had as many as it may, and none was lost with
            its process.
    """

    state: str
    stage: str
    category: str
    raw: bytes
    history: str = ""
    gave_up: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of the database.

    Attributes:
        rows: By key.
        jobs: By place; more than one at a place is an error.
        applied: How often each content was applied.
        came: By key, when its row was written first.
    """

    rows: Mapping[str, Row]
    jobs: Mapping[Place, Sequence[Job]]
    applied: Mapping[int, int]
    came: Mapping[str, datetime] = field(default_factory=dict)


@dataclass
class Findings:
    """The result of the check.

    Attributes:
        wrong: Offsets that are not accounted for as they should be, and why.
        other: Errors that concern no single offset.
        counts: How many records of each kind had each fate.
    """

    wrong: list[tuple[Place, str]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return not self.wrong and not self.other

    def lines(self) -> Iterator[str]:
        """The errors, with at most ``SHOWN`` offsets."""
        yield from self.other
        if self.wrong:
            yield f"{len(self.wrong):,} offsets are not accounted for as they should be:"
        for (partition, offset), why in sorted(self.wrong)[:SHOWN]:
            yield f"  partition {partition} offset {offset}: {why}"


def check(dsn: str, topic: str, log: Path, ends: Offsets, *, update: bool) -> Findings:
    """Compare the database with the log of what was produced.

    Args:
        dsn: The database; nothing writes to it any more.
        topic: The topic that was read.
        log: The log of ``feed``.
        ends: The end offset of every partition of the topic.
        update: Whether a row whose key exists is overwritten.
    """
    by_key: dict[str, list[Produced]] = {}
    for entry in produced(log):
        by_key.setdefault(entry.record.key, []).append(entry)
    findings = Findings()
    findings.other += unlogged(by_key, ends)
    contents = read(dsn, topic)
    compare(by_key, contents, findings, update=update)
    findings.other += ledger(dsn, topic, ends, contents)
    return findings


def unlogged(by_key: Mapping[str, Sequence[Produced]], ends: Offsets) -> Iterator[str]:
    """Differences between the offsets of the log and those of the topic."""
    times = Counter(
        (each.record.partition, each.offset) for made in by_key.values() for each in made
    )
    expected = {(partition, offset) for partition, end in ends.items() for offset in range(end)}
    twice = sorted(place for place, count in times.items() if count > 1)
    for what, places in (
        ("lacks", sorted(expected - times.keys())),
        ("has, and the topic lacks,", sorted(times.keys() - expected)),
        ("has more than once", twice),
    ):
        if places:
            yield f"the log {what} {len(places):,} offsets, the first at {places[0]}"


def read(dsn: str, topic: str) -> Contents:
    """Read the contents of the database, table by table."""
    with psycopg.connect(dsn) as connection:
        names = ", ".join(COLUMNS)
        query = f"SELECT id, {names} FROM events".encode()
        rows = {row[0]: row[1:] for row in connection.execute(query)}
        jobs: dict[Place, list[Job]] = {}
        for partition, offset, state, stage, category, raw, *tried in connection.execute(
            'SELECT partition, "offset", state, stage, category, raw, inserted_at, errors, '
            "CASE WHEN attempt >= max_attempts THEN discarded_at END "
            "FROM ingest_jobs WHERE source = %s",
            (f"kafka://{topic}",),
        ):
            since, errors, spent = tried
            lost = any(each["error"].startswith(LOST) for each in errors)
            job = Job(
                *(state, stage, category, bytes(raw)),
                history=_history(since, errors),
                gave_up=None if lost else spent,
            )
            jobs.setdefault((partition_of(partition), offset), []).append(job)
        counts = connection.execute("SELECT n, count(*) FROM applied GROUP BY n")
        applied: dict[int, int] = dict(counts.fetchall())
        firsts = connection.execute("SELECT id, min(at) FROM applied GROUP BY id")
        came: dict[str, datetime] = dict(firsts.fetchall())
    return Contents(rows, jobs, applied, came)


def _history(since: datetime, errors: Sequence[Mapping[str, Any]]) -> str:
    """When a job failed first, and then its attempts, each with the start of its error."""
    tried = ", ".join(f"{each['at'][11:19]} {each['error'][:60]!r}" for each in errors)
    return f"{since.astimezone(UTC):%T}; {tried}"


def compare(
    by_key: Mapping[str, Sequence[Produced]],
    contents: Contents,
    findings: Findings,
    *,
    update: bool,
) -> None:
    """Compare the row of every key, and the dead letter of every offset, if it may have one."""
    places: set[Place] = set()
    for key, unordered in by_key.items():
        of_key = sorted(unordered, key=attrgetter("record.partition", "offset"))
        allowed = outcome([_in_time(each, contents) for each in of_key], update=update)
        _compare_row(of_key, contents.rows.get(key), allowed, findings)
        for entry, fate in zip(of_key, allowed.fates, strict=True):
            place = entry.record.partition, entry.offset
            places.add(place)
            why = _judged(entry, fate, contents, findings.counts)
            if why is not None:
                findings.wrong.append((place, f"{entry.record.kind} {key}: {why}"))
    for key in contents.rows.keys() - by_key.keys():
        findings.other.append(f"row {key} was never produced")
    for place in contents.jobs.keys() - places:
        findings.other.append(f"a failed record at {place} was never produced")
    _compare_applied(by_key, contents.applied, findings, update=update)


def _in_time(entry: Produced, contents: Contents) -> Record:
    """The record; one whose parent came after its last attempt counts as one without a parent.

    Partitions are read one after another. While the parent's waits, its child has its attempts.
    """
    record = entry.record
    if record.kind != LATE:
        return record
    for job in contents.jobs.get((record.partition, entry.offset), ()):
        came = contents.came.get(json.loads(record.raw)["parent"])
        if (
            job.gave_up is not None
            and (job.stage, job.category) == DEAD[NEVER]
            and (came is None or came > job.gave_up - timedelta(seconds=OPEN_SECONDS))
        ):
            return replace(record, kind=NEVER)
    return record


def _compare_row(
    of_key: Sequence[Produced], row: Row | None, allowed: Outcome, findings: Findings
) -> None:
    if row in allowed.rows:
        return
    expected = " or ".join(_row_text(each) for each in sorted(allowed.rows, key=str))
    offsets = ", ".join(f"{each.record.kind} at {each.offset}" for each in of_key)
    first = next((each for each in of_key if each.record.kind in (GOOD, LATE)), of_key[0])
    place = first.record.partition, first.offset
    why = f"key {first.record.key} ({offsets}): expected {expected}, found {_row_text(row)}"
    findings.wrong.append((place, why))


def _judged(
    entry: Produced, fate: str, contents: Contents, counts: Counter[tuple[str, str]]
) -> str | None:
    """Why the jobs of this offset are wrong; None if they are right."""
    kind = entry.record.kind
    reason = DEAD.get(NEVER if kind == LATE else kind)
    jobs = contents.jobs.get((entry.record.partition, entry.offset), ())
    if len(jobs) > 1:
        return f"{len(jobs)} failed records of one offset"
    job = jobs[0] if jobs else None
    dead = job is not None and job.state == "discarded"
    if job is None:
        counts[kind, "kept"] += 1
    else:
        counts[kind, {"discarded": "dead", "completed": "retried"}.get(job.state, job.state)] += 1
        if job.state not in ("discarded", "completed"):
            return f"still {job.state} ({job.stage}, {job.category})"
        if job.raw != entry.record.raw:
            return f"its kept bytes are {job.raw!r}, not {entry.record.raw!r}"
    if dead and fate == "kept":
        assert job is not None
        found = f"expected no dead letter, found {job.stage} {job.category}"
        parent = json.loads(job.raw)["parent"] if kind == LATE else ""
        came = contents.came.get(parent)
        since = f"; its parent came {came.astimezone(UTC):%T}" if came else ""
        return f"{found}: {job.history}{since}"
    if not dead and fate == "dead":
        return f"expected a dead letter {reason}, found none"
    if job is not None and dead and (job.stage, job.category) != reason:
        return f"expected {reason}, found {job.stage} {job.category}"
    return None


def _compare_applied(
    by_key: Mapping[str, Sequence[Produced]],
    applied: Mapping[int, int],
    findings: Findings,
    *,
    update: bool,
) -> None:
    """Find content that was applied more often than produced, or more than once if rows stay."""
    many = {n: times for n, times in applied.items() if times > 1}
    copies: dict[int, list[Place]] = {n: [] for n in many}
    for of_key in by_key.values() if many else ():
        for entry in of_key:
            if entry.record.kind in (GOOD, LATE):
                n = json.loads(entry.record.raw)["n"]
                if n in copies:
                    copies[n].append((entry.record.partition, entry.offset))
    for n, times in many.items():
        most = len(copies[n]) if update else 1
        if times > most:
            place = min(copies[n], default=(-1, -1))
            findings.wrong.append((place, f"content {n} was applied {times} times, not {most}"))


def ledger(dsn: str, topic: str, ends: Offsets, contents: Contents) -> Iterator[str]:
    """Differences between the ledger and the audit, and what was counted from outside."""
    try:
        sums = audited(dsn, topic, ends)
    except AssertionError as error:
        yield f"pipelines.audit: {str(error)[:2_000]}"
        return
    dead = sum(job.state == "discarded" for jobs in contents.jobs.values() for job in jobs)
    accepted_outside = sum(ends.values()) - dead
    expected = {"inserted": len(contents.rows), "dead": dead, "retrying": 0, "filtered": 0}
    for name, count in expected.items():
        if sums[name] != count:
            yield f"the ledger has {sums[name]:,} {name}, counted from outside: {count:,}"
    accepted = sums["inserted"] + sums["updated"] + sums["duplicates"]
    if accepted != accepted_outside:
        yield f"the ledger has {accepted:,} accepted, counted from outside: {accepted_outside:,}"


def _row_text(row: Row | None) -> str:
    if row is None:
        return "no row"
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    return "(" + ", ".join(f"{name}={value}" for name, value in values.items()) + ")"
