from __future__ import annotations

import pytest

from pipelines.proposal.evidence import evidence
from pipelines.proposal.sampling.column import Column
from tests.pipelines.proposal.sampling.columns import ABSENT, cells, column


@pytest.mark.parametrize(
    ("seen", "records", "said"),
    [
        (cells("a", "1", "22", "-3"), 3, "all 3 are whole numbers of up to 2 digits, some below 0"),
        (cells("a", "1"), 1, "the one record has whole numbers of up to 1 digit"),
        (cells("a", "x", "yz"), 2, "both are text of up to 2 characters"),
        (
            cells("a", "1", "", "x", "2", None),
            5,
            "2 of 5 are whole numbers of up to 1 digit, 1 text of up to 1 character (first: line 2), 1 null, 1 empty",
        ),
        (cells("a", "", ""), 2, "both are empty"),
        (column("a", [None, ABSENT, None]), 3, "2 of 3 are null, 1 of 3 are absent"),
        (column("a", [{}, ABSENT]), 2, "1 of 2 are objects, 1 absent"),
        (cells("a", "1.5", "2.25"), 2, "both are decimal numbers with up to 2 decimals"),
        (cells("a", "NA", "-"), 2, "both are words for nothing (-, NA)"),
        (
            cells("a", "1", "1.5", "x", "true", "2026-01-02", "007"),
            6,
            (
                "1 of 6 are whole numbers of up to 1 digit, 1 decimal numbers with up to 1 decimal "
                "(first: line 1), 1 text of up to 1 character (first: line 2), 1 true or false "
                "(first: line 3), and more"
            ),
        ),
    ],
)
def test_it_counts_and_shows_shapes(seen: Column, records: int, said: str) -> None:
    assert evidence(seen, records, "line {}".format) == said


def test_no_value_is_shown() -> None:
    seen = cells("a", "Ann Example", "4111111111111111", "ann@example.org", "12345.67")
    said = evidence(seen, 4, lambda record: f"line {record}")
    assert not any(secret in said for secret in ("Ann", "4111", "example", "12345"))
