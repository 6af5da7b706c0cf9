from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.fakes import batch_of
from transforms.batch.record import Claim, RecordBatch
from transforms.batch.splits import Polled
from transforms.read.emission import Emission, Interrupted


def emission_of(*batches: RecordBatch, **more: object) -> Emission:
    return Emission(Polled(batches, (("", 9),), **more))  # type: ignore[arg-type]


def spans(emission: Emission, most: int | None) -> list[tuple[int, int, bool]]:
    """Start, end and finality of each batch that is emitted."""
    emitted = []
    while emission.rest:
        batch = emission.next(most)
        assert batch is not None
        emitted.append((batch.span.start, batch.span.end, batch.span.final))
    return emitted


def test_batches_are_cut_to_what_the_steps_can_take() -> None:
    batches = [batch_of(*b"abcde"[:0], start=0), batch_of(b"a", b"b", b"c", final=True)]
    assert spans(emission_of(*batches), 2) == [(0, 0, False), (0, 2, False), (2, 3, True)]
    assert spans(emission_of(*batches), None) == [(0, 0, False), (0, 3, True)]


def test_a_message_is_not_divided_whatever_the_bound() -> None:
    batch = replace(batch_of(b"a", b"a", b"a", b"b"), offsets=[0, 0, 0, 1])
    batch = replace(batch, span=replace(batch.span, end=2), elements=[0, 1, 2, 0])
    assert spans(emission_of(batch), 2) == [(0, 1, False), (1, 2, False)]


@pytest.mark.parametrize(
    ("most", "most_bytes", "lengths"),
    [
        (None, 4, [2, 1, 1, 2]),
        (1, 4, [1, 1, 1, 1, 1, 1]),
        (None, 1, [1, 1, 1, 1, 1, 1]),
        (None, 100, [6]),
        (4, 100, [4, 2]),
    ],
)
def test_batches_are_cut_to_bytes_with_one_record_at_least(
    most: int | None, most_bytes: int, lengths: list[int]
) -> None:
    emission = emission_of(batch_of(b"aa", b"bb", b"cccc", b"ddddd", b"e", b"f"))
    emitted = []
    while emission.rest:
        batch = emission.next(most, most_bytes)
        assert batch is not None
        emitted.append(len(batch.raws))
    assert emitted == lengths


def test_jobs_are_not_divided() -> None:
    jobs = replace(batch_of(b"a", b"b"), claim=Claim("a", {}, "p"))
    assert spans(emission_of(jobs), 1) == [(0, 2, False)]


def test_what_steps_gave_back_comes_first() -> None:
    emission = emission_of(batch_of(b"a", b"b", b"c"), batch_of(b"d", start=3))
    batch = emission.next(None)
    assert batch is not None
    passage = emission.passage(batch)
    passage.give_back(1)
    emission.take_back(passage)
    assert spans(emission, None) == [(1, 3, False), (3, 4, False)]


def test_a_batch_that_nothing_was_taken_of_comes_again_whole() -> None:
    emission = emission_of(batch_of(b"a", b"b", start=5))
    batch = emission.next(None)
    assert batch is not None
    passage = emission.passage(batch)
    passage.give_back(5)
    emission.take_back(passage)
    assert emission.next(None) is batch


def test_messages_are_taken_apart_one_batch_at_a_time() -> None:
    taken: list[int] = []

    def halves(batch: RecordBatch) -> Iterator[RecordBatch]:
        taken.append(batch.span.start)
        yield batch

    emission = emission_of(batch_of(b"a"), batch_of(b"b", start=1), cut=halves)
    emission.next(None)
    assert taken == [0]


def test_jobs_that_steps_gave_back_are_released_with_those_behind_them() -> None:
    released: list[Sequence[RecordBatch]] = []
    jobs = [replace(batch_of(b"a", start=n), claim=Claim(str(n), {}, "p")) for n in range(3)]
    emission = emission_of(*jobs, release=released.append)
    emission.next(None)
    batch = emission.next(None)
    assert batch is not None
    passage = emission.passage(batch)
    passage.give_back(batch.span.start)
    emission.take_back(passage)
    assert released == [jobs[1:]]
    assert not emission.rest


def test_closing_a_reader_releases_what_was_not_emitted() -> None:
    released: list[Sequence[RecordBatch]] = []
    closed: list[str] = []

    class Reader:
        def poll(self, timeout: float) -> Polled:
            raise AssertionError

        def backlog(self) -> int:
            raise AssertionError

        def close(self) -> None:
            closed.append("reader")

    jobs = [replace(batch_of(b"a"), claim=Claim("a", {}, "p"))]
    kept = Interrupted(Reader(), emission_of(*jobs, release=released.append))
    kept.close()
    assert (released, closed) == ([jobs], ["reader"])
