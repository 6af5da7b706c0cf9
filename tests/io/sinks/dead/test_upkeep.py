"""``ingest_dead`` has the dead letters that there are, whatever is done to them in whichever order."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from sinks.database.engine import retried, transaction
from sinks.database.tables import control, dead, edits, fingerprints, jobs
from sinks.dead import upkeep
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.first.insert import insert_failures
from sinks.jobs.orders import Order
from sinks.jobs.retention import Retention, prune
from sinks.rewind.order import Rewind
from sinks.rewind.rewind import carry_out as rewind
from tests.io.sinks.jobs.queued_jobs import (
    LIMITS,
    PIPELINE,
    Queue,
    expire,
    failed,
    parsed,
    retryable,
)
from tests.io.sinks.rewind.settled import Who, pause
from tests.io.sinks.tested_database import Database, await_lock, make_batch
from transforms.batch.job_states import ADOPT, CANCEL, PURGE, REPLAY
from transforms.batch.record import Failure
from transforms.batch.retry_policy import Next
from transforms.errors import ConfigError
from transforms.failure_group import fingerprint_of
from transforms.steps.pipeline_identity import PipelineIdentity

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHO: Who = {"actor": "ann", "reason": "to see"}
MESSAGES = ("order 7 is gone", "order 8 is gone", "the 'x' is missing", "the service is away")


def upkept(database: Database) -> dict[int, str]:
    """The dead letters, each with the message of its group, after a look at the whole invariant."""
    with transaction(database.database, "look", write=False) as connection:
        columns = [jobs.c[name] for name in upkeep.COLUMNS]
        query = sa.select(jobs.c.id, *columns).where(jobs.c.state == "discarded")
        expected = {row[0]: fingerprint_of(*row[1:]) for row in connection.execute(query)}
        entered = {row.job: row.fingerprint for row in connection.execute(sa.select(dead))}
        assert entered == {job: group for job, (group, _) in expected.items()}
        groups = {row.id: row for row in connection.execute(sa.select(fingerprints))}
        assert set(entered.values()) <= groups.keys()
        for row in groups.values():
            text = fingerprint_of(*(getattr(row, name) for name in upkeep.COLUMNS))
            assert text == (row.id, row.message), "a group is made of what it says"
        kept = connection.execute(sa.select(edits.c.job)).scalars()
        assert set(kept) <= set(connection.execute(sa.select(jobs.c.id)).scalars())
        return {job: text for job, (_, text) in expected.items()}


class Life:
    """A pipeline, and everything that may happen to its failed records, by chance."""

    def __init__(self, queue: Queue, chance: random.Random) -> None:
        self.queue, self.chance, self.next = queue, chance, 0
        self.config = queue.config
        self.dead = 0

    def anything(self) -> None:
        happenings: list[Callable[[], object]] = [
            *[self.fail] * 7,
            *[self.attempt] * 3,
            *[self.replay] * 2,
            *(self.lose, self.cancel, self.purge, self.prune, self.rewind, self.edit, self.adopt),
        ]
        self.chance.choice(happenings)()
        self.dead += len(upkept(self.queue.database))

    def some(self) -> JobFilter:
        ids = self.numbers()
        if not ids or self.chance.random() < 0.4:
            return JobFilter()
        return JobFilter(ids=tuple(self.chance.sample(ids, 1 + len(ids) // 2)))

    def numbers(self) -> list[int]:
        with transaction(self.config.database, "look", write=False) as connection:
            return list(connection.execute(sa.select(jobs.c.id)).scalars())

    def fail(self) -> None:
        number = self.chance.randint(1, 4)
        failures = [
            retryable(
                self.next + n,
                transient=self.chance.random() < 0.5,
                message=self.chance.choice(MESSAGES),
            )
            for n in range(number)
        ]
        end = self.next + number
        self.queue.sink.commit([make_batch([], self.next, failures=failures, end=end)])
        self.next = end

    def attempt(self) -> None:
        for batch in self.queue.queue.claim(self.queue.lease, replace(LIMITS, records=3)):
            message, transient = self.chance.choice(MESSAGES), self.chance.random() < 0.5
            again = failed(batch, message=message, transient=transient)
            done = parsed(batch) if self.chance.random() < 0.3 else again
            self.queue.sink.commit([done])

    def lose(self) -> None:
        if self.queue.queue.claim(self.queue.lease, replace(LIMITS, records=3)):
            expire(self.queue)
            self.queue.queue.rescue()
            self.queue.lease = self.queue.queue.lease()

    def replay(self) -> None:
        every = self.chance.random() < 0.5
        order = Order.of(REPLAY, self.some(), every_state=every)
        carry_out(self.config.database, order, **WHO)

    def cancel(self) -> None:
        carry_out(self.config.database, Order.of(CANCEL, self.some()), **WHO)

    def purge(self) -> None:
        every = self.chance.random() < 0.5
        order = Order.of(PURGE, self.some(), every_state=every)
        carry_out(self.config.database, order, **WHO)

    def adopt(self) -> None:
        to = PipelineIdentity(self.chance.choice(("people", "others")), PIPELINE.steps)
        order = Order.of(ADOPT, self.some(), adopter=to)
        carry_out(self.config.database, order, **WHO)

    def prune(self) -> None:
        state = self.chance.choice(("discarded", "cancelled", "completed"))
        prune(self.config.database, None, Retention.parse([f"{state}=0s"]), **WHO)

    def rewind(self) -> None:
        start = self.chance.randint(0, self.next)
        pause(self.queue.database, "people")
        try:
            rewind(self.config.database, Rewind("people", (("file:///a", "p"),), start), **WHO)
            self.next = min(self.next, start)
        except ConfigError:
            pass  # a job is being tried, or nothing is settled there
        with transaction(self.config.database, "resume") as connection:
            connection.execute(sa.delete(control))

    def edit(self) -> None:
        for number in self.numbers()[:1]:
            row = {"job": number, "raw": b"{}", "fields": [], "at": NOW, **WHO}
            with transaction(self.config.database, "edit") as connection:
                connection.execute(sa.insert(edits), row)


@pytest.mark.parametrize("seed", range(5))
def test_it_stays_in_step_whatever_happens(database: Database, seed: int) -> None:
    life = Life(Queue(database), random.Random(seed))
    life.fail()
    for _ in range(40):
        life.anything()
    assert life.dead > 10, "otherwise nothing was looked at"


def first(failure: Failure) -> tuple[Failure, Next, int]:
    return failure, Next("discarded", 1), 10


def stored_first(database: Database, *failures: Failure) -> None:
    with transaction(database.database, "store") as connection:
        failed_first = [first(failure) for failure in failures]
        groups = insert_failures(connection, "people", "events", failed_first, "run-2", PIPELINE)
        upkeep.note(connection, groups)


def test_a_record_that_was_stored_before_keeps_its_group(database: Database) -> None:
    queue = Queue(database, retryable(0), retryable(1, message="no", transient=False))
    waiting, gone = queue.states()[0], upkept(database)
    stored_first(database, retryable(0, message="other"), retryable(1, message="other"))
    assert (queue.states()[0], upkept(database)) == (waiting, gone)
    stored_first(database, retryable(1, message="other"), retryable(2, message="other"))
    assert sorted(upkept(database).values()) == ["no", "other"]


def test_many_at_once_each_get_their_group(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_CHUNK", 7)
    Queue(database)
    letters = "abcdefghijklmnopqrst"
    messages = [f"no {letters[n % 20]}" for n in range(2_300)]
    stored_first(database, *(retryable(n, message=text) for n, text in enumerate(messages)))
    assert sorted(upkept(database).values()) == sorted(messages)
    assert database.rows("SELECT count(*) FROM ingest_fingerprints") == [(20,)]


def test_a_group_is_entered_once_and_never_changed(database: Database) -> None:
    Queue(database)
    stored_first(database, retryable(0, message="no 1"))
    before = database.rows("SELECT * FROM ingest_fingerprints")
    stored_first(database, retryable(1, message="no 2"))
    assert database.rows("SELECT * FROM ingest_fingerprints") == before


def test_another_table_is_another_group(database: Database) -> None:
    queue = Queue(database, retryable(0))
    (batch,) = queue.claim()
    queue.sink.commit([failed(batch, transient=False, target="others")])
    upkept(database)
    assert database.rows("SELECT target FROM ingest_fingerprints") == [("others",)]


def test_a_row_that_is_left_over_holds_nothing_up(database: Database) -> None:
    queue = Queue(database, retryable(0))
    ((number,),) = database.rows("SELECT id FROM ingest_jobs")
    with transaction(database.database, "as nobody should") as connection:
        connection.execute(sa.insert(dead), {"job": number, "fingerprint": KIND})
    (batch,) = queue.claim()
    queue.sink.commit([failed(batch, transient=False)])
    assert list(upkept(database)) == [number]


KIND = fingerprint_of("t", "s", "c", None, "E", "m")[0]


def test_two_writers_that_meet_a_new_group_both_go_on(postgres: Database) -> None:
    Queue(postgres)
    kind = ("a", "a", "a", "a", "a", "a")
    entered = "INSERT INTO ingest_fingerprints VALUES (%s, 'a', 'a', 'a', 'a', 'a', 'a', now())"
    number = fingerprint_of(*kind)[0]

    def note() -> None:
        def noted() -> None:
            with transaction(postgres.database, "note") as connection:
                upkeep.note(connection, upkeep.groups_of([kind], NOW)[1])

        retried(noted)

    with ThreadPoolExecutor(1) as threads, closing(postgres.connect()) as other:
        other.cursor().execute(entered, (str(number),))
        waiting = threads.submit(note)
        await_lock(postgres)
        other.commit()
        waiting.result(60)
    assert postgres.rows("SELECT id::text FROM ingest_fingerprints") == [(str(number),)]
