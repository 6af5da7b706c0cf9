"""Fill a database with a million dead letters, 100,000 partitions, and what belongs to them.

    python -m benchmarks.console.big URL [--scale 1.0]

The tables agree with each other, so that ``sluice audit`` finds nothing but the gaps that are meant.
The numbers below are those of ``--scale 1.0``.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import psycopg

from sinks.database.migrations.migrate import prepare
from sinks.jobs.owner import id_of
from sinks.sql import SqlConfig
from transforms.steps.pipeline_identity import PipelineIdentity

TARGETS = 20
GROUPS = 50
SOURCES = 10
"""For each target."""

PARTITIONS = 100_000
GAPS = 100
DEAD = 1_000_000
QUEUE = 50_000
CLAIMED = 500
OUTBOX = 200_000
UNPUBLISHED = 50_000
AUDIT = 100_000
RUNS = 2_000
RECORDS = 1_000
"""In each partition."""


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of rows of a database.

    Attributes:
        partitions: A multiple of ``TARGETS``.
        dead: A multiple of ``partitions``.
        queue: At most as many as there are partitions, with ``claimed``.
        claimed: Jobs that are being tried.
        outbox: All changes.
        unpublished: Those of them that wait.
        audit: Entries.
        runs: A multiple of ``TARGETS``.
        gaps: Partitions with one.
    """

    partitions: int
    dead: int
    queue: int
    claimed: int
    outbox: int
    unpublished: int
    audit: int
    runs: int
    gaps: int

    @classmethod
    def of(cls, scale: float) -> Size:
        """All numbers times ``scale``."""
        partitions = max(1, round(PARTITIONS * scale / TARGETS)) * TARGETS
        return cls(
            partitions,
            partitions * (DEAD // PARTITIONS),
            partitions * QUEUE // PARTITIONS,
            max(5, partitions * CLAIMED // PARTITIONS),
            round(OUTBOX * scale),
            round(UNPUBLISHED * scale),
            round(AUDIT * scale),
            max(1, round(RUNS * scale / TARGETS)) * TARGETS,
            max(1, round(GAPS * scale)),
        )


def build(url: str, scale: float = 1.0) -> Size:
    """Fill an empty Postgres database.

    Args:
        url: Of the database.
        scale: What the numbers are multiplied by.
    """
    size = Size.of(scale)
    prepare(SqlConfig.of(url, target(0)).database)
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit = off")
        for statement, values in _statements(size):
            connection.execute(statement.encode(), values)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    return size


def target(number: int) -> str:
    """The name of a table, and of its pipeline."""
    return f"table_{number:02}"


_Statement = tuple[str, dict[str, object]]


def _statements(size: Size) -> Iterator[_Statement]:
    values = _parameters(size)
    for number in range(TARGETS):
        yield from _of_target(number)
    yield "CREATE TEMP TABLE kinds (k int PRIMARY KEY, target text, fingerprint uuid)", {}
    for number in range(GROUPS):
        yield from _of_group(number)
    yield _PROGRESS, values
    yield _GAPS, values
    yield _COUNTS, values
    yield _DEAD, values
    yield _WAITING, values
    yield _QUEUE, values
    yield _CLAIMS, values
    yield _LEASES, {}
    yield _OUTBOX, values
    yield _AUDIT, values
    yield _RUNS, values
    yield _WORKERS, {}


def _parameters(size: Size) -> dict[str, object]:
    numbers: dict[str, object] = msgspec.to_builtins(size)
    return {
        **numbers,
        "targets": TARGETS,
        "sources": SOURCES,
        "records": RECORDS,
        "each": size.dead // size.partitions,
    }


def _of_target(number: int) -> Iterator[_Statement]:
    name = target(number)
    yield (
        f"CREATE TABLE {name} (event_id text PRIMARY KEY, amount numeric, at timestamptz, note text)",
        {},
    )
    values: dict[str, object] = {"name": name}
    yield "INSERT INTO ingest_pipelines VALUES (%(name)s, %(name)s, now(), NULL)", values
    yield "INSERT INTO ingest_targets VALUES (%(name)s, 'fields', '', now())", values


def _of_group(number: int) -> Iterator[_Statement]:
    stage, category = (("parse", "malformed"), ("validate", "type"), ("write", "constraint"))[
        number % 3
    ]
    values: dict[str, object] = {
        "k": number,
        "target": target(number % TARGETS),
        "stage": stage,
        "category": category,
        "sqlstate": "23514" if stage == "write" else None,
        "exception": f"Error{number:02}",
        "message": f"field # of kind {number // 10}x is wrong: '#'",
        "fingerprint": uuid.uuid5(uuid.NAMESPACE_OID, str(number)),
    }
    yield _FINGERPRINT, values
    yield "INSERT INTO kinds VALUES (%(k)s, %(target)s, %(fingerprint)s)", values


def main(argv: Sequence[str] | None = None) -> None:
    """Fill the database that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("url", help="of an empty Postgres database")
    parser.add_argument("--scale", type=float, default=1.0, help="times so many of everything")
    options = parser.parse_args(argv)
    began = time.perf_counter()
    size = build(options.url, options.scale)
    seconds = time.perf_counter() - began
    print(f"{size.dead:,} dead letters, {size.partitions:,} partitions: {seconds:.0f} s")


def _owners() -> list[uuid.UUID]:
    return [id_of(target(number), PipelineIdentity(target(number))) for number in range(TARGETS)]


_OWNERS = "ARRAY[" + ", ".join(f"'{owner}'" for owner in _owners()) + "]::uuid[]"
_NAME = "'table_' || lpad((n %% %(targets)s)::text, 2, '0')"
_SOURCE = f"'file:///data/' || {_NAME} || '/part-' || (n / %(targets)s) %% %(sources)s || '.jsonl'"
_PLACE = f"{_NAME} AS pipeline, {_SOURCE} AS source, lpad(n::text, 8, '0') AS partition"
_WAITS = "(n < %(queue)s + %(claimed)s)::int"
_HAS_GAP = "n %% (%(partitions)s / %(gaps)s) = 0 AND n / (%(partitions)s / %(gaps)s) < %(gaps)s"

_FINGERPRINT = """
INSERT INTO ingest_fingerprints (id, target, stage, category, sqlstate, exception, message, first_seen)
VALUES (%(fingerprint)s, %(target)s, %(stage)s, %(category)s, %(sqlstate)s, %(exception)s, %(message)s,
    now() - interval '30 days')
"""
# The second half of a partition with a gap is a row of its own; the gap has a hundred records.
_PROGRESS = f"""
INSERT INTO ingest_progress (pipeline, source, partition, start_offset, end_offset, final, read,
    inserted, updated, duplicates, filtered, dead, retrying, expanded, rewound, updated_at, run)
SELECT pipeline, source, partition, 0, "end", final AND NOT gap, "end", "end" - 10 - %(each)s - waits, 5, 5,
    0, %(each)s, waits, 0, 0, now() - random() * interval '3 hours', NULL
FROM (SELECT {_PLACE}, {_WAITS} AS waits, {_HAS_GAP} AS gap, n %% 100 <> 1 AS final,
    CASE WHEN {_HAS_GAP} THEN %(records)s / 2 ELSE %(records)s END AS "end"
    FROM generate_series(0, %(partitions)s - 1) n) places
"""
_GAPS = f"""
INSERT INTO ingest_progress (pipeline, source, partition, start_offset, end_offset, final, read,
    inserted, updated, duplicates, filtered, dead, retrying, expanded, rewound, updated_at, run)
SELECT {_PLACE}, %(records)s / 2 + 100, %(records)s, true, %(records)s / 2 - 100, %(records)s / 2 - 100,
    0, 0, 0, 0, 0, 0, 0, now(), NULL
FROM generate_series(0, %(partitions)s - 1) n WHERE {_HAS_GAP}
"""
_COUNTS = """
INSERT INTO ingest_counts (pipeline, target, source, partition, read, inserted, updated, duplicates,
    filtered, dead, retrying, purged, expanded, dead_letters, rewound)
SELECT pipeline, pipeline, source, partition, sum(read), sum(inserted), sum(updated), sum(duplicates),
    sum(filtered), sum(dead), sum(retrying), 0, 0, sum(dead), 0
FROM ingest_progress GROUP BY pipeline, source, partition
"""
_COLUMNS = """target, source, partition, "offset", state, stage, category, sqlstate, exception, message,
    stack, raw, format, attempt, max_attempts, replays, errors, run, inserted_at, scheduled_at,
    attempted_at, discarded_at, origin, pipeline, steps, version, owner, read_by, mapped"""
_REST = """repeat('  File "/app/steps.py", line 7, in step\n', 4),
    convert_to('{"event_id": "' || j || '", "note": "' || repeat('x', 260) || '"}', 'UTF8'),
    '{"name": "json"}', 1, %(attempts)s, 0, '[]'::json, 'run', at, at, at"""
_JOB = f"""md5('origin' || j)::uuid, pipeline, '[]', '', ({_OWNERS})[n %% %(targets)s + 1], pipeline, false"""

_DEAD = f"""
WITH stored AS (
INSERT INTO ingest_jobs ({_COLUMNS})
SELECT pipeline, source, partition, m, 'discarded', stage, category, sqlstate, exception,
    'field ' || j || ' of kind ' || k / 10 || 'x is wrong: ''' || m || '''',
    {_REST.replace("%(attempts)s", "5")}, at, {_JOB}
FROM (SELECT j, n, m, {_PLACE}, now() - (%(dead)s - j) * interval '2 seconds' AS at
    FROM (SELECT j, j %% %(partitions)s AS n, j / %(partitions)s AS m
        FROM generate_series(0, %(dead)s - 1) j) numbers) places
JOIN LATERAL (SELECT f.*, kinds.k FROM kinds JOIN ingest_fingerprints f ON f.id = kinds.fingerprint
    WHERE kinds.k = n %% %(targets)s + %(targets)s *
        (m %% (CASE WHEN n %% %(targets)s < 10 THEN 3 ELSE 2 END))) kind ON true
ORDER BY j
RETURNING id, target, exception)
INSERT INTO ingest_dead SELECT stored.id, f.id FROM stored
JOIN ingest_fingerprints f ON f.target = stored.target AND f.exception = stored.exception
"""
_WAITING = f"""
INSERT INTO ingest_jobs ({_COLUMNS})
SELECT pipeline, source, partition, 20, 'retryable', 'write', 'unavailable', '08006', 'OperationalError',
    'the connection was closed', {_REST.replace("%(attempts)s", "20")}, NULL, {_JOB}
FROM (SELECT -1 - n AS j, n, {_PLACE}, now() + (random() - 0.2) * interval '1 hour' AS at
    FROM generate_series(0, %(queue)s + %(claimed)s - 1) n) places ORDER BY n
"""
_QUEUE = """
INSERT INTO ingest_queue (job, target, bytes, due_at, owner)
SELECT id, target, length(raw), scheduled_at, owner FROM ingest_jobs WHERE state = 'retryable'
ORDER BY id LIMIT %(queue)s
"""
_CLAIMS = """
INSERT INTO ingest_claims (id, pipeline, lease, jobs, count, attempted_at, owner)
SELECT md5('claim' || part)::uuid, min(pipeline), 'worker-' || part, json_agg(id), count(*),
    now() - interval '10 seconds', min(owner::text)::uuid
FROM (SELECT id, pipeline, owner, row_number() OVER (ORDER BY id) %% 5 AS part FROM ingest_jobs
    WHERE state = 'retryable' AND id NOT IN (SELECT job FROM ingest_queue)) claimed GROUP BY part
"""
_LEASES = """
INSERT INTO ingest_leases SELECT lease, lease, now() + interval '1 day' FROM ingest_claims
WHERE lease <> 'worker-0'
"""
_OUTBOX = f"""
INSERT INTO ingest_outbox (target, key, shard, operation, source, partition, "offset", payload, created_at,
    published_at)
SELECT pipeline, '{{"event_id": "' || n || '"}}', n %% 64, 'insert', source, partition, n,
    convert_to('{{"event_id": "' || n || '"}}', 'UTF8'), now() - (%(outbox)s - n) * interval '1 second',
    CASE WHEN n < %(outbox)s - %(unpublished)s THEN now() - (%(outbox)s - n) * interval '1 second' END
FROM (SELECT n, {_PLACE} FROM generate_series(0, %(outbox)s - 1) n) places ORDER BY n
"""
_AUDIT = f"""
INSERT INTO ingest_audit (at, action, actor, reason, filter, count)
SELECT now() - (%(audit)s - n) * interval '1 minute',
    (ARRAY['replay', 'cancel', 'purge', 'pause', 'resume'])[n %% 5 + 1], 'user' || n %% 30, 'ticket ' || n,
    json_build_object('target', {_NAME}, 'pipeline', {_NAME}), CASE WHEN n %% 5 < 3 THEN n %% 100 ELSE 0 END
FROM generate_series(0, %(audit)s - 1) n
"""
_RUNS = f"""
INSERT INTO ingest_runs (id, pipeline, target, runner, program, version, options, streaming, started_at,
    ended_at, outcome, pipeline_version)
SELECT md5('run' || n), {_NAME}, {_NAME}, 'DirectRunner', 'loader@host:1', '0.1',
    json_build_object('sources', json_build_array(json_build_object(
        'uri', 'file:///data/' || {_NAME} || '/*.jsonl', 'pattern', 'file:///data/' || {_NAME} || '/*.jsonl'))),
    n >= %(runs)s - %(targets)s, now() - (%(runs)s - n) * interval '10 minutes',
    CASE WHEN n < %(runs)s - %(targets)s THEN now() - (%(runs)s - n - 1) * interval '10 minutes' END,
    CASE WHEN n < %(runs)s - %(targets)s THEN (ARRAY['completed', 'stopped', 'failed'])[n %% 3 + 1] END, 'v1'
FROM generate_series(0, %(runs)s - 1) n
"""
_WORKERS = """
INSERT INTO ingest_workers (name, run, started_at, heartbeat_at, ended_at, committed_at, read, inserted,
    updated, duplicates, filtered, dead, retrying, expanded, rewound, figures)
SELECT 'worker-of-' || id, id, started_at, coalesce(ended_at, now()), ended_at, coalesce(ended_at, now()),
    1000, 1000, 0, 0, 0, 0, 0, 0, 0,
    CASE WHEN ended_at IS NULL THEN '{"lag": {"kafka://events": 1234}}'::json ELSE '{}'::json END
FROM ingest_runs
"""


if __name__ == "__main__":
    main()
