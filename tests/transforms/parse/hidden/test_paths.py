"""How hidden fields are named."""

from __future__ import annotations

from transforms.parse.hidden.paths import in_record, merged


def test_paths_are_merged_each_once() -> None:
    assert merged([("b",), ("a", "x")], [("b",), ()]) == ((), ("a", "x"), ("b",))


def test_names_are_compared_without_case_and_a_flattened_name_counts_as_the_path() -> None:
    assert set(in_record(((" User ", "Card"),))) == {("user", "card"), ("user.card",)}
    assert in_record(((),)) == ()
