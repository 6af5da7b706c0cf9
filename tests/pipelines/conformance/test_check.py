"""A trial counts its comparisons, and a failure is one short line."""

from __future__ import annotations

import pytest

from pipelines.conformance.check import Check, Failed, Trial


def test_what_is_as_expected_is_counted() -> None:
    trial = Trial()
    trial.equal("one", 1, 1)
    trial.true("it rains", True)
    assert trial.compared == 2


def test_what_is_not_says_both_values_within_bounds() -> None:
    with pytest.raises(Failed, match=r"^rows: expected 'x+…, got 2$"):
        Trial().equal("rows", 2, "x" * 10_000)
    with pytest.raises(Failed, match="not true: it rains"):
        Trial().true("it rains", "")


def test_each_check_has_a_table_of_its_own() -> None:
    check = Check("types.uuid", "it is kept", lambda _ground, _trial: None)
    assert check.table == "types_uuid"
