from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.transforms.mapping.mapped import batch_of, csv_batch
from transforms.batch.expansion import Branch
from transforms.batch.record import RecordBatch
from transforms.mapping.mapping import Mapping
from transforms.route.route import Route
from transforms.route.shaping import Shape, merged, part_of

NUMBER = '{"properties": {"n": {"type": "integer"}}}'


def shape(*operations: dict[str, Any], schema: str | None = None) -> Shape:
    mapping = Mapping.of(operations) if operations else None
    route = Route("t", mapping=mapping, schema=schema)
    return Shape(route, "Route/t/map", "run-1", None)


def numbered(count: int) -> RecordBatch:
    batch = batch_of([{"n": number} for number in range(count)])
    return replace(batch, targets=[f"t{number % 2}" for number in range(count)])


def test_it_is_mapped_first_and_checked_then() -> None:
    batch = batch_of([{"n": "1"}, {"n": "x"}, {"n": "2"}])
    result = shape({"cast": {"n": "integer"}}, schema=NUMBER).shaped(batch, "app.t")
    assert result.values == [{"n": 1}, {"n": 2}]
    (failure,) = result.failures
    assert (failure.stage, failure.category, failure.target) == ("map", "mapping", "app.t")
    (failure,) = shape(schema=NUMBER).shaped(batch_of([{"n": "x"}]), None).failures
    assert (failure.stage, failure.category, failure.target) == ("validate", "schema", None)


def test_several_of_a_mapping_bear_the_name_of_the_route() -> None:
    result = shape({"unnest": "a"}).shaped(batch_of([{"a": [1, 2]}]), "t")
    assert result.values == [{"a": 1}, {"a": 2}]
    assert result.expansions == [(Branch(n, 2, "Route/t/map"),) for n in range(2)]


def test_text_of_csv_is_converted_by_the_names_that_it_has_now() -> None:
    batch = csv_batch('5,""', columns=["N", "T"])
    schema = '{"properties": {"n": {"type": "integer"}, "t": {"type": ["string", "null"]}}}'
    result = shape({"rename": {"N": "n", "T": "t"}}, schema=schema).shaped(batch, "t")
    assert result.values == [{"n": 5, "t": ""}]


def test_a_part_has_its_rows_and_no_failures_of_before() -> None:
    failed = shape(schema=NUMBER).shaped(batch_of([{"n": "x"}]), "t").failures
    batch = replace(numbered(4), failures=failed, filtered=(9,))
    part = part_of(batch, [1, 3])
    assert (part.offsets, part.values) == ([1, 3], [{"n": 1}, {"n": 3}])
    assert (part.targets, part.failures, part.filtered) == (["t1", "t1"], (), ())


class TestMerged:
    def test_values_go_back_where_they_were(self) -> None:
        batch = numbered(4)
        part = part_of(batch, [1, 3])
        result = merged(batch, [([1, 3], part.with_values(["x", "y"]))])
        assert result == batch.with_values([{"n": 0}, "x", {"n": 2}, "y"])

    def test_what_is_gone_leaves_the_others_in_order(self) -> None:
        batch = numbered(6)
        odd, even = part_of(batch, [1, 3, 5]), part_of(batch, [0, 2])
        odd = odd.keep([0, 2], ["x", "z"], filtered=[3])
        result = merged(batch, [([1, 3, 5], odd), ([0, 2], even.with_values(["a", "b"]))])
        assert result.values == ["a", "x", "b", {"n": 4}, "z"]
        assert result.offsets == [0, 1, 2, 4, 5]
        assert result.targets == ["t0", "t1", "t0", "t0", "t1"]
        assert (result.filtered, result.read) == ((3,), batch.read)

    def test_records_of_one_offset_keep_their_order(self) -> None:
        ab = [(Branch(0, 2, "Route/a"),), (Branch(1, 2, "Route/b"),)]
        batch = batch_of([{"n": 0}, {"n": 0}, {"n": 1}, {"n": 1}])
        batch = replace(batch, offsets=[0, 0, 1, 1], expansions=ab * 2, targets=["a", "b"] * 2)
        part = part_of(batch, [0, 2])
        unnested = [(*ab[0], Branch(n, 2, "Route/a/map")) for n in range(2)]
        part = replace(part.keep([0, 0, 1], ["x", "y", "z"]), expansions=[*unnested, ab[0]])
        result = merged(batch, [([0, 2], part)])
        assert result.values == ["x", "y", {"n": 0}, "z", {"n": 1}]
        assert result.expansions == [*unnested, ab[1], ab[0], ab[1]]

    def test_elements_of_a_message_keep_their_order(self) -> None:
        batch = replace(numbered(3), offsets=[0, 0, 0], elements=[0, 1, 2])
        part = part_of(batch, [0, 2]).keep([1], ["z"], filtered=[0])
        assert merged(batch, [([0, 2], part)]).values == [{"n": 1}, "z"]
