"""What the function for certain fields makes of records is what that for any records makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import batch_of, csv_batch, mapped_batch
from transforms.batch.record import RecordBatch
from transforms.mapping.compiling import compiled
from transforms.mapping.mapping import Mapping

CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(
        ["", " 7 ", "1.50", "x", "2024-02-03", "2024-02-03T04:05:06Z", "2024-02-03T04:05:99Z"]
    )
)
VALUES = CELLS | st.lists(CELLS, max_size=2) | st.dictionaries(st.sampled_from("pq"), CELLS)
FIELDS = st.sampled_from("abcde")
OPERATIONS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"select": st.lists(FIELDS, min_size=2, unique=True)}),
        st.fixed_dictionaries({"drop": FIELDS}),
        st.fixed_dictionaries({"rename": st.dictionaries(FIELDS, FIELDS, min_size=1)}),
        st.fixed_dictionaries(
            {
                "set": st.dictionaries(
                    FIELDS, st.sampled_from([1, "@offset", "@path.dt", "@source"]), min_size=1
                )
            }
        ),
        st.fixed_dictionaries({"default": st.dictionaries(FIELDS, st.just("d"), min_size=1)}),
        st.fixed_dictionaries(
            {
                "path": st.dictionaries(
                    FIELDS, st.sampled_from(["a.p", "b[0]", "c", "d[-1].q"]), min_size=1
                )
            }
        ),
        st.fixed_dictionaries(
            {
                "cast": st.dictionaries(
                    FIELDS,
                    st.sampled_from(["integer", "decimal", "text", "date", "timestamp", "boolean"]),
                    min_size=1,
                )
            }
        ),
        st.fixed_dictionaries({"trim": FIELDS}),
        st.fixed_dictionaries({"case": st.dictionaries(FIELDS, st.just("upper"), min_size=1)}),
        st.fixed_dictionaries({"hash": FIELDS}),
        st.fixed_dictionaries({"mask": FIELDS}),
        st.fixed_dictionaries({"filter": st.sampled_from(["a", "b == 'x'"])}),
        st.fixed_dictionaries(
            {"compute": st.dictionaries(FIELDS, st.sampled_from("ab"), min_size=1)}
        ),
        st.fixed_dictionaries({"flatten": FIELDS}),
        st.fixed_dictionaries({"unnest": FIELDS}),
    ),
    max_size=5,
)


def outcome(operations: list[dict[str, Any]], batch: RecordBatch, fewest: int) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "FEWEST", fewest)
        result = mapped_batch(operations, batch)
    assert result.values is not None
    return (
        list(result.values),
        [(failure.origin, failure.message) for failure in result.failures],
        result.filtered,
        result.offsets,
    )


@settings(max_examples=150)
@drawn(
    OPERATIONS,
    st.lists(st.fixed_dictionaries(dict.fromkeys("abc", VALUES)), min_size=1, max_size=4),
)
def test_records_of_json_are_mapped_alike(
    operations: list[dict[str, Any]], values: list[dict[str, Any]]
) -> None:
    batch = batch_of(values)
    assert outcome(operations, batch, 1) == outcome(operations, batch, 1_000)


@pytest.mark.parametrize("fewest", [1, 1_000])
def test_cells_of_csv_are_mapped_alike(fewest: int) -> None:
    operations: list[dict[str, Any]] = [
        {"cast": {"n": "integer", "d": "date"}},
        {"default": {"t": "none", "n": 0}},
    ]
    batch = csv_batch("1,,", '"",2024-02-03,""', ',2024-02-03,""', columns=["n", "d", "t"])
    values, failures, _, _ = outcome(operations, batch, fewest)
    assert values == [
        {"n": 1, "d": None, "t": "none"},
        {"n": 0, "d": "2024-02-03", "t": ""},
    ]
    assert [message for _, message in failures] == ["cast n: '' is not an integer"]


@pytest.mark.parametrize(
    "values",
    [
        [{"a": 1, "b": 2}, {"a": 1, "c": 2}],  # as many fields, but others
        [{"a": 1, "b": 2}, {"a": 1}],
        [{"a": 1, "b": 2}, 5],
        [{"a": 1, "b": 2}, ["a", "b"]],
        [{"b": 2, "a": 1}, {"a": 1, "b": 2}],
        [{}, {}],
    ],
)
def test_records_that_differ_are_not_taken_for_the_first(values: list[Any]) -> None:
    operations: list[dict[str, Any]] = [{"rename": {"a": "x"}}, {"cast": {"x": "text"}}]
    batch = batch_of(values)
    assert outcome(operations, batch, 1) == outcome(operations, batch, 1_000)


def test_the_functions_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MOST_SHAPES", 3)
    monkeypatch.setattr(compiled, "FEWEST", 1)
    operations = Mapping.of([{"set": {"x": 1}}]).operations
    (part,) = compiled.compiled(operations, csv=False)
    runs = [part.of(range(1), [{f"f{n}": n, "g": 1}])[0] for n in range(9)]
    assert len({id(run) for run in runs}) == 3 + 1
