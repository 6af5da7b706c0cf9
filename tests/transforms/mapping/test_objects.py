from __future__ import annotations

from typing import Any

import pytest

from tests.transforms.mapping.mapped import batch_of, mapped, mapped_batch

PATHS = {"city": "user.address.city", "tag": "tags[0]", "last": "tags[-1]"}


class TestPath:
    @pytest.mark.parametrize(
        ("record", "fields"),
        [
            ({"user": {"address": {"city": "B"}}, "tags": ["a", "b"]}, ("B", "a", "b")),
            ({"user": {"address": {}}, "tags": []}, ()),
            ({}, ()),
            ({"user": None, "tags": None}, (None, None, None)),
            ({"user": {"address": {"city": None}}, "tags": [None]}, (None, None, None)),
        ],
    )
    def test_what_is_there_is_taken_and_null_on_the_way_is_null(
        self, record: dict[str, Any], fields: tuple[Any, ...]
    ) -> None:
        (outcome,) = mapped([{"path": PATHS}, {"drop": ["user", "tags"]}], record)
        assert outcome == dict(zip(PATHS, fields, strict=False))

    def test_a_path_that_leads_nowhere_leaves_the_field_alone(self) -> None:
        assert mapped([{"path": {"a": "x.y"}}], {"a": 1}, {"a": 1, "x": {"y": 2}}) == [
            {"a": 1},
            {"a": 2, "x": {"y": 2}},
        ]

    @pytest.mark.parametrize(
        ("record", "reason"),
        [
            ({"user": "Ann"}, "city: user is a text, and user.address.city needs an object there"),
            (
                {"user": {"address": [1]}},
                "city: user.address is an array, and user.address.city needs",
            ),
            ({"tags": {"a": 1}}, "tag: tags is an object, and tags[0] needs an array there"),
        ],
    )
    def test_a_value_of_another_shape_is_refused(self, record: Any, reason: str) -> None:
        (outcome,) = mapped([{"path": PATHS}], record)
        assert outcome.startswith(f"path {reason}")


class TestFlatten:
    def test_the_parts_of_an_object_take_its_place(self) -> None:
        record = {"id": 1, "user": {"name": "A", "address": {"city": "B"}, "tags": [{"x": 1}]}}
        parts = {"user_name": "A", "user_address_city": "B", "user_tags": [{"x": 1}]}
        assert mapped([{"flatten": "user"}], record) == [{"id": 1, **parts}]
        assert mapped([{"flatten": {}}], record) == [{"id": 1, **parts}]

    def test_depth_and_separator_are_those_of_the_mapping(self) -> None:
        record = {"user": {"name": "A", "address": {"city": "B"}}}
        flatten = {"field": "user", "separator": ".", "depth": 1}
        assert mapped([{"flatten": flatten}], record) == [
            {"user.name": "A", "user.address": {"city": "B"}}
        ]

    def test_null_an_empty_object_and_no_field_give_no_fields(self) -> None:
        assert mapped([{"flatten": "u"}], {"u": None}, {"u": {}}, {"a": 1}) == [{}, {}, {"a": 1}]

    @pytest.mark.parametrize(
        ("flatten", "record", "name"),
        [
            ("u", {"u": {"a": 1}, "u_a": 2}, "u_a"),
            ("u", {"u": {"a": {"b": 1}, "a_b": 2}}, "u_a_b"),
            ({}, {"u_a": 2, "u": {"a": 1}}, "u_a"),
            ({}, {"u": {"a": 1}, "u_a": 2}, "u_a"),
        ],
    )
    def test_two_fields_of_one_name_are_refused(self, flatten: Any, record: Any, name: str) -> None:
        assert mapped([{"flatten": flatten}], record) == [
            f"flatten {name}: the record already has a field {name}"
        ]

    def test_what_is_no_object_is_refused(self) -> None:
        assert mapped([{"flatten": "u"}], {"u": [1]}) == [
            "flatten u: it is an array, not an object"
        ]


class TestUnnest:
    def outcomes(self, unnest: Any, *records: Any) -> tuple[list[Any], list[str], int]:
        result = mapped_batch([{"unnest": unnest}], batch_of(records))
        assert result.values is not None
        messages = [failure.message for failure in result.failures]
        return list(result.values), messages, len(result.filtered)

    def test_each_element_stands_in_a_record_of_its_own(self) -> None:
        values, _, _ = self.outcomes("items", {"id": 1, "items": [{"n": 1}, None]})
        assert values == [{"id": 1, "items": {"n": 1}}, {"id": 1, "items": None}]

    def test_an_element_gets_a_name_or_is_merged_and_may_have_a_number(self) -> None:
        record = {"id": 1, "items": [{"n": 5}]}
        named = {"field": "items", "as": "item", "index": "no"}
        assert self.outcomes(named, record)[0] == [{"id": 1, "no": 0, "item": {"n": 5}}]
        merged = {"field": "items", "merge": True}
        assert self.outcomes(merged, record)[0] == [{"id": 1, "n": 5}]

    def test_no_element_is_no_record(self) -> None:
        records = ({"id": 1, "items": []}, {"id": 2, "items": None}, {"id": 3})
        assert self.outcomes("items", *records) == ([], [], 3)

    @pytest.mark.parametrize(
        ("unnest", "record", "message"),
        [
            ("a", {"a": 5}, "unnest a: it is a single value, not an array"),
            ({"field": "a", "merge": True}, {"a": [5]}, "unnest a: element 0 is a single value"),
            (
                {"field": "a", "merge": True},
                {"a": [{"b": 1}], "b": 2},
                "unnest b: the record already",
            ),
            ({"field": "a", "as": "b"}, {"a": [1], "b": 2}, "unnest b: the record already"),
            (
                "a",
                {"a": [0] * 10_001},
                "unnest a: 10,001 records or more of one; 10,000 are the most",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused(self, unnest: Any, record: Any, message: str) -> None:
        values, (refusal,), _ = self.outcomes(unnest, record)
        assert values == []
        assert refusal.startswith(message)

    def test_arrays_within_arrays_are_bounded_together(self) -> None:
        records = [{"a": [[0] * 200] * 200}]
        result = mapped_batch([{"unnest": "a"}, {"unnest": "a"}], batch_of(records))
        assert [failure.category for failure in result.failures] == ["too_many_records"]
