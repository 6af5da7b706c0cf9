from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from transforms.errors import Reject
from transforms.parse.convert import TYPED_TEXT, column_types, convert, number_of


def converted(text: str, *allowed: str) -> Any:
    """What the field ``a`` with ``text`` becomes; "absent" when it is left out."""
    return convert({"a": text}, (("a", frozenset(allowed)),)).get("a", "absent")


class TestConvert:
    @pytest.mark.parametrize(
        ("text", "allowed", "value"),
        [
            ("7", ["integer"], 7),
            ("-7", ["integer"], -7),
            ("+7", ["integer"], 7),
            ("007", ["integer"], 7),
            ("123456789012345678901234567890", ["integer"], 123456789012345678901234567890),
            ("1.50", ["number"], Decimal("1.50")),
            ("5.0", ["integer"], Decimal("5.0")),  # an integer to JSON Schema
            (".5", ["number"], Decimal("0.5")),
            ("1e3", ["number"], Decimal("1e3")),
            ("true", ["boolean"], True),
            ("FALSE", ["boolean"], False),
            ("7", ["integer", "boolean"], 7),
            ("true", ["integer", "boolean"], True),
            ("7", ["string"], "7"),
            ("7", ["string", "integer"], "7"),
            ("", ["string"], ""),
            ("", ["string", "null"], None),
            ("", ["integer", "null"], None),
            ("", ["integer"], "absent"),
            ("", ["boolean"], "absent"),
            ("", ["string", TYPED_TEXT], "absent"),
            ("", ["string", "null", TYPED_TEXT], None),
            ('{"a": [1.50]}', ["object"], {"a": [Decimal("1.50")]}),
            ("[1, null]", ["array", "null"], [1, None]),
            ('{"a": 1}', ["object", "string"], '{"a": 1}'),
            ("{a: 1}", ["object"], "{a: 1}"),
            ("7", ["object"], "7"),
        ],
    )
    def test_text_becomes_what_the_schema_says(
        self, text: str, allowed: list[str], value: Any
    ) -> None:
        result = converted(text, *allowed)
        assert result == value
        assert type(result) is type(value)

    @pytest.mark.parametrize(
        "text",
        ["seven", "1_000", " 7", "7 ", "\u0667", "0x7", "1,5", "NaN", "inf", "--7"],
    )
    def test_text_that_is_no_number_stays_text(self, text: str) -> None:
        assert converted(text, "integer", "number") == text

    @pytest.mark.parametrize("digits", [4_300, 4_301, 10_000])
    def test_an_integer_keeps_all_of_up_to_10_000_digits(self, digits: int) -> None:
        number = number_of("9" * digits)
        assert str(number) == "9" * digits
        assert type(number) is (int if digits == 4_300 else Decimal)

    @pytest.mark.parametrize("text", ["9" * 10_001, "0." + "9" * 20_000, "1e99999"])
    def test_a_number_beyond_the_limit_is_malformed(self, text: str) -> None:
        assert number_of(text) is None
        with pytest.raises(Reject, match="more than 10,000 digits") as rejected:
            converted(text, "integer", "number")
        assert rejected.value.category == "malformed"

    @pytest.mark.parametrize("text", ["1", "0", "yes", "t"])
    def test_only_true_and_false_are_booleans(self, text: str) -> None:
        assert converted(text, "boolean") == text

    def test_a_number_keeps_every_digit(self) -> None:
        result = converted("0.1000000000000000055511151231257827", "number")
        assert str(result) == "0.1000000000000000055511151231257827"

    def test_the_value_passed_in_stays_as_it_was(self) -> None:
        value = {"a": "7", "b": ""}
        types = (("a", frozenset({"integer"})), ("b", frozenset({"integer"})))
        assert convert(value, types) == {"a": 7}
        assert value == {"a": "7", "b": ""}

    def test_what_a_step_has_changed_is_left_alone(self) -> None:
        types = (("a", frozenset({"integer"})), ("gone", frozenset({"integer"})))
        assert convert({"a": Decimal(7)}, types) == {"a": Decimal(7)}
        assert convert("no row", types) == "no row"

    def test_emptiness_in_quotes_is_text_of_every_type(self) -> None:
        types = (("a", frozenset({"integer", "null"})), ("b", frozenset({"integer", "null"})))
        assert convert({"a": "", "b": ""}, types, {"a"}) == {"a": "", "b": None}


def test_columns_that_the_schema_does_not_type_are_left_out() -> None:
    schema = json.dumps({"properties": {"n": {"type": "integer"}, "x": {}}})
    assert column_types(schema, ("x", "n", "other")) == (("n", frozenset({"integer"})),)
    assert column_types("true", ("n",)) == ()


def test_strings_that_are_dates_times_or_uuids_are_no_free_text() -> None:
    properties = {
        "day": {"type": "string", "format": "date"},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "mail": {"type": "string", "format": "email"},
        "either": {"anyOf": [{"type": "string", "format": "date"}, {"type": "string"}]},
    }
    assert dict(column_types(json.dumps({"properties": properties}), tuple(properties))) == {
        "day": {"string", TYPED_TEXT},
        "at": {"string", "null", TYPED_TEXT},
        "mail": {"string"},
        "either": {"string"},  # empty text is one
    }
