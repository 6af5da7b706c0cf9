"""The readers that a process keeps between two bundles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import fakes
from tests.fakes import ListSource, NoLedger
from tests.transforms.forks import in_child
from transforms.batch.splits import Split
from transforms.read.readers import Readers

SOURCE = ListSource("kept")
SPLIT = Split("memory://kept", "memory://kept/0")


@pytest.fixture(autouse=True)
def fresh_record() -> Iterator[None]:
    fakes.CLOSED.clear()
    yield
    fakes.CLOSED.clear()


def test_a_reader_is_handed_out_at_the_position_it_stands_at() -> None:
    readers = Readers()
    reader = SOURCE.open(SPLIT, (), NoLedger())
    readers.put(SOURCE, SPLIT, (("", 3),), reader)
    assert readers.take(SOURCE, SPLIT, (("", 3),)) is reader
    assert readers.take(SOURCE, SPLIT, (("", 3),)) is None, "and to one only"


def test_a_reader_at_another_position_is_closed() -> None:
    readers = Readers()
    readers.put(SOURCE, SPLIT, (("", 3),), SOURCE.open(SPLIT, (), NoLedger()))
    assert readers.take(SOURCE, SPLIT, (("", 2),)) is None
    assert fakes.CLOSED == ["memory://kept/0"]


def test_readers_are_bounded_in_number() -> None:
    readers = Readers()
    for index in range(Readers.LIMIT + 1):
        split = Split("memory://kept", f"memory://kept/{index}")
        readers.put(SOURCE, split, (), SOURCE.open(split, (), NoLedger()))
    assert fakes.CLOSED == ["memory://kept/0"], "the one unused for longest"


def test_all_readers_are_closed_at_the_end() -> None:
    readers = Readers()
    readers.put(SOURCE, SPLIT, (), SOURCE.open(SPLIT, (), NoLedger()))
    readers.close()
    assert fakes.CLOSED == ["memory://kept/0"]
    assert readers.take(SOURCE, SPLIT, ()) is None


def test_a_forked_process_leaves_its_parents_readers_alone() -> None:
    readers = Readers()
    reader = SOURCE.open(SPLIT, (), NoLedger())
    readers.put(SOURCE, SPLIT, (), reader)

    def child_has_none() -> bool:
        taken = readers.take(SOURCE, SPLIT, ())
        readers.close()
        return taken is None and not fakes.CLOSED

    assert in_child(child_has_none)
    assert readers.take(SOURCE, SPLIT, ()) is reader
