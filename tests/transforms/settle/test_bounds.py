"""Every table has bounds: its own, those of tables that nobody named, or those of home."""

from __future__ import annotations

import pickle
from itertools import product

from transforms.settle.bounds import Bounds, TableBounds, tightest

ORDERS, OTHERS, HOME = Bounds(records=10), Bounds(bytes=1_000), Bounds(age=2.0)
TABLES = TableBounds(HOME, {"orders": ORDERS}, OTHERS)


def test_a_table_that_nobody_named_has_the_bounds_of_others_or_of_home() -> None:
    assert [TABLES.of(label) for label in ("orders", "new")] == [ORDERS, OTHERS]
    assert TableBounds(HOME, {"orders": ORDERS}).of("new") == HOME


def test_the_tightest_bounds_let_nothing_wait_for_longer_than_any() -> None:
    values = (None, 1, 2)
    every = [Bounds(*numbers) for numbers in product(values, values, values)]

    def begins(bounds: Bounds, records: int, bytes_: int, age: float) -> bool:
        return (
            bounds.unset
            or records >= (bounds.records or 9)
            or bytes_ >= (bounds.bytes or 9)
            or age >= (bounds.age or 9)
        )

    for one, other in product(every, every):
        for waiting in product((0, 1, 2), repeat=3):
            expected = begins(one, *waiting) or begins(other, *waiting)
            assert begins(tightest([one, other]), *waiting) == expected, (one, other, waiting)


def test_the_largest_of_all_tables_is_what_there_must_be_room_for() -> None:
    assert (TABLES.most_records, TABLES.most_bytes) == (10, 1_000)
    assert (TableBounds().most_records, TableBounds().most_bytes) == (0, 0)


def test_bounds_are_unset_only_if_no_table_has_any() -> None:
    assert TableBounds(tables={"orders": Bounds()}).unset
    assert not TableBounds(others=OTHERS).unset
    assert not Bounds(age=0.0).unset


def test_they_travel_to_the_workers() -> None:
    assert pickle.loads(pickle.dumps(TABLES)) == TABLES
