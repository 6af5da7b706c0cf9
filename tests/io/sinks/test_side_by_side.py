"""Commits side by side against one at a time: the same rows, and the same records dead."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from sinks.sql import SqlSink
from tests.io.sinks.routed import NOTES, ORDERS, Steps, batch_of, due, keyed, sink_of
from tests.io.sinks.side_by_side import written
from tests.io.sinks.tested_database import Database, await_lock, make_batch
from transforms import instruments
from transforms.batch.record import RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import Contention
from transforms.settle.flight import Turn
from transforms.settle.sink import Settled

pytestmark = pytest.mark.integration

SOON = 30.0

PLAIN = "CREATE TABLE {name} (id {kind} PRIMARY KEY, n integer CHECK (n >= 0), note text)"
UNIQUE = "CREATE TABLE {name} (id {kind} PRIMARY KEY, n integer UNIQUE CHECK (n >= 0), note text)"
PARENTS = "CREATE TABLE {name}_parents (id integer PRIMARY KEY, n integer)"
CHILDREN = (
    "CREATE TABLE {name}_children "
    "(id integer PRIMARY KEY, n integer CHECK (n >= 0), parent integer REFERENCES {name}_parents)"
)


def spread(numbers: random.Random, records: Sequence[Any]) -> list[RecordBatch]:
    """``records`` as batches of several partitions, each of which has its own in order."""
    offsets: Counter[str] = Counter()
    batches = []
    left = list(records)
    while left:
        size, partition = numbers.randint(1, 5), numbers.choice("pqr")
        some, left = left[:size], left[size:]
        batches.append(make_batch(some, offsets[partition], partition=partition))
        offsets[partition] += len(some)
    return batches


def fate(settled: Sequence[Settled]) -> list[Any]:
    """Counts in order, and which records are dead or wait."""
    return [
        (
            *(each.span.partition, each.span.start, each.counts),
            sorted((bad.origin.offset, bad.category) for bad in (*each.dead, *each.retry)),
        )
        for each in settled
    ]


def ledger(database: Database, pipeline: str) -> list[tuple[Any, ...]]:
    return database.rows(
        "SELECT partition, start_offset, end_offset, inserted, updated, duplicates, dead, retrying "
        f"FROM ingest_progress WHERE pipeline = '{pipeline}' ORDER BY 1, 2"
    )


def keys(numbers: random.Random, kind: str) -> list[Any]:
    """Few keys, so that commits share them, in several spellings."""
    if kind == "integer":
        return [*range(12), "3", "7"]
    texts = [f"00000000-0000-0000-0000-0000000000{n:02x}" for n in range(160, 172)]
    return [*texts, texts[0].upper(), texts[1].replace("-", ""), "{" + texts[2] + "}"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mode", ["ignore", "update", "newest:n"])
@pytest.mark.parametrize("table", [PLAIN, UNIQUE])
def test_rows_and_dead_records_are_those_of_one_commit_at_a_time(
    postgres: Database, table: str, mode: str, seed: int
) -> None:
    numbers = random.Random(f"{table}{mode}{seed}")
    kind = numbers.choice(["integer", "uuid"])
    ids = keys(numbers, kind)
    # Many keys of their own between those that are shared, a few records that are refused.
    own = iter([n if kind == "integer" else f"{n:032x}" for n in range(1_000, 9_999)])
    records = [
        {
            "id": numbers.choice([None, "?", *ids]) if numbers.random() < 0.3 else next(own),
            "n": numbers.choice([-1, numbers.randint(0, 60)]) if numbers.random() < 0.2 else number,
            "note": f"note {number}",
        }
        for number in range(150)
    ]
    batches = spread(numbers, records)
    fates, rows, progress = {}, {}, {}
    for side_by_side in (1, 3):
        name = f"t{side_by_side}"
        postgres.run(table.format(name=name, kind=kind))
        sink = postgres.sink(name, key=["id"], on_conflict=mode)
        fates[side_by_side] = fate(written(sink, batches, side_by_side))
        rows[side_by_side] = postgres.rows(f"SELECT * FROM {name} ORDER BY id")
        progress[side_by_side] = ledger(postgres, name)
    assert fates[3] == fates[1]
    assert rows[3] == rows[1]
    assert progress[3] == progress[1]


@pytest.mark.parametrize("seed", range(2))
def test_so_are_those_of_tables_that_refer_to_each_other(postgres: Database, seed: int) -> None:
    numbers = random.Random(seed)
    fates, rows = {}, {}
    records = []
    parents = [0]
    for number in range(160):
        value: dict[str, int] = {"id": number, "n": numbers.choice([-1, 1, 2, 3])}
        if number == 0 or numbers.random() < 0.4:
            parents.append(number)
            records.append(("parents", {"id": number, "n": number}))
        else:  # of a parent that is there already, or never is
            value["parent"] = numbers.choice([*parents[-3:], 999])
            records.append(("children", value))
    batches = []
    start = 0
    while start < len(records):
        some = records[start : start + numbers.randint(1, 4)]
        batch = make_batch([value for _, value in some], start)
        batches.append((batch, [label for label, _ in some]))
        start += len(some)
    for side_by_side in (1, 3):
        name = f"t{side_by_side}"
        postgres.run(PARENTS.format(name=name), CHILDREN.format(name=name))
        sink = sink_of(postgres, *keyed(f"{name}_parents", f"{name}_children"))
        pipeline = replace(sink.pipeline, name=name) if sink.pipeline else None
        sink = replace(sink, pipeline=pipeline)
        sink.prepare()
        routed = [
            replace(batch, targets=[f"{name}_{label}" for label in labels])
            for batch, labels in batches
        ]
        fates[side_by_side] = fate(written(sink, routed, side_by_side))
        rows[side_by_side] = [
            postgres.rows(f"SELECT * FROM {name}_{label} ORDER BY id")
            for label in ("parents", "children")
        ]
    assert fates[3] == fates[1]
    assert rows[3] == rows[1]


def test_commits_of_one_process_never_wait_for_each_others_rows(
    postgres: Database, caplog: pytest.LogCaptureFixture
) -> None:
    instruments.reset()
    numbers = random.Random(7)
    postgres.run(PLAIN.format(name="busy", kind="integer"))
    sink = postgres.sink("busy", key=["id"], on_conflict="update")
    ids = list(range(40))
    records = []
    for number in range(300):
        numbers.shuffle(ids)
        records += [{"id": key, "n": number, "note": ""} for key in ids[:2]]
    settled = written(sink, spread(numbers, records), 3)
    assert sum(each.counts.inserted + each.counts.updated for each in settled) == 600
    assert "deadlocks" not in instruments.measured().counters
    assert caplog.messages == []


@dataclass
class Airspace:
    """Which keys of which tables are in flight, as the commits themselves know it.

    Attributes:
        faults: Says whether an attempt at a commit is rolled back.
        shared: The keys that two commits had in flight at the same time.
        most: How many commits were in flight at most.
        again: How many attempts were not the first of their batches.
    """

    faults: random.Random
    shared: list[frozenset[tuple[str, Any]]] = field(default_factory=list)
    most: int = 0
    again: int = 0
    _in_flight: list[frozenset[tuple[str, Any]]] = field(default_factory=list)
    _tried: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, batches: Sequence[RecordBatch]) -> frozenset[tuple[str, Any]]:
        own = frozenset(
            (table, value["id"])
            for batch in batches
            for table, value in zip(batch.targets or (), batch.values or (), strict=True)
        )
        with self._lock:
            self.again += id(batches[0]) in self._tried
            self._tried.add(id(batches[0]))
            self.shared += [own & other for other in self._in_flight if own & other]
            self._in_flight.append(own)
            self.most = max(self.most, len(self._in_flight))
        return own

    def leave(self, own: frozenset[tuple[str, Any]]) -> None:
        with self._lock:
            self._in_flight.remove(own)

    def fails(self) -> bool:
        with self._lock:
            return self.faults.random() < 0.1


@dataclass(frozen=True)
class Watched(SqlSink):
    """A sink that tells which commits are in flight, and rolls some of them back."""

    airspace: Airspace = field(default_factory=lambda: Airspace(random.Random()))

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Turn | None = None,
    ) -> list[Settled]:
        own = self.airspace.enter(batches)
        try:
            if not isolate and self.airspace.fails():
                raise Contention("rolled back")
            return super().commit(batches, isolate=isolate, turn=turn)
        finally:
            self.airspace.leave(own)


@pytest.mark.parametrize("seed", range(2))
def test_jobs_and_fresh_records_that_share_a_key_are_never_in_flight_together(
    postgres: Database, seed: int
) -> None:
    instruments.reset()
    numbers = random.Random(seed)
    postgres.run(ORDERS, NOTES)
    plain = sink_of(postgres, *keyed("orders", "notes"))
    airspace = Airspace(random.Random(seed))
    sink = Watched(**{each.name: getattr(plain, each.name) for each in fields(plain)}, airspace=airspace)  # fmt: skip

    def some(source: str) -> list[RecordBatch]:
        return [
            batch_of(
                *(
                    {
                        "id": numbers.randrange(40),
                        "n": 1,
                        "to": numbers.choice([["orders"], ["notes"], ["orders", "notes"]]),
                    }
                    for _ in range(numbers.randint(1, 4))
                ),
                source=f"file:///{source}-{number}",
            )
            for number in range(25)
        ]

    plain.commit([Steps(away={*range(40)}).applied(batch) for batch in some("failed")])
    jobs = [Steps().applied(batch) for batch in due(sink)]
    lines = [jobs, *([Steps().applied(batch) for batch in some(f"fresh-{n}")] for n in range(2))]
    with ThreadPoolExecutor(len(lines)) as bundles:
        settled = list(bundles.map(lambda batches: written(sink, batches, 3), lines))
    assert airspace.shared == []
    assert airspace.most > 1
    assert airspace.again > 0
    assert "deadlocks" not in instruments.measured().counters
    assert all(each.counts.dead == 0 for line in settled for each in line)
    claims = [batch.claim for batch in jobs if batch.claim is not None]
    assert sum(each.attempts for each in settled[0]) == sum(len(each.jobs) for each in claims)


def test_a_commit_knows_whether_another_transaction_waits_for_its_rows(postgres: Database) -> None:
    postgres.run(PLAIN.format(name="t", kind="integer"))
    sink = postgres.sink("t", key=["id"])
    answers = []
    with ThreadPoolExecutor(1) as pool:

        def turn(is_awaited: Callable[[], bool] = lambda: False) -> None:
            answers.append(is_awaited())
            pool.submit(postgres.run, "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING")
            await_lock(postgres)
            answers.append(is_awaited())

        sink.commit([make_batch([{"id": 1, "n": 1, "note": ""}])], turn=turn)
    assert answers == [False, True]


def test_commits_store_dead_letters_of_a_new_group_before_their_turn_and_do_not_wait_for_each_other(
    postgres: Database,
) -> None:
    postgres.run(PLAIN.format(name="t", kind="integer"))
    postgres.sink("t", key=["id"]).prepare()
    sink = SqlSink(postgres.config("t", key=["id"]), RetryPolicy(max_attempts=1))
    first, second = (make_batch([{"id": n, "n": -1, "note": ""}], n) for n in range(2))
    written = "SELECT last_value FROM ingest_jobs_id_seq WHERE is_called"
    with ThreadPoolExecutor(1) as pool:

        def turn(is_awaited: Callable[[], bool] = lambda: False) -> None:
            assert postgres.rows(written) == [(1,)], "numbers are drawn outside of transactions"
            (settled,) = pool.submit(sink.commit, [first]).result(SOON)
            assert len(settled.dead) == 1
            assert not is_awaited()

        (settled,) = sink.commit([second], turn=turn)
    assert len(settled.dead) == 1
    in_group = "SELECT count(*) FROM ingest_dead JOIN ingest_fingerprints ON fingerprint = id"
    assert postgres.rows(in_group) == [(2,)]
    assert postgres.rows("SELECT count(*) FROM ingest_fingerprints") == [(1,)]


@dataclass(frozen=True)
class Staged(SqlSink):
    """The first commit of a bundle writes only once the second one has, and waits for its turn.

    Attributes:
        second_written: Where all commits of all bundles meet at their first attempt.
    """

    second_written: threading.Barrier = field(kw_only=True)
    attempted: set[int] = field(default_factory=set, kw_only=True)

    def commit(
        self, batches: Sequence[RecordBatch], *, isolate: bool = False, turn: Turn | None = None
    ) -> list[Settled]:
        offset = batches[0].span.start
        again = offset in self.attempted
        self.attempted.add(offset)

        def staged_turn(is_awaited: Callable[[], bool] = lambda: False) -> None:
            if not again and offset > 0:
                self.second_written.wait(SOON)
            if turn is not None:
                turn(is_awaited)

        if not again and offset == 0:
            self.second_written.wait(SOON)
        return super().commit(batches, isolate=isolate, turn=staged_turn)


def test_two_processes_that_write_the_same_keys_never_wait_in_a_circle(
    postgres: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # The first commit of each waits for the second one of the other, which waits for its turn.
    postgres.run(PLAIN.format(name="shared", kind="integer"))
    written_by_both = threading.Barrier(4)

    def write(number: int) -> list[Settled]:
        # Another place, as if it were another process.
        url = f"{postgres.url}{'&' if '?' in postgres.url else '?'}application_name=p{number}"
        sink = replace(postgres, url=url).sink("shared", key=["id"], on_conflict="update")
        staged = Staged(
            **{each.name: getattr(sink, each.name) for each in fields(sink)},
            second_written=written_by_both,
        )
        ids = [1, 2] if number else [2, 1]
        batches = [
            make_batch([{"id": key, "n": 0, "note": ""}], offset, partition=f"p{number}")
            for offset, key in enumerate(ids)
        ]
        return written(staged, batches, 2, commit_records=1)

    with ThreadPoolExecutor(2) as pool:
        assert [len(settled) for settled in pool.map(write, range(2))] == [2, 2]
    assert caplog.messages == []  # none has waited until it ran out of patience
    assert postgres.rows("SELECT count(*) FROM shared") == [(2,)]
