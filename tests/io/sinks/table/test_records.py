"""Each record of a commit is counted in the batch that it came with."""

from __future__ import annotations

from sinks.table.records import Records, Written

RECORDS = Records([{"n": i} for i in range(5)], {}, starts=[0, 2, 2])


def test_a_record_has_its_place_in_its_batch() -> None:
    assert [RECORDS.place_of(i) for i in range(5)] == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]


def test_insertions_are_counted_by_batch() -> None:
    written = Written.nothing(3)
    written.insert(RECORDS, [1, 2, 4])
    assert (written.inserted, written.updated, written.effects) == ([1, 0, 2], [0, 0, 0], {})


def test_effects_are_kept_only_if_requested() -> None:
    records = Records(RECORDS.values, {}, RECORDS.starts, effects=True)
    written = Written.nothing(3)
    written.insert(records, [0])
    written.affect(records, {1: "update", 4: "insert"})
    assert (written.inserted, written.updated) == ([1, 0, 1], [1, 0, 0])
    assert written.effects == {0: "insert", 1: "update", 4: "insert"}


def test_all_records_are_counted_for_their_batches_as_some_are() -> None:
    records = Records([{}] * 5, {}, (0, 2, 2), effects=True)
    together, apart = Written.nothing(3), Written.nothing(3)
    together.insert(records, range(5))
    together.update(records, [4, 0])
    for index in range(5):
        apart.insert(records, [index])
    for index in (4, 0):
        apart.update(records, [index])
    assert together == apart
    assert (together.inserted, together.updated) == ([2, 0, 3], [1, 0, 1])
    assert together.effects == {0: "update", 1: "insert", 2: "insert", 3: "insert", 4: "update"}
