"""Holds a database to what a producer has logged: every offset accounted for once.

What has to be there follows from the log alone (``stream_records.outcome``): the rows and their
content, the dead letters and their categories. Only then are the ledger's sums and
``pipelines.audit`` compared with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.kafka.checks import Offsets, audited, partition_of
from benchmarks.stream.feed import Produced, produced
from benchmarks.stream.records import COLUMNS, DEAD, GOOD, LATE, Outcome, Row, outcome

SHOWN = 20

APPLIED = """
CREATE TABLE applied (n bigint);
CREATE FUNCTION note_applied() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO applied VALUES (NEW.n); RETURN NULL; END $$;
CREATE TRIGGER note_applied AFTER INSERT OR UPDATE ON events
  FOR EACH ROW EXECUTE FUNCTION note_applied()
"""
"""Notes each change of a row with the number of the content that made it."""

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Job:
    """A failed record as the database has it."""

    state: str
    stage: str
    category: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What the database has.

    Attributes:
        rows: By key.
        jobs: By place; several of one place would each be counted.
        applied: How often each content was applied.
    """

    rows: Mapping[str, Row]
    jobs: Mapping[Place, Sequence[Job]]
    applied: Mapping[int, int]


@dataclass
class Findings:
    """What the check found.

    Attributes:
        wrong: Offsets that are not accounted for as they should be, and why.
        other: What is wrong and concerns no offset.
        counts: What came of the records, by kind.
    """

    wrong: list[tuple[Place, str]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether all is as it should be."""
        return not self.wrong and not self.other

    def lines(self) -> Iterator[str]:
        """What is wrong, at most ``SHOWN`` offsets of it."""
        yield from self.other
        if self.wrong:
            yield f"{len(self.wrong):,} offsets are not accounted for as they should be:"
        for (partition, offset), why in sorted(self.wrong)[:SHOWN]:
            yield f"  partition {partition} offset {offset}: {why}"


def check(dsn: str, topic: str, log: Path, ends: Offsets, *, update: bool) -> Findings:
    """Compare the database with the log of what was produced.

    Args:
        dsn: The database; nothing writes to it any more.
        topic: What was read.
        log: What ``stream_feed`` has written.
        ends: The end of every partition of the topic.
        update: Whether a known key is overwritten.
    """
    by_key: dict[str, list[Produced]] = {}
    for each in produced(log):
        by_key.setdefault(each.record.key, []).append(each)
    findings = Findings()
    findings.other += unlogged(by_key, ends)
    found = read(dsn, topic)
    compare(by_key, found, findings, update=update)
    findings.other += ledger(dsn, topic, ends, found)
    return findings


def unlogged(by_key: Mapping[str, Sequence[Produced]], ends: Offsets) -> Iterator[str]:
    """Whether the log has every offset of the topic, each once."""
    times = Counter(
        (each.record.partition, each.offset) for made in by_key.values() for each in made
    )
    wanted = {(partition, offset) for partition, end in ends.items() for offset in range(end)}
    twice = sorted(place for place, count in times.items() if count > 1)
    for what, places in (
        ("lacks", sorted(wanted - times.keys())),
        ("has, and the topic lacks,", sorted(times.keys() - wanted)),
        ("has more than once", twice),
    ):
        if places:
            yield f"the log {what} {len(places):,} offsets, the first at {places[0]}"


def read(dsn: str, topic: str) -> Found:
    """What the database has, table by table."""
    with psycopg.connect(dsn) as connection:
        names = ", ".join(COLUMNS)
        query = f"SELECT id, {names} FROM events".encode()
        rows = {row[0]: row[1:] for row in connection.execute(query)}
        jobs: dict[Place, list[Job]] = {}
        for row in connection.execute(
            'SELECT partition, "offset", state, stage, category, raw FROM ingest_jobs '
            "WHERE source = %s",
            (f"kafka://{topic}",),
        ):
            place = partition_of(row[0]), row[1]
            jobs.setdefault(place, []).append(Job(row[2], row[3], row[4], bytes(row[5])))
        counts = connection.execute("SELECT n, count(*) FROM applied GROUP BY n")
        applied: dict[int, int] = dict(counts.fetchall())
    return Found(rows, jobs, applied)


def compare(
    by_key: Mapping[str, Sequence[Produced]], found: Found, findings: Findings, *, update: bool
) -> None:
    """Every key's row, and every offset's dead letter or none."""
    places: set[Place] = set()
    for key, unordered in by_key.items():
        of_key = sorted(unordered, key=attrgetter("record.partition", "offset"))
        allowed = outcome([each.record for each in of_key], update=update)
        _compare_row(of_key, found.rows.get(key), allowed, findings)
        for each, fate in zip(of_key, allowed.fates, strict=True):
            place = each.record.partition, each.offset
            places.add(place)
            why = _judged(each, fate, found.jobs.get(place, ()), findings.counts)
            if why is not None:
                findings.wrong.append((place, f"{each.record.kind} {key}: {why}"))
    for key in found.rows.keys() - by_key.keys():
        findings.other.append(f"row {key} was never produced")
    for place in found.jobs.keys() - places:
        findings.other.append(f"a failed record at {place} was never produced")
    _compare_applied(by_key, found.applied, findings, update=update)


def _compare_row(
    of_key: Sequence[Produced], row: Row | None, allowed: Outcome, findings: Findings
) -> None:
    if row in allowed.rows:
        return
    wanted = " or ".join(_row_text(each) for each in sorted(allowed.rows, key=str))
    offsets = ", ".join(f"{each.record.kind} at {each.offset}" for each in of_key)
    first = next((each for each in of_key if each.record.kind in (GOOD, LATE)), of_key[0])
    place = first.record.partition, first.offset
    why = f"key {first.record.key} ({offsets}): expected {wanted}, found {_row_text(row)}"
    findings.wrong.append((place, why))


def _judged(
    each: Produced, fate: str, jobs: Sequence[Job], counts: Counter[tuple[str, str]]
) -> str | None:
    """Why the jobs of this offset are not what they should be; None when they are."""
    kind = each.record.kind
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
        if job.raw != each.record.raw:
            return f"its kept bytes are {job.raw!r}, not {each.record.raw!r}"
    if dead and fate == "kept":
        assert job is not None
        return f"expected no dead letter, found {job.stage} {job.category}"
    if not dead and fate == "dead":
        return f"expected a dead letter ({' '.join(DEAD[kind])}), found none"
    if job is not None and dead and (job.stage, job.category) != DEAD[kind]:
        return f"expected {' '.join(DEAD[kind])}, found {job.stage} {job.category}"
    return None


def _compare_applied(
    by_key: Mapping[str, Sequence[Produced]],
    applied: Mapping[int, int],
    findings: Findings,
    *,
    update: bool,
) -> None:
    """No content may have been applied more often than it was produced, or than once if it stays."""
    many = {n: times for n, times in applied.items() if times > 1}
    copies: dict[int, list[Place]] = {n: [] for n in many}
    for of_key in by_key.values() if many else ():
        for each in of_key:
            if each.record.kind in (GOOD, LATE):
                n = json.loads(each.record.raw)["n"]
                if n in copies:
                    copies[n].append((each.record.partition, each.offset))
    for n, times in many.items():
        most = len(copies[n]) if update else 1
        if times > most:
            place = min(copies[n], default=(-1, -1))
            findings.wrong.append((place, f"content {n} was applied {times} times, not {most}"))


def ledger(dsn: str, topic: str, ends: Offsets, found: Found) -> Iterator[str]:
    """Whether the ledger and the audit say what was found from outside."""
    try:
        sums = audited(dsn, topic, ends)
    except AssertionError as error:
        yield f"pipelines.audit: {str(error)[:2_000]}"
        return
    dead = sum(job.state == "discarded" for jobs in found.jobs.values() for job in jobs)
    kept = sum(ends.values()) - dead
    wanted = {"inserted": len(found.rows), "dead": dead, "retrying": 0, "filtered": 0}
    for name, count in wanted.items():
        if sums[name] != count:
            yield f"the ledger has {sums[name]:,} {name}, counted from outside: {count:,}"
    accepted = sums["inserted"] + sums["updated"] + sums["duplicates"]
    if accepted != kept:
        yield f"the ledger has {accepted:,} accepted, counted from outside: {kept:,}"


def _row_text(row: Row | None) -> str:
    if row is None:
        return "no row"
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    return "(" + ", ".join(f"{name}={value}" for name, value in values.items()) + ")"
