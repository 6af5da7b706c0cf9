from __future__ import annotations

import pytest

from transforms.batch.record import Format
from transforms.errors import Reject
from transforms.parse.csv.columns import fewest, free_name, names_of, row_of
from transforms.parse.csv.rows import parse_row, parse_rows

LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("columns", "names", "least"),
    [
        (("id", "name"), ("id", "name"), 2),
        (("", "id", ""), ("column_1", "id", "column_3"), 2),
        (("id", "", "column_2"), ("id", "column_2_2", "column_2"), 3),
        (("", ""), ("column_1", "column_2"), 2),
    ],
)
def test_a_column_without_a_name_is_called_after_its_place(
    columns: tuple[str, ...], names: tuple[str, ...], least: int
) -> None:
    assert (names_of(columns), fewest(columns)) == (names, least)


def test_a_name_is_free_with_the_first_number_that_nobody_has() -> None:
    assert free_name("a", {"a", "a_2", "a_4"}) == "a_3"


def test_only_a_cell_without_a_name_is_left_out_when_it_is_empty() -> None:
    assert row_of(("a", "", "b", ""), ["", "", None, "x"]) == {"a": "", "b": None, "column_4": "x"}


@pytest.mark.parametrize(
    ("raw", "row"),
    [
        (b"1,a", {"id": "1", "name": "a"}),
        (b"1,a,", {"id": "1", "name": "a"}),
        (b"1,a,,", {"id": "1", "name": "a"}),
        (b"1,a,NA", {"id": "1", "name": "a"}),
        (b"1,a,x", {"id": "1", "name": "a", "column_3": "x"}),
        (b"1", None),
        (b"1,a,,,", None),
    ],
)
def test_a_row_may_lack_what_has_no_name(raw: bytes, row: dict[str, str | None] | None) -> None:
    format_ = Format("csv", ("id", "name", "", ""), nulls=("NA",))
    if row is None:
        with pytest.raises(Reject, match="expected 2 to 4 columns"):
            parse_row(raw, LIMIT, format_)
        assert parse_rows([raw, b"2,b"], LIMIT, format_) is None
        return
    assert parse_row(raw, LIMIT, format_) == row
    assert parse_rows([raw, b"2,b"], LIMIT, format_) == [row, {"id": "2", "name": "b"}]
