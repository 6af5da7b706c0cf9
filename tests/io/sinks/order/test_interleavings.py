"""Random interleavings of changes, retries and replays: each row ends as its newest change says.

A few here; ``make interleavings`` tries 2,000 of them with two connections to Postgres.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Sequence
from dataclasses import replace

from sinks.sql import SqlSink
from tests.io.sinks.order.changes import (
    TABLE,
    Message,
    committed,
    event,
    put_off,
    queue_of,
    read,
    retried,
    sink_of,
    tombstone,
    unwrapped,
)
from tests.io.sinks.tested_database import Database
from transforms.batch.record import RecordBatch

SEEDS = int(os.environ.get("INTERLEAVINGS", "12"))
MARKED_SEEDS = int(os.environ.get("INTERLEAVINGS", "3"))
KEYS = 3
CHANGES = 24


class Story:
    """What one source does to a few rows, and how it comes to two partitions."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.ids = range(seed * KEYS, (seed + 1) * KEYS)
        self.newest: dict[int, int | None] = {}
        self.partitions: list[list[Message]] = [[], []]
        for lsn in range(1, CHANGES + 1):
            self._change(lsn)
        for messages in self.partitions:
            self._disturb(messages)

    def _change(self, lsn: int) -> None:
        id_ = self.random.choice(self.ids)
        is_there = self.newest.get(id_) is not None
        op = self.random.choice("uud") if is_there else "c"
        self.newest[id_] = None if op == "d" else lsn
        partition = self.random.choice(self.partitions)
        partition.append(event(op, id_, lsn))
        if op == "d" and self.random.random() < 0.5:
            partition.append(tombstone(id_))

    def _disturb(self, messages: list[Message]) -> None:
        """Some changes come late, and some twice; a tombstone stays behind what it follows."""
        for _ in range(4):
            changes = [place for place, (value, _) in enumerate(messages) if value is not None]
            if len(changes) > 1:
                one, other = self.random.sample(changes, 2)
                if not self._is_followed(messages, one) and not self._is_followed(messages, other):
                    messages[one], messages[other] = messages[other], messages[one]
        for _ in range(3):
            changes = [place for place, (value, _) in enumerate(messages) if value is not None]
            if changes:
                again = messages[self.random.choice(changes)]
                messages.append(again)

    def _is_followed(self, messages: Sequence[Message], place: int) -> bool:
        """Whether a tombstone of its key is in the partition: it ends what lies before it."""
        key = messages[place][1]
        return any(value is None and of == key for value, of in messages)

    def batches(self, number: int) -> list[RecordBatch]:
        """The batches of a partition; some of their records fail at first."""
        messages, name = self.partitions[number], f"{self.seed}-{number}"
        batches, start = [], 0
        while start < len(messages):
            end = start + self.random.randint(1, 6)
            batch = unwrapped(read(messages[start:end], start, name))
            late = [i for i in range(len(batch.raws)) if self.random.random() < 0.25]
            batches.append(put_off(batch, late))
            start = min(end, len(messages))
        return batches

    @property
    def rows(self) -> list[tuple[int, int]]:
        """The rows that the source has in the end."""
        return sorted((id_, lsn) for id_, lsn in self.newest.items() if lsn is not None)


def play(sink: SqlSink, story: Story, lease: str) -> None:
    """Commit both partitions at once, in any order with retries and replays."""
    failed: list[BaseException] = []
    start = threading.Barrier(2)

    def run(number: int) -> None:
        choice = random.Random(f"{story.seed}-{number}")
        done: list[RecordBatch] = []
        try:
            start.wait()
            for batch in batches[number]:
                committed(sink, batch)
                done.append(batch)
                if choice.random() < 0.3:
                    committed(sink, choice.choice(done))
                if choice.random() < 0.3:
                    retried(sink, lease)
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            failed.append(error)

    batches = [story.batches(0), story.batches(1)]
    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    while retried(sink, lease):
        pass


def rows_of(database: Database, story: Story, condition: str = "true") -> list[tuple[int, int]]:
    low, high = story.ids[0], story.ids[-1]
    query = (
        f"SELECT id, n FROM events WHERE id BETWEEN {low} AND {high} AND {condition} ORDER BY id"
    )
    return [(id_, lsn) for id_, lsn in database.rows(query)]


def sums(database: Database) -> list[tuple[int, ...]]:
    outcomes = "inserted + updated + deleted + duplicates + dead + retrying"
    return database.rows(
        f"SELECT count(*) FROM ingest_progress WHERE read <> {outcomes} OR dead + retrying <> 0"
    )


def test_no_row_is_resurrected(database: Database) -> None:
    database.run(TABLE)
    sink = sink_of(database)
    lease = queue_of(sink).lease()
    for seed in range(SEEDS if database.kind == "postgres" else min(SEEDS, 4)):
        story = Story(seed)
        play(sink, story, lease)
        assert rows_of(database, story) == story.rows, f"seed {seed}"
    assert sums(database) == [(0,)]


def test_a_mark_tells_the_same(database: Database) -> None:
    database.run(TABLE)
    sink = sink_of(database, on_delete="mark:gone")
    lease = queue_of(sink).lease()
    for seed in range(MARKED_SEEDS if database.kind == "postgres" else 2):
        story = Story(seed)
        play(sink, story, lease)
        assert rows_of(database, story, "NOT gone") == story.rows, f"seed {seed}"
    assert sums(database) == [(0,)]


def test_stories_have_what_they_are_about() -> None:
    stories = [Story(seed) for seed in range(40)]
    messages = [message for story in stories for part in story.partitions for message in part]
    ops = [value["op"] for value, _ in messages if value is not None]
    assert {"c", "u", "d"} == set(ops)
    assert any(value is None for value, _ in messages)
    assert any(story.rows for story in stories)
    assert any(len(story.rows) < len(story.newest) for story in stories)
    assert replace(stories[0].batches(0)[0]).changes
