"""What a writer has not settled yet, and how a reader of its thread waits for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from transforms.settle import unsettled
from transforms.settle.unsettled import Unsettled


@pytest.fixture(autouse=True)
def left() -> Iterator[None]:
    yield
    unsettled.enter(None)


def test_it_is_found_on_its_thread_only() -> None:
    assert unsettled.of_thread() is None
    writer = Unsettled()
    unsettled.enter(writer)
    assert unsettled.of_thread() is writer
    others: list[Unsettled | None] = []
    thread = threading.Thread(target=lambda: others.append(unsettled.of_thread()))
    thread.start()
    thread.join()
    assert others == [None]
    unsettled.enter(None)
    assert unsettled.of_thread() is None


def test_a_commit_that_ends_lets_the_reader_go_on() -> None:
    writer = Unsettled()
    writer.add(8)
    writer.begin()
    writer.begin()
    thread = threading.Thread(target=lambda: writer.end(5))
    thread.start()
    assert writer.wait(3, 30.0)
    thread.join()
    assert writer.records == 3


def test_what_no_commit_has_is_not_waited_for() -> None:
    writer = Unsettled()
    writer.add(8)
    assert writer.wait(0, 0.0), "it begins with the next batch"
    assert writer.stranded
    writer.begin()
    assert not writer.stranded
    assert not writer.wait(7, 0.0)
    assert writer.wait(8, 0.0)


def test_a_bundle_begins_with_none() -> None:
    writer = Unsettled()
    writer.add(8)
    writer.begin()
    writer.clear()
    assert writer.wait(0, 0.0)
    assert writer.records == 0


def test_what_was_settled_is_counted_over_bundles_and_only_while_a_commit_is_under_way() -> None:
    writer = Unsettled()
    assert writer.progress() == (0, 0.0)
    writer.add(8)
    writer.begin()
    writer.end(5)
    records, seconds = writer.progress()
    assert records == 5
    writer.clear()
    writer.add(3)
    assert writer.progress() == (5, seconds), "nothing is under way"
    writer.begin()
    writer.end(3)
    later = writer.progress()
    assert later[0] == 8
    assert later[1] >= seconds
