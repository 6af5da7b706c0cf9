from __future__ import annotations

import pytest

from sources.kafka.label import id_of, number_of, same_partition, stored_label


def test_a_name_is_a_number_and_the_topics_id() -> None:
    assert [(number_of(each), id_of(each)) for each in ("7", "12@a_b-c")] == [
        (7, ""),
        (12, "a_b-c"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "may_be_one"),
    [
        ("1@a", "1@a", True),
        ("1@a", "1@b", False),
        ("1@a", "1", True),
        ("1", "1", True),
        ("1@a", "2@a", False),
        ("1", "2", False),
    ],
)
def test_an_id_that_is_missing_proves_nothing(one: str, other: str, may_be_one: bool) -> None:
    assert same_partition(one, other) is may_be_one
    assert same_partition(other, one) is may_be_one


@pytest.mark.parametrize(
    ("label", "labels", "name"),
    [
        ("0@a", ["0@b", "0@a", "0"], "0@a"),
        ("0@a", ["0", "1@b"], "0"),
        ("0@a", ["0", "0@b"], None),
        ("0@a", ["0@b"], None),
        ("0@a", ["1@a"], None),
        ("0", ["0@a"], "0@a"),
        ("0", ["0@a", "0@b"], None),
        ("0", ["0", "0@a"], "0"),
        ("0@a", [], None),
    ],
)
def test_the_name_under_which_a_partition_was_settled(
    label: str, labels: list[str], name: str | None
) -> None:
    assert stored_label(label, labels) == name
