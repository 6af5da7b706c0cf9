"""Where a partition begins: position before ledger before group and URI, and old topics apart."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sources.kafka.beginning import Beginning, History
from transforms.batch.coverage import Coverage, Range


def history(
    positions: Mapping[str, int] | None = None,
    settled: Mapping[str, tuple[Range, ...]] | None = None,
    topic_id: str = "new",
) -> History:
    coverages = {label: Coverage(ranges) for label, ranges in (settled or {}).items()}
    return History.of_topic(topic_id, positions or {}, coverages)


def beginning(of: History, label: str = "0@new", chosen: int | None = None) -> Beginning:
    return of.beginning(label, 3, chosen, pinned=True)


class TestPosition:
    def test_it_goes_before_ledger_and_choice(self) -> None:
        of = history({"0@new": 8}, {"0@new": ((0, 20),)})
        assert beginning(of, chosen=30) == Beginning("0@new", 8)

    def test_its_label_without_an_id_is_kept(self) -> None:
        assert beginning(history({"0": 8})) == Beginning("0", 8)

    def test_one_of_an_earlier_topic_does_not_count(self) -> None:
        assert beginning(history({"0@old": 8})).recreated


class TestLedger:
    def test_the_first_gap_goes_before_the_choice(self) -> None:
        of = history(settled={"0@new": ((0, 5), (9, 12))})
        assert beginning(of, chosen=30) == Beginning("0@new", 5)

    def test_what_a_plain_number_has_settled_moves_to_the_label_with_the_id(self) -> None:
        of = history(settled={"0": ((0, 5), (9, 12))})
        assert beginning(of) == Beginning("0@new", 5, ((5, 5), (9, 12)))

    def test_a_plain_number_may_mean_an_earlier_topic(self) -> None:
        of = history(settled={"0": ((0, 5),), "1@old": ((0, 5),)})
        assert beginning(of) == Beginning("0@new", 3, ((3, 3),), recreated=True)

    def test_without_an_id_the_stored_label_stays(self) -> None:
        of = history(settled={"0@a": ((0, 5),)}, topic_id="")
        assert beginning(of, label="0") == Beginning("0@a", 5), "a missing id proves nothing"
        assert beginning(history(settled={"0": ((0, 5),)}, topic_id=""), "0") == Beginning("0", 5)

    def test_a_partition_of_which_nothing_is_settled_has_no_gap(self) -> None:
        assert beginning(history(settled={"0@new": ()}), chosen=30).offset == 30


class TestRecreated:
    def test_what_group_and_uri_say_was_meant_for_the_earlier_topic(self) -> None:
        of = history(settled={"0@old": ((0, 100),)})
        assert beginning(of, chosen=30) == Beginning("0@new", 3, ((3, 3),), recreated=True)

    def test_a_partition_that_only_the_new_topic_has_begins_likewise(self) -> None:
        of = history(settled={"0@old": ((0, 100),)})
        assert beginning(of, label="7@new", chosen=30).recreated


class TestChoice:
    @pytest.mark.parametrize(("pinned", "pins"), [(True, ((30, 30),)), (False, ())])
    def test_a_chosen_offset_is_pinned_unless_it_is_found_again_anyway(
        self, pinned: bool, pins: tuple[Range, ...]
    ) -> None:
        chosen = history().beginning("0@new", 3, 30, pinned=pinned)
        assert chosen == Beginning("0@new", 30, pins)

    def test_without_a_choice_it_is_the_first_offset_that_exists(self) -> None:
        assert beginning(history()) == Beginning("0@new", 3)


@pytest.mark.parametrize(
    ("of", "is_new"),
    [
        (history(), True),
        (history(settled={"1@new": ((0, 5),)}), True),
        (history({"0@new": 1}), False),
        (history(settled={"0": ((0, 5),)}), False),
        (history(settled={"1@old": ((0, 5),)}), False),
    ],
)
def test_a_partition_is_new_if_neither_it_nor_an_earlier_topic_is_known(
    of: History, is_new: bool
) -> None:
    assert of.is_new("0@new") is is_new
