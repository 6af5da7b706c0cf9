from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.fakes import batch_of
from transforms.batch.record import Claim
from transforms.steps import passage as passages
from transforms.steps.passage import Passage

BATCH = batch_of(b"1", b"2", b"3")


@pytest.fixture
def passage() -> Iterator[Passage]:
    passage = Passage(BATCH, lambda: False, lambda _: None)
    passages.begin(passage)
    yield passage
    passages.end()


def test_the_batch_of_a_reader_is_found_on_its_thread_however_far_it_has_come(
    passage: Passage,
) -> None:
    parsed = BATCH.with_values([1, 2, 3])
    assert passages.current(parsed) is passage
    assert passages.current(replace(parsed, span=replace(BATCH.span, end=2))) is passage


def test_no_other_batch_passes_for_it(passage: Passage) -> None:
    for other in (
        batch_of(b"1", source="memory://other"),
        batch_of(b"1", start=3),
        replace(BATCH, claim=Claim("a", {}, "p")),
    ):
        assert passages.current(other) is None


def test_another_thread_has_no_passage(passage: Passage) -> None:
    seen: list[Passage | None] = []
    thread = threading.Thread(target=lambda: seen.append(passages.current(BATCH)))
    thread.start()
    thread.join()
    assert seen == [None]


def test_what_the_first_of_several_steps_gave_back_counts(passage: Passage) -> None:
    passage.give_back(2)
    passage.give_back(1)
    passage.give_back(2)
    assert passage.back_from == 1


def test_jobs_are_settled_as_a_whole() -> None:
    jobs = replace(BATCH, claim=Claim("a", {}, "p"))
    assert Passage(jobs, lambda: False, lambda _: None).whole
