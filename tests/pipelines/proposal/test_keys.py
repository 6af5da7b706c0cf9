from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipelines.proposal.keys import Candidate, candidates
from pipelines.proposal.sampling.column import Column
from pipelines.proposal.types import proposed_type
from tests.pipelines.proposal.sampling.columns import cells


def of(columns: Sequence[Column], records: int, table: str = "orders") -> list[Candidate]:
    types = {each.name: proposed_type(each, records, cells=True) for each in columns}
    return candidates(columns, types, records, table)


def numbers(name: str, count: int, *, distinct: int | None = None) -> Column:
    return cells(name, *(str(n % (distinct or count) + 1) for n in range(count)))


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["amount", "id"], "id"),
        (["customer_id", "order_id"], "order_id"),
        (["customer_id", "invoice_id"], "customer_id"),
        (["orderId", "uuid"], "orderId"),
        (["name", "Key"], "Key"),
    ],
)
def test_the_name_of_a_key_comes_first(names: list[str], best: str) -> None:
    first = of([numbers(name, 3) for name in names], 3)[0]
    assert (first.columns, first.sure) == ((best,), True)


def test_columns_with_other_names_are_candidates_in_many_records_only() -> None:
    assert of([numbers("amount", 19)], 19) == []
    (first,) = of([cells("who", *(f"n{n}" for n in range(20)))], 20)
    assert (first.columns, first.sure) == (("who",), False)
    (first,) = of([numbers("amount", 20)], 20)
    assert first.sure, "whole numbers in the first column"


def test_numbers_by_name_are_sure_in_many_records() -> None:
    columns = [cells("text", *(f"a {n}" for n in range(20))), numbers("Kunden-Nr.", 20)]
    assert [(one.columns, one.sure) for one in of(columns, 20)] == [
        (("Kunden-Nr.",), True),
        (("text",), False),
    ]


@pytest.mark.parametrize(
    "column",
    [
        numbers("id", 4, distinct=3),
        cells("id", "1", "2", "3", ""),
        cells("id", "1.5", "2.5", "3.5", "4.5"),
        cells("a,id", "1", "2", "3", "4"),
        cells("id", *("x" * 300 + str(n) for n in range(4))),
    ],
)
def test_what_cannot_be_a_key_is_no_candidate(column: Column) -> None:
    assert of([column], 4) == []


def test_pairs_are_candidates_where_no_single_column_is_one() -> None:
    day = cells("day", *(f"2026-01-{n // 2 + 1:02}" for n in range(40)))
    shop = cells("shop_id", *(str(n % 2) for n in range(40)))
    price = numbers("price", 40, distinct=3)
    first, *others = of([day, shop, price], 40)
    assert (set(first.columns), first.sure) == ({"day", "shop_id"}, True)
    assert all(not one.sure for one in others)
    assert [one.columns for one in of([numbers("id", 40), day, shop], 40)] == [("id",)]


def test_at_most_four_are_named() -> None:
    assert len(of([numbers(f"a{n}", 30) for n in range(9)], 30)) == 4
