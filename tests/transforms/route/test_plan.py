from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import batch_of, csv_batch
from transforms.batch.record import RecordBatch
from transforms.mapping.reading.document import part_of
from transforms.route.conditions.columns import Columns
from transforms.route.conditions.condition import All, condition_of
from transforms.route.conditions.predicate import bound
from transforms.route.plan import Plan

VALUES: list[Any] = ["a", "b", "1", 0, 1, 2, True, False, None, 2.0, Decimal("2.5"), 2.5, [], {}]
CONDITIONS: list[Any] = [
    *({"field": "type", "is": value} for value in ("a", 1, 2, True, Decimal("2.5"))),
    {"field": "type", "in": ["a", "b", 2]},
    {"field": "type", "in": ["b", False]},
    {"field": "type", "matches": "a|1"},
    {"field": "other", "is": "a"},
    {"field": "type", "is": "a", "condition": "other == 'a'"},
    {"not": {"field": "type", "exists": True}},
    {"topic": "t"},
    {},
]


def matched(whens: list[Any], batch: RecordBatch) -> list[tuple[int, ...]]:
    conditions = [condition_of(part_of(when, "here")) if when else All() for when in whens]
    matches = Plan(conditions, [str(n) for n in range(len(whens))], batch, hidden=False).matches(
        batch
    )
    return [matches.routes[code] for code in matches.codes]


def test_all_routes_whose_condition_holds_are_there() -> None:
    whens = [{"field": "type", "is": "a"}, {}, {"field": "type", "in": ["a", "b"]}]
    values: Any = ({"type": "a"}, {"type": "b"}, {"type": "c"}, {})
    assert matched(whens, batch_of(values)) == [(0, 1, 2), (1, 2), (1,), (1,)]


@drawn(
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=6),
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"type": st.sampled_from(VALUES), "other": st.sampled_from(VALUES)}
        ),
        max_size=6,
    ),
)
def test_a_look_up_finds_what_the_conditions_one_by_one_find(
    whens: list[Any], values: list[dict[str, Any]]
) -> None:
    batch = batch_of(values)
    alone = []
    for when in whens:
        condition = condition_of(part_of(when, "here")) if when else All()
        if when == {"topic": "t"}:
            alone.append([False] * len(values))
            continue
        predicate = bound(condition, "r", csv=False, hidden=False)(Columns(batch))
        alone.append([predicate(index) for index in range(len(values))])
    expected = [
        tuple(number for number, column in enumerate(alone) if column[index])
        for index in range(len(values))
    ]
    assert matched(whens, batch) == expected


@pytest.mark.parametrize("whens", [[{"field": "n", "is": 5}], [{"field": "n", "in": [5, "x"]}]])
def test_a_number_is_the_text_of_a_cell_of_csv(whens: list[Any]) -> None:
    assert matched(whens, csv_batch("5,a", "6,b", columns=["n", "t"])) == [(0,), ()]


def test_a_condition_that_cannot_be_evaluated_refuses_its_record_alone() -> None:
    batch = batch_of([{"a": 6}, {"a": "text"}, {"a": 4}])
    conditions = [condition_of(part_of("a > `5`", "here")), All()]
    matches = Plan(conditions, ["big", "all"], batch, hidden=False).matches(batch)
    assert list(matches.refused) == [1]
    assert "route big" in str(matches.refused[1])
    assert [matches.routes[code] for code in matches.codes][::2] == [(0, 1), (1,)]
