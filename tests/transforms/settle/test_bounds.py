"""Every table has bounds: its own, those of the pattern that its name matches, or those of home."""

from __future__ import annotations

import pickle

from transforms.settle.bounds import Bounds, TableBounds

ORDERS, EVENTS, HOME = Bounds(records=10), Bounds(bytes=1_000), Bounds(age=2.0)
TABLES = TableBounds(HOME, {"orders": ORDERS, "event_x": ORDERS}, (("event_.*", EVENTS),))


def test_a_table_has_its_own_bounds_before_those_of_a_pattern_and_those_of_home() -> None:
    labels = ("orders", "event_x", "event_y", "other")
    assert [TABLES.of(label) for label in labels] == [ORDERS, ORDERS, EVENTS, HOME]


def test_a_pattern_matches_a_whole_label() -> None:
    assert TABLES.of("app.event_y") == HOME


def test_the_first_pattern_that_matches_counts() -> None:
    both = TableBounds(patterns=(("a.*", ORDERS), ("ab", EVENTS)))
    assert both.of("ab") == ORDERS


def test_the_largest_of_all_tables_is_what_there_must_be_room_for() -> None:
    assert (TABLES.most_records, TABLES.most_bytes) == (10, 1_000)
    assert (TableBounds().most_records, TableBounds().most_bytes) == (0, 0)


def test_bounds_are_unset_only_if_no_table_has_any() -> None:
    assert TableBounds(tables={"orders": Bounds()}).unset
    assert not TableBounds(patterns=(("a", EVENTS),)).unset
    assert not Bounds(age=0.0).unset


def test_they_travel_to_the_workers() -> None:
    assert pickle.loads(pickle.dumps(TABLES)) == TABLES
